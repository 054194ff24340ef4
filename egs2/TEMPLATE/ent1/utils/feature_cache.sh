# Stage 9 of ent.sh: states of a frozen pretrained encoder, computed once; training reads them in place of audio.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # variables are shared with ent.sh

# place_cache: where states lie, for all folds, and where each set of this run names its own.
place_cache() {
    cached_sets=${dumpdir}/states/${ent_tag}
    [ "${feature_cache}" = false ] || [ -n "${ent_config}" ] ||
        fail "--feature_cache true needs --ent_config, with encoder: ssl or encoder: espnet_asr"
}

# cache_stage: stage 9.
cache_stage() {
    local device=cpu cache_nj=${nj}
    log "stage 9: states of the pretrained encoder in ${feature_cache_dir}"
    train_arguments
    [ "${ngpu}" -eq 0 ] || device=cuda
    local cache=("${python}" -m espnet_ent.bin.ent_cache --data "${data_feats}/${train_set}" "${data_feats}/${valid_set}"
        --out "${cached_sets}" --store "${feature_cache_dir}" --dtype "${feature_cache_dtype}")
    # On a cluster the jobs of an array fill the store; the command after them finds all of it there.
    if is_cluster; then
        # shellcheck disable=SC2086  # commands and options are words
        ${train_cmd_of_stage} --resume false ENT_SHARE=1:"${nj}" "${cached_sets}/cache.ENT_SHARE.log" "${cache[@]}" \
            --share "ENT_SHARE/${nj}" --device "${device}" "${train_args[@]}" ${ent_args}
        device=cpu cache_nj=${node_nj} train_cmd_of_stage="${train_cmd} --num-threads ${node_nj}"
    fi
    # shellcheck disable=SC2086  # commands and options are words
    ${train_cmd_of_stage} --show "recordings" --show "is there already" "${cached_sets}/cache.log" "${cache[@]}" \
        --nj "${cache_nj}" --device "${device}" "${train_args[@]}" ${ent_args}
    choose_commands
}
