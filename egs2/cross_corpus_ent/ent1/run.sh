#!/usr/bin/env bash
# ENT (default) or FENT trained on one corpus and tested on others: --train_corpus iemocap --test_corpora msp_improv.
# shellcheck source-path=SCRIPTDIR
set -euo pipefail
cd "$(dirname "$0")"
. utils/log.sh

# These two options become options of local/data.sh and the names of the test sets; all others are those of ent.sh.
train_corpus=iemocap
test_corpora=msp_improv
local_data_opts=
options=()
while [ $# -gt 0 ]; do
    case "${1//-/_}" in
        __train_corpus | __test_corpora | __local_data_opts)
            [ $# -gt 1 ] || fail "option $1 needs a value"
            name=${1//-/_}
            printf -v "${name#__}" '%s' "$2"
            ;;
        __help | _h)
            printf '%s\n' "  --train_corpus iemocap|msp_improv|DIR    what to train on; DIR holds data directories train and dev" \
                "  --test_corpora msp_improv,zed,NAME=DIR   what to test on; DIR is a data directory" ""
            ./ent.sh --help
            exit 0
            ;;
        *) options+=("${@:1:2}") ;;
    esac
    shift "$(($# > 1 ? 2 : 1))"
done
test_corpora=${test_corpora// /,}
test_sets=()
IFS=, read -ra tested <<<"${test_corpora}"
for corpus in "${tested[@]}"; do
    [ "${corpus}" != "${train_corpus}" ] || fail "--test_corpora: ${corpus} is trained on; leave it out"
    test_sets+=("${corpus%%=*}")
done
[ "${#test_sets[@]}" -gt 0 ] || fail "--test_corpora is empty; give iemocap, msp_improv, zed or NAME=DIR"

./ent.sh \
    --lang en \
    --corpora "${train_corpus##*/} ${test_sets[*]}" \
    --train_set train \
    --valid_set dev \
    --test_sets "${test_sets[*]}" \
    --eval_valid_set true \
    --resample true \
    --token_type char \
    --max_wav_duration 18.75 \
    --ent_config conf/train_ent.yaml \
    --inference_config conf/decode_greedy.yaml \
    "${options[@]}" \
    --local_data_opts "--train_corpus ${train_corpus} --test_corpora ${test_corpora}${local_data_opts:+ ${local_data_opts}}"
