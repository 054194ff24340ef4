# Folds, seeds and protocols; sourced by ent.sh, which runs itself once for each of them.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # variables are shared with ent.sh

# check_runs: refuse what does not go with --folds, --seeds and --protocol, and fill the arrays fold_list and seed_list.
check_runs() {
    local option value seen
    read -ra fold_list <<<"${folds}"
    read -ra seed_list <<<"${seeds}"
    for option in folds seeds; do
        seen=" "
        local -n list=${option%s}_list
        for value in "${list[@]}"; do
            [[ ${value} =~ ^(0|[1-9][0-9]*)$ ]] ||
                fail "option --${option}: expected whole numbers such as \"1 2 3\", got '${value}'"
            [[ ${seen} != *" ${value} "* ]] || fail "option --${option}: ${value} is given twice"
            seen+="${value} "
        done
    done
    case "${protocol}" in honest | paper) ;; *) fail "--protocol: expected honest or paper, got ${protocol}" ;; esac
    [ "${nfold_jobs}" -ge 1 ] || fail "option --nfold_jobs: expected 1 or more, got ${nfold_jobs}"
    [ -z "${folds}${seeds}" ] || [ -z "${ent_exp}" ] ||
        fail "--ent_exp is a place for one run; with --folds or --seeds use --expdir or --ent_tag"
    [ -z "${folds}" ] || [ -z "${ent_stats_dir}" ] || fail "--ent_stats_dir is a place for one fold; leave it out"
    [ -z "${seeds}" ] || [[ " ${ent_args} " != *" --seed "* ]] ||
        fail "--seeds and --seed in --ent_args: give one of them"
    [ "${protocol}" = honest ] || [ "${inference_ent_model}" = valid.loss.ave.pth ] ||
        fail "--inference_ent_model ${inference_ent_model}: --protocol paper decodes every epoch; leave it out"
}

# is_several: whether several folds or seeds are asked for.
is_several() {
    [ "${#fold_list[@]}" -gt 1 ] || [ "${#seed_list[@]}" -gt 1 ]
}

# place_run: directories of this run. Seeds share the data, the dump and the statistics of their fold. For several runs
# at once, the places are patterns with {fold} and {seed}.
place_run() {
    local place="" fold=${folds} seed=${seeds}
    if is_several; then
        fold=${folds:+"{fold}"} seed=${seeds:+"{seed}"}
    fi
    if [ "${protocol}" = paper ]; then
        place=/paper dev_is_test=true inference_ent_model=epochs
    fi
    reportdir=${expdir}${place}
    place+=${fold:+/fold${fold}}
    run_name=${fold:+fold${fold}/}${seed:+seed${seed}/}
    datadir+=${place}
    dumpdir+=${place}
    statsdir=${expdir}${place}
    expdir=${statsdir}${seed:+/seed${seed}}
    fold_data_opts=()
    [ -z "${fold}" ] || fold_data_opts+=(--fold "${fold}")
    [ "${protocol}" = honest ] || fold_data_opts+=(--protocol "${protocol}")
    export ENT_DATADIR=${datadir} # for local/*.sh
}

# run_one FOLD SEED STAGE STOP_STAGE: some stages of one run.
run_one() {
    local limits=()
    [ "${nfold_jobs}" -eq 1 ] || limits=(--nj 1 --inference_nj 1)
    log "stages $3 to $4 of${1:+ fold $1}${2:+ seed $2}"
    "$0" "${run_args[@]}" --folds "$1" --seeds "$2" --nfold_jobs 1 --stage "$3" --stop_stage "$4" "${limits[@]}"
}

# run_fold FOLD: all stages after data preparation, training and the later ones for each seed.
run_fold() {
    local seed first=$((stage > 2 ? stage : 2)) last=${stop_stage}
    [ "${#seed_list[@]}" -eq 0 ] || last=$((stop_stage < 10 ? stop_stage : 10))
    [ "${first}" -gt "${last}" ] || run_one "$1" "" "${first}" "${last}"
    [ "${stop_stage}" -ge 11 ] || return 0
    for seed in "${seed_list[@]}"; do
        run_one "$1" "${seed}" "$((stage > 11 ? stage : 11))" "${stop_stage}"
    done
}

# stop_shares: stop what run_folds_side_by_side has started.
stop_shares() {
    local pid
    for pid in "${pids[@]}"; do
        kill -- "-${pid}" 2>/dev/null || true
    done
}

# run_share NUMBER: folds number NUMBER, NUMBER + nfold_jobs, ... of the list.
run_share() {
    local place
    for ((place = $1; place < ${#fold_list[@]}; place += nfold_jobs)); do
        run_fold "${fold_list[place]}"
    done
}

# run_folds_side_by_side: nfold_jobs folds at the same time; the first failure ends all.
run_folds_side_by_side() {
    local number code status=0
    set -m # each share is a process group of its own, which can be stopped as a whole
    pids=()
    trap 'stop_shares; wait; exit 130' INT TERM
    for ((number = 0; number < nfold_jobs && number < ${#fold_list[@]}; number++)); do
        run_share "${number}" &
        pids+=($!)
    done
    for number in "${!pids[@]}"; do
        wait -n || {
            code=$?
            [ "${status}" -ne 0 ] || status=${code}
            stop_shares
        }
    done
    trap - INT TERM
    [ "${status}" -eq 0 ] || exit "${status}"
}

# run_folds: all folds and seeds, then one report.
run_folds() {
    local fold
    if runs 1; then # for all folds first: a wrong fold or a faulty corpus shows before anything is trained
        for fold in "${fold_list[@]:-}"; do
            run_one "${fold}" "" 1 1
        done
    fi
    if [ "${nfold_jobs}" -gt 1 ] && [ -n "${folds}" ]; then
        run_folds_side_by_side
    else
        for fold in "${fold_list[@]:-}"; do
            run_fold "${fold}"
        done
    fi
    ! runs 13 || combine_results "${reportdir}/RESULTS_${ent_tag}.md" --folds "${fold_list[@]}" --seeds "${seed_list[@]}" \
        --json "${reportdir}/results_${ent_tag}.json" --print true
}

# combine_results FILE OPTION...: the report of several runs, or of one whose epochs are all scored.
combine_results() {
    local out=$1 sets
    shift
    read -ra sets <<<"${test_sets}"
    ent ent_combine_results --exp "${ent_exp}" --inference_tag "${inference_tag}" --sets "${sets[@]#org/}" \
        --protocol "${protocol}" --command "$(command_line)" --out "${out}" "$@"
}

# decoded_dir CHECKPOINT SET: where the decoding of a set lies.
decoded_dir() {
    local epoch=
    [ "${protocol}" = honest ] || epoch=/${1%.pth}
    printf '%s\n' "${ent_exp}/${inference_tag}${epoch}/${2#org/}"
}

# list_checkpoints: fills the array checkpoints: one, or with --protocol paper that of each epoch.
list_checkpoints() {
    local epoch last
    checkpoints=("${inference_ent_model}")
    [ "${protocol}" = paper ] || return 0
    needs "${ent_exp}/made_from.json" 11 # training has finished
    last=$(readlink "${ent_exp}/latest.pth") || fail "${ent_exp}/latest.pth is missing; next: rerun stage 11 (--stage 11)"
    checkpoints=()
    for ((epoch = 1; epoch <= ${last%epoch.pth}; epoch++)); do
        needs "${ent_exp}/${epoch}epoch.pth" 11
        checkpoints+=("${epoch}epoch.pth")
    done
}
