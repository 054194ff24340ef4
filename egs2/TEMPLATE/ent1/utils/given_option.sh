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

# refuse_fixed "NAME..." "REASON" ARG...: fail if one of the options NAME is among the arguments, however it is written.
refuse_fixed() {
    local names=" $1 " reason=$2 option
    shift 2
    for option; do
        [[ ${option} == --* ]] || continue
        option=${option#--}
        option=${option%%=*}
        option=${option//-/_}
        [[ ${names} != *" ${option} "* ]] || fail "option --${option} ${reason}"
    done
}
