#!/usr/bin/env bash
# Stages 1 to 13 for ENT and for FENT. The two trainings run side by side, one core each.
set -euo pipefail
cd "$(dirname "$0")"
. utils/log.sh
. ./path.sh
. utils/given_option.sh

systems=(ent fent)
for argument in "$@"; do
    [[ ${argument//-/_} != __@(datadir|expdir|folds|seeds|protocol|ent_*) ]] || fail "option ${argument} is for ./run.sh, not $0"
done

./run.sh --stage 1 --stop_stage 10 "$@"
log "training and decoding of ${systems[*]}, side by side"
set -m # each system is a process group of its own, which can be stopped as a whole
pids=()
stop() {
    for pid in "${pids[@]}"; do
        kill -- "-${pid}" 2>/dev/null || true
    done
}
trap 'stop; wait; exit 130' INT TERM
for system in "${systems[@]}"; do
    ./run.sh --stage 11 --stop_stage 12 --inference_nj 1 --ent_config "conf/train_${system}_mini.yaml" "$@" &
    pids+=($!)
done
status=0
for _ in "${systems[@]}"; do
    wait -n || {
        code=$?
        [ "${status}" -ne 0 ] || status=${code}
        stop
    }
done
[ "${status}" -eq 0 ] || exit "${status}"
for system in "${systems[@]}"; do
    ./run.sh --stage 13 --stop_stage 13 --ent_config "conf/train_${system}_mini.yaml" "$@"
done
"$(given_option python python "$@")" -m espnet_ent.bin.ent_report_results --exp exp/ent_train_ent_mini_raw_char exp/ent_train_fent_mini_raw_char \
    --difficulty data/difficulty.json --command "make demo" --out RESULTS.md --print true
log "all tables in ${PWD}/RESULTS.md"
