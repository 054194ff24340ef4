# What scripts around run.sh need to know of its options; sourced by them.
# shellcheck shell=bash

# given_option NAME DEFAULT [OPTIONS of run.sh]: the value of --NAME among options, or the default.
given_option() {
    local name=$1 value=$2
    shift 2
    while [ $# -gt 1 ]; do
        [ "${1//-/_}" != "__${name}" ] || value=$2
        shift
    done
    printf '%s\n' "${value}"
}
