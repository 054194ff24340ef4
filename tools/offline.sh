#!/usr/bin/env bash
# Run a command where the loopback interface is all the network there is: tools/offline.sh COMMAND ...
# Where the system gives no network of one's own (unshare), it says so and runs the command with the network as it is.
set -euo pipefail
if ! unshare --map-root-user --net ip link set lo up 2>/dev/null; then
    echo "offline.sh: warning: no private network on this system; the command is run with the network as it is" >&2
    exec "$@"
fi
# shellcheck disable=SC2016  # expanded by the inner shell
exec unshare --map-root-user --net bash -c 'ip link set lo up && exec "$@"' offline "$@"
