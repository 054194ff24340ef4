# What the stages of ent.sh share; sourced by it, reads its options.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # variables are shared with ent.sh

# is_tests_only: whether a trained model is to be scored and nothing is trained: test sets alone are prepared.
is_tests_only() {
    [ "${skip_train}" = true ] && [ -n "${trained_elsewhere}" ]
}

# name_outputs: names and places of tokens, experiment and decodings, as far as they are not given.
name_outputs() {
    local config_name
    case "${token_type}" in
        char) token_dir=${datadir}/token_list/char token_tag=${feats_type}_char ;;
        bpe) token_dir=${datadir}/token_list/bpe_${bpemode}${nbpe} token_tag=${feats_type}_bpe${nbpe} ;;
        *) fail "--token_type: expected char or bpe, got ${token_type}" ;;
    esac
    token_list=${token_dir}/tokens.txt
    emotion_list=${datadir}/emotion_list
    set_suffix=${speed_perturb_factors:+_sp}
    [ "${mixing}" = false ] || set_suffix+=_mix
    if [ -z "${ent_tag}" ]; then
        config_name=$(basename "${ent_config:-default}" .yaml)
        ent_tag=${config_name}_${token_tag}$(printf '%s' "${ent_args}" | tr -cs 'A-Za-z0-9.=' '_')
        ent_tag+=${set_suffix}
        [ "${lattice_supervision}" = utterance ] || [ "${mixing}" = true ] || ent_tag+=_intervals
        [ "${lm_init_predictor}" = false ] || ent_tag+=_lm
    fi
    : "${ent_exp:=${expdir}/ent_${ent_tag}}"
    : "${ent_stats_dir:=${statsdir}/ent_stats_${token_tag}${set_suffix}}"
    place_lm
    if [ -z "${inference_tag}" ]; then
        inference_tag=$(basename "${inference_config:-inference_greedy}" .yaml)_$(basename "${inference_ent_model}" .pth)
        [ "${use_lm}" = false ] || inference_tag+=_lm_${lm_tag}
        [ -z "${inference_args}" ] || inference_tag+=$(printf '%s' "${inference_args}" | tr -cs 'A-Za-z0-9.=' '_')
    fi
}

# runs N: whether stage N is asked for.
runs() {
    local skipped=" ${skip_stages} "
    ! is_tests_only || skipped+="2 4 5 "
    [ "${skip_data_prep}" = false ] || skipped+="1 2 3 4 5 "
    [ "${skip_train}" = false ] || skipped+="6 7 8 9 10 11 "
    [ "${skip_eval}" = false ] || skipped+="12 13 "
    [ "${skip_packing}" = false ] || skipped+="14 15 16 "
    [ "${skip_upload_hf}" = false ] || skipped+="15 "
    [ "${stage}" -le "$1" ] && [ "${stop_stage}" -ge "$1" ] && [[ ${skipped} != *" $1 "* ]]
}

# needs FILE STAGE: FILE must be there; STAGE makes it.
needs() {
    [ -e "$1" ] || fail "$1 is missing; next: rerun stage $2 (--stage $2)"
}

# ent COMMAND ARG...: one of this package's commands.
ent() {
    local command=$1
    shift
    "${python}" -m "espnet_ent.bin.${command}" "$@"
}

# find_training_labels: sets labels_of_training, the set that baselines are made from, and the options of ent_score for
# it; empty where a model is scored whose training data is not here.
find_training_labels() {
    labels_of_training=${data_feats}/${train_set}
    [ "${mixing}" = false ] || labels_of_training=${datadir}/${source_train_set}
    labels_options=(--train_utt2emo "${labels_of_training}/utt2emo")
    if is_tests_only && [ ! -e "${labels_of_training}/utt2emo" ]; then
        log "the labels of training are not here: no majority baseline"
        labels_of_training="" labels_options=()
    fi
}

# is_calibrated: whether temperatures are wanted, and there are emotions and data apart from the test sets to fit them on.
is_calibrated() {
    [ "${calibrate}" = true ] && [ "${use_emotion}" = true ] && [ "${protocol}" = honest ] && [ "${dev_is_test}" = false ]
}

# calibration_set: the development set that temperatures are fitted on; nothing where none are.
calibration_set() {
    is_calibrated && ! is_tests_only || return 0
    case " ${test_sets} " in
        *" org/${valid_set} "*) printf '%s\n' "org/${valid_set}" ;; # --eval_valid_set: one decoding for both
        *) printf '%s\n' "${valid_set}" ;;
    esac
}

# decoded_sets: the test sets and the one that temperatures are fitted on, once each.
decoded_sets() {
    local fitted_on
    fitted_on=$(calibration_set)
    [[ " ${test_sets} " != *" ${fitted_on} "* ]] || fitted_on=
    printf '%s\n' "${test_sets}${fitted_on:+ ${fitted_on}}"
}

