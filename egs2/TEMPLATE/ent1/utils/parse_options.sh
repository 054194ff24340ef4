# Options of the form --name value; sourced by a script after it has set their defaults.
# shellcheck shell=bash
#
# The options are the lines `name=default` of the script above the line that sources this file, help_message aside. The
# default tells the kind: true or false, a whole number, a number with a point, or any text. dropped_options.txt beside
# this file knows ESPnet's options that have no counterpart here.

declare -A default_of=()
while IFS= read -r option_line && [[ ${option_line} != ". utils/parse_options.sh" ]]; do
    if [[ ${option_line} =~ ^([a-z][a-z0-9_]*)=[^\(]*$ && ${BASH_REMATCH[1]} != help_message ]]; then
        option_name=${BASH_REMATCH[1]}
        default_of[${option_name}]=${!option_name}
    fi
done < "${BASH_SOURCE[1]}"

# refuse_option NAME: fail with the option's replacement, or with the option that begins most like it.
refuse_option() {
    local name advice known length nearest="" longest=3
    while read -r name advice; do
        [ "${name}" != "$1" ] || fail "option --$1 is not supported; ${advice}"
    done < utils/dropped_options.txt
    for known in "${!default_of[@]}"; do
        for ((length = longest + 1; length <= ${#known}; length++)); do
            [[ $1 == "${known:0:length}"* ]] || break
            nearest=${known} longest=${length}
        done
    done
    fail "unknown option --$1;${nearest:+ did you mean --${nearest}?} see --help"
}

# check_option NAME VALUE: fail unless the value is of the kind of the default.
check_option() {
    local kind default=${default_of[$1]}
    case "${default}" in
        true | false) [[ $2 == true || $2 == false ]] || fail "option --$1: expected true or false, got '$2'" ;;
        *[!0-9.]* | "") ;;
        *)
            kind="a whole number"
            [[ ${default} != *.* ]] || kind="a number"
            [[ $2 =~ ^[0-9]+$ || ($2 =~ ^[0-9]*\.?[0-9]+$ && ${kind} == "a number") ]] ||
                fail "option --$1: expected ${kind}, got '$2'"
            ;;
    esac
}

while [ $# -gt 0 ]; do
    case "$1" in
        --help | -h)
            printf '%s\n' "${help_message:-no help}"
            exit 0
            ;;
        --*=*) fail "write options as --name value; got '$1'" ;;
        --*) option_name=${1#--} ;;
        *) fail "unexpected argument '$1'; options are written as --name value" ;;
    esac
    option_name=${option_name//-/_}
    [[ -n ${option_name} && -v default_of[${option_name}] ]] || refuse_option "${option_name}"
    [ $# -gt 1 ] || fail "option $1 needs a value"
    check_option "${option_name}" "$2"
    printf -v "${option_name}" '%s' "$2"
    shift 2
done
unset option_name option_line
