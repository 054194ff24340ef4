# Stages 6-8 of ent.sh: a language model for shallow fusion, or text alone for FENT's vocabulary predictor.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # variables are shared with ent.sh

# is_lm_trained: whether stages 6-8 have something to do.
is_lm_trained() {
    [ "${use_lm}" = true ] || [ "${lm_init_predictor}" = true ]
}

# place_lm: names and places of the language model.
place_lm() {
    local kind=lm config=${lm_config}
    if [ "${lm_init_predictor}" = true ]; then
        [ "${use_lm}" = false ] || fail "--use_lm and --lm_init_predictor: one of them can be true"
        [ -n "${ent_config}" ] || fail "--lm_init_predictor true needs --ent_config, with transducer: factorized_transducer"
        kind=predictor config=${lm_config:-${ent_config}}
    fi
    if [ -z "${lm_tag}" ]; then
        lm_tag=$(basename "${config:-default}" .yaml)_${token_type}
        [ "${token_type}" = char ] || lm_tag+=${nbpe}
        lm_tag+=$(printf '%s' "${lm_args}" | tr -cs 'A-Za-z0-9.=' '_')
    fi
    : "${lm_exp:=${expdir}/${kind}_${lm_tag}}" "${inference_lm:=valid.loss.ave.pth}"
    : "${lm_stats_dir:=${expdir}/${kind}_stats_${token_tag#*_}}"
    : "${lm_train_text:=${datadir}/${train_set}/text}" "${lm_dev_text:=${datadir}/${valid_set}/text}"
    : "${lm_test_text:=${datadir}/${test_sets%% *}/text}"
}

# lm_arguments: fills the array lm_train_args with what stages 6 and 7 share.
lm_arguments() {
    needs "${token_list}" 5
    needs "${lm_train_text}" 1
    needs "${lm_dev_text}" 1
    lm_train_args=(--token_type "${token_type}" --token_list "${token_list}")
    [ "${token_type}" != bpe ] || lm_train_args+=(--bpemodel "${token_dir}/bpe.model")
    [ "${lm_init_predictor}" = false ] || lm_train_args+=(--lm vocabulary_predictor --ent_config "${ent_config}")
    if [ -n "${lm_config}" ]; then
        [ -f "${lm_config}" ] || fail "--lm_config ${lm_config}: no such file"
        lm_train_args+=(--config "${lm_config}")
    fi
    lm_train_args+=(--train_data_path_and_name_and_type "${lm_train_text},text,text"
        --valid_data_path_and_name_and_type "${lm_dev_text},text,text")
}

# lm_stages: stages 6-8.
lm_stages() {
    if ! is_lm_trained; then
        log "stages 6-8: language model skipped (--use_lm false)"
        return
    fi
    if runs 6; then
        log "stage 6: statistics of the language model's text in ${lm_stats_dir}"
        lm_arguments
        # shellcheck disable=SC2086  # commands and options are words
        ${train_cmd} --show "is there already" "${lm_stats_dir}/stats.log" "${python}" -m espnet_ent.bin.ent_lm_train \
            --collect_stats true --output_dir "${lm_stats_dir}" "${lm_train_args[@]}" ${lm_args}
    fi
    if runs 7; then
        log "stage 7: training of the language model in ${lm_exp}, log in ${lm_exp}/train.log"
        lm_arguments
        needs "${lm_stats_dir}/made_from.json" 6
        # shellcheck disable=SC2086  # commands and options are words
        ${train_cmd_of_stage} --show "INFO: epoch " --show "INFO: resumed " --show "is there already" --prefix "${lm_tag}" \
            "${lm_exp}/train.log" "${python}" -m espnet_ent.bin.ent_lm_train --ngpu "${ngpu}" --resume true \
            --output_dir "${lm_exp}" "${lm_train_args[@]}" --train_shape_file "${lm_stats_dir}/train/text_shape" \
            --valid_shape_file "${lm_stats_dir}/valid/text_shape" ${lm_args}
    fi
    if runs 8; then
        needs "${lm_exp}/config.yaml" 7
        log "stage 8: perplexity on ${lm_test_text}"
        ent ent_lm_perplexity --lm_exp "${lm_exp}" --inference_lm "${inference_lm}" --text "${lm_test_text}" \
            --out "${lm_exp}/perplexity_test"
    fi
}

# lm_decode_options: adds to the array decode_options what stage 12 needs for shallow fusion.
lm_decode_options() {
    [ "${use_lm}" = true ] || return 0
    needs "${lm_exp}/config.yaml" 7
    decode_options+=(--lm_exp "${lm_exp}" --inference_lm "${inference_lm}")
}