# find_calibration: fits temperatures on the development set and sets calibration_options, those of ent_score for them.
find_calibration() {
    local name fitted_on file=${ent_exp}/calibration.json
    calibration_options=()
    fitted_on=$(calibration_set)
    if [ -n "${fitted_on}" ]; then
        for name in $(decoded_sets); do
            needs "$(decoded_dir "${inference_ent_model}" "${name}")/utt2duration" 12
        done
        ent ent_calibrate --ref "${data_feats}/${fitted_on}" --hyp "$(decoded_dir "${inference_ent_model}" "${fitted_on}")" \
            --out "${ent_exp}/${inference_tag}/calibration.json" "${file}"
        calibration_options=(--calibration "${ent_exp}/${inference_tag}/calibration.json")
    elif is_calibrated && [ -e "${file}" ]; then
        log "confidence is scored with ${file}"
        calibration_options=(--calibration "${file}")
    elif is_calibrated; then
        log "confidence is not scored: ${file} is missing"
    fi
}

# command_line: the command for RESULTS.md: what the results depend on, without which stages were run how.
command_line() {
    local i option line=./run.sh
    for ((i = 0; i < ${#run_args[@]}; i += 2)); do
        option=${run_args[i]#--}
        if is_tests_only && [ "${option//-/_}" = skip_train ]; then
            line+=" --skip_train true"
        fi
        case "${option//-/_}" in stage | stop_stage | skip_* | nj | inference_nj | nfold_jobs | python | hf_* | corpora | pack_encoder) continue ;; esac
        [[ ${option} != lm[_-]* ]] || is_lm_trained || continue
        [[ " ${run_args[*]:i+2} " != *" ${run_args[i]} "* ]] || continue # given again later
        [[ ${option} != @(folds|seeds) || -n ${run_args[i + 1]} ]] || continue # one run of many
        line+=" ${run_args[i]} $(printf '%q' "${run_args[i + 1]}")"
    done
    printf '%s\n' "${line}"
}

# data_options SET KIND: the three data files of a set, as options of ent_train.
data_options() {
    local type=sound
    [[ ${audio_format} != *.ark ]] || type=kaldi_ark
    local entry entries="wav.scp,speech,${type} text,text,text"
    [ "${use_emotion}" = false ] || entries+=" utt2emo,emotion,text"
    if [ "${lattice_supervision}" = intervals ]; then
        entries+=" utt2emo_segments,emo_segments,text"
        [ ! -e "${data_feats}/$1/utt2emo_words" ] || entries+=" utt2emo_words,emo_words,text"
    fi
    for entry in ${entries}; do
        printf '%s\n' "--${2}_data_path_and_name_and_type" "${data_feats}/$1/${entry}"
    done
}

# train_arguments: fills the array train_args with what stages 10 and 11 share.
train_arguments() {
    needs "${token_list}" 5
    needs "${emotion_list}" 5
    needs "${data_feats}/${train_set}/wav.scp" 4
    needs "${data_feats}/${valid_set}/wav.scp" 4
    train_args=(--token_type "${token_type}" --token_list "${token_list}" --emotion_list "${emotion_list}" --fs "${fs}")
    [ "${token_type}" != bpe ] || train_args+=(--bpemodel "${token_dir}/bpe.model")
    if [ -n "${ent_config}" ]; then
        [ -f "${ent_config}" ] || fail "--ent_config ${ent_config}: no such file"
        train_args+=(--config "${ent_config}")
    fi
    mapfile -t -O "${#train_args[@]}" train_args < <(data_options "${train_set}" train; data_options "${valid_set}" valid)
}

# training_options: adds to the array train_args what stage 11 alone needs.
training_options() {
    local kind
    needs "${ent_stats_dir}/made_from.json" 10
    for kind in train valid; do
        train_args+=("--${kind}_shape_file" "${ent_stats_dir}/${kind}/speech_shape"
            "--${kind}_shape_file" "${ent_stats_dir}/${kind}/text_shape")
    done
    case "${feats_normalize}" in
        global_mvn)
            train_args+=(--normalize global_mvn --normalize_conf "stats_file=${ent_stats_dir}/train/feats_stats.npz")
            ;;
        utterance_mvn) train_args+=(--normalize utterance_mvn) ;;
        none) train_args+=(--normalize none) ;;
    esac
    if [ -n "${ent_speech_fold_length}" ]; then
        train_args+=(--fold_length "${ent_speech_fold_length}" --fold_length "${ent_text_fold_length:-150}")
    fi
    local start=()
    [ -z "${pretrained_model}" ] || start+=("${pretrained_model}")
    if [ "${lm_init_predictor}" = true ]; then
        needs "${lm_exp}/${inference_lm}" 7
        start+=("${lm_exp}/${inference_lm}:transducer:transducer")
    fi
    [ "${#start[@]}" -eq 0 ] || train_args+=(--init_param "${start[@]}" --ignore_init_mismatch "${ignore_init_mismatch}")
    [ -z "${seeds}" ] || train_args+=(--seed "${seeds}")
    [ "${protocol}" = honest ] || train_args+=(--keep_all_epochs true)
}
