#!/usr/bin/env bash
# Data directories train and dev of one corpus, and one data directory for each corpus to test on.
# shellcheck source-path=SCRIPTDIR/..
# shellcheck disable=SC2034  # parse_options.sh sets the options, and roots are read by name
set -euo pipefail
. utils/log.sh
. ./path.sh
. ./db.sh

help_message="Usage: $0 [--train_corpus iemocap|msp_improv|DIR] [--test_corpora iemocap,msp_improv,zed,NAME=DIR]
    [--iemocap DIR] [--msp_improv DIR] [--zed DIR] (defaults: IEMOCAP, MSP_IMPROV and ZED in db.sh)
    [--tags strip|keep] [--missing_transcripts error|exclude|keep] [--published_counts true]"
train_corpus="iemocap"
test_corpora="msp_improv"
iemocap=${IEMOCAP:-}
msp_improv=${MSP_IMPROV:-}
zed=${ZED:-}
tags="strip"
missing_transcripts=
published_counts=true
. utils/parse_options.sh

datadir=${ENT_DATADIR:-data}

# python_module NAME OPTION...: run a command of the package.
python_module() {
    "${ENT_PYTHON:-python}" -m "espnet_ent.bin.$1" "${@:2}"
}

# prepare CORPUS OPTION...: data directories of a corpus that db.sh names.
prepare() {
    local options=(--corpus "$1" --root "${!1}" --tags "${tags}" --out "${datadir}")
    if [ "$1" != zed ]; then
        options+=(--published_counts "${published_counts}")
        [ -z "${missing_transcripts}" ] || options+=(--missing_transcripts "${missing_transcripts}")
    fi
    python_module ent_prepare "${options[@]}" "${@:2}"
}

# check_root CORPUS: fail unless db.sh or an option tells where a corpus is.
check_root() {
    [ -n "${!1}" ] || fail "${1^^} is not set; next: set it in db.sh, or --local_data_opts \"--$1 DIR\""
}

IFS=, read -ra tested <<<"${test_corpora}"
for corpus in "${tested[@]}"; do
    case "${corpus}" in
        iemocap | msp_improv | zed) check_root "${corpus}" ;;
        train=* | dev=*) fail "--test_corpora ${corpus}: this name is that of a set of training; choose another" ;;
        ?*=?*) ;;
        *) fail "--test_corpora: expected iemocap, msp_improv, zed or NAME=DIR, got ${corpus}" ;;
    esac
done
if [ "${ENT_TESTS_ONLY:-false}" = false ]; then
    case "${train_corpus}" in
        iemocap | msp_improv) check_root "${train_corpus}" ;;
        *)
            [ -d "${train_corpus}/train" ] ||
                fail "--train_corpus: expected iemocap, msp_improv or a folder with train and dev, got ${train_corpus}"
            ;;
    esac
fi

for corpus in "${tested[@]}"; do
    case "${corpus}" in
        *=*) python_module ent_copy_set --data "${corpus#*=}" --out "${datadir}/${corpus%%=*}" ;;
        *) prepare "${corpus}" --set_name "${corpus}" ;;
    esac
done
[ "${ENT_TESTS_ONLY:-false}" = false ] || exit 0
case "${train_corpus}" in
    iemocap) prepare iemocap --train_sessions 1 2 3 4 --dev_sessions 5 ;;
    msp_improv) prepare msp_improv --train_sessions 1 2 3 4 5 --dev_sessions 6 ;;
    *)
        python_module ent_copy_set --data "${train_corpus}/train" --out "${datadir}/train" --emotion_list "${datadir}/emotion_list"
        python_module ent_copy_set --data "${train_corpus}/dev" --out "${datadir}/dev"
        ;;
esac
