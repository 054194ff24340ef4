# Log lines and failures, sourced by the recipes.
# shellcheck shell=bash

# log MESSAGE: a line with the time and the place of the call.
log() {
    printf '%(%Y-%m-%dT%H:%M:%S)T (%s:%s:%s) %s\n' -1 \
        "${BASH_SOURCE[1]##*/}" "${BASH_LINENO[0]}" "${FUNCNAME[1]:-main}" "$*"
}

# fail MESSAGE: one line on stderr, status 2 (what the user can mend).
fail() {
    printf '%s: error: %s\n' "${0##*/}" "$*" >&2
    exit 2
}
