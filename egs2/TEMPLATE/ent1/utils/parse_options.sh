# Options of the form --name value, for every variable that is set before this file is sourced.
# shellcheck shell=bash
#
# help_message is printed by --help; dropped_options maps an option that is not supported to what replaces it.

while [ $# -gt 0 ]; do
    case "$1" in
        --help | -h)
            printf '%s\n' "${help_message:-no help}"
            exit 0
            ;;
        --*=*) fail "write options as --name value; got $1" ;;
        --*)
            option_name=${1#--}
            option_name=${option_name//-/_}
            if [ -n "${dropped_options[${option_name}]:-}" ]; then
                fail "option $1 is not supported; use ${dropped_options[${option_name}]}"
            fi
            [[ ${option_name} =~ ^[a-z][a-z0-9_]*$ && -v ${option_name} ]] || fail "unknown option $1; see --help"
            [ $# -gt 1 ] || fail "option $1 needs a value"
            case "${!option_name}" in
                true | false)
                    [[ $2 == true || $2 == false ]] || fail "option $1: expected true or false, got $2"
                    ;;
            esac
            printf -v "${option_name}" '%s' "$2"
            shift 2
            ;;
        *) fail "unexpected argument $1; options are written as --name value" ;;
    esac
done
unset option_name
