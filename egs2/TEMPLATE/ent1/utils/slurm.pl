#!/usr/bin/env bash
# ESPnet's launcher knows Slurm by the name of this file: it then starts the processes of all nodes by srun, in one job.
set -euo pipefail
exec "${ENT_PYTHON:-python}" -m espnet_ent.bin.ent_run --backend slurm "$@"
