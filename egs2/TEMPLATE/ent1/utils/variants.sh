#!/usr/bin/env bash
# Trains, decodes and scores several variants of one system, then writes one table.
#   utils/variants.sh LIST [OPTIONS of run.sh]
# LIST, e.g. conf/variants/cta_rnn.txt, has a variant a line: its name, then options of its training (--ent_args). A variant
# that is there already is left alone, so that an interrupted run goes on. Stages 1 to 8 must have been run.
set -euo pipefail
# shellcheck source=log.sh
. utils/log.sh
# shellcheck source=../path.sh
. ./path.sh
# shellcheck source=given_option.sh
. utils/given_option.sh

[ $# -ge 1 ] || fail "usage: $0 LIST [options of run.sh]; lists: $(echo conf/variants/*.txt)"
[ -f "$1" ] || fail "$1 is missing; lists: $(echo conf/variants/*.txt)"
list=$1 system=$(basename "$1" .txt)
shift
refuse_fixed "ent_tag ent_exp ent_args stage stop_stage" "is set by $0 for each variant" "$@"
refuse_fixed "folds seeds protocol" "is for one system: run ./run.sh with it for each variant; $0 runs each once" "$@"
expdir=$(given_option expdir exp "$@") datadir=$(given_option datadir data "$@") python=$(given_option python python "$@")
experiments=()
while read -r name args || [ -n "${name}" ]; do # the last line may have no end
    [[ -n ${name} && ${name} != \#* ]] || continue
    log "${system}: ${name}"
    ./run.sh --stage 9 --stop_stage 13 --ent_tag "${system}_${name}" --ent_args "${args}" "$@" </dev/null
    experiments+=("${expdir}/ent_${system}_${name}")
done <"${list}"
[ "${#experiments[@]}" -gt 0 ] || fail "${list} names no variant"
"${python}" -m espnet_ent.bin.ent_report_results --exp "${experiments[@]}" --difficulty "${datadir}/difficulty.json" \
    --command "utils/variants.sh ${list} $*" --out "${expdir}/RESULTS_${system}.md" --print true
