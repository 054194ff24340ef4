# Stages 14-16 of ent.sh: pack the model, upload it, check the pack; and models that are downloaded. Sourced by it.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # variables are shared with ent.sh

# check_packing: refuse what does not go with packing or with a downloaded model.
check_packing() {
    case "${pack_encoder}" in auto | true | false) ;; *)
        fail "--pack_encoder: expected auto, true or false, got ${pack_encoder}" ;;
    esac
    [[ -z ${hf_repo} || ${hf_repo} =~ ^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$ ]] || fail "--hf_repo: expected user/name, got ${hf_repo}"
    if [ "${stop_stage}" -ge 14 ] && [ "${skip_packing}" = false ]; then
        [ "${protocol}" = honest ] || fail "--protocol paper decodes every epoch, and packs none; use --stop_stage 13"
        [ -z "${hf_repo}" ] || ! is_several || fail "--hf_repo is a place for one run; upload each fold and seed by itself"
    fi
    [ -n "${download_model}" ] || return 0
    [ -z "${ent_exp}" ] || fail "--download_model and --ent_exp: give one of them"
    ! is_several || fail "--download_model is one run; leave out --folds and --seeds"
}

# place_download: a downloaded model is one that is trained elsewhere, in a directory of its own.
place_download() {
    [ -n "${download_model}" ] || return 0
    local name=${download_model%/}
    skip_train=true
    ent_exp=${expdir}/$(printf '%s' "$(basename "${name##*/}" .zip)" | tr -c 'A-Za-z0-9._-' '_')
}

# download_pack: fetch and unpack a downloaded model, where a stage needs it.
download_pack() {
    [ -n "${download_model}" ] && [ "${stop_stage}" -ge 12 ] && [ "${stage}" -le 16 ] || return 0
    log "${download_model} in ${ent_exp}"
    inference_ent_model=$(ent ent_unpack "${download_model}" --out "${ent_exp}")
}

# packing_stages: stages 14-16.
packing_stages() {
    local name decoded pack
    pack=${ent_exp}/${ent_exp##*/}_${inference_ent_model%.*}.zip
    if [ -n "${download_model}" ]; then
        pack=${ent_exp} skip_stages+=" 14 15" # it is packed already
    fi
    if runs 14; then
        log "stage 14: packing of ${inference_ent_model}"
        needs "${ent_exp}/config.yaml" 11
        read -ra corpora_options <<<"${corpora:+--corpora ${corpora}}"
        pack_options=(--exp "${ent_exp}" --inference_ent_model "${inference_ent_model}" --out "${pack}" --lang "${lang}"
            --pack_encoder "${pack_encoder}" "${corpora_options[@]}")
        [ "${use_lm}" = false ] || pack_options+=(--lm_exp "${lm_exp}" --inference_lm "${inference_lm}")
        pack_options+=(--decoded)
        for name in ${test_sets}; do
            decoded=$(decoded_dir "${inference_ent_model}" "${name}")
            [ "${skip_eval}" = true ] || needs "${decoded}/made_from.json" 12
            [ ! -e "${decoded}/made_from.json" ] || pack_options+=("${decoded}")
        done
        ent ent_pack "${pack_options[@]}"
    fi
    if runs 15; then
        log "stage 15: model card and upload${hf_repo:+ to ${hf_repo}}"
        needs "${pack}" 14
        ent ent_upload --pack "${pack}" --hf_repo "${hf_repo}" --card "${ent_exp}/README.md" \
            ${hf_license:+--license "${hf_license}"}
    fi
    if runs 16; then
        name=${test_sets%% *}
        log "stage 16: decoding of ${name} with the pack alone"
        needs "${pack}" 14
        decoded=$(decoded_dir "${inference_ent_model}" "${name}")
        needs "${decoded}/made_from.json" 12
        check_options=(--nj "${inference_nj}")
        [ "${gpu_inference}" = false ] || check_options+=(--device cuda)
        ent ent_check_pack --pack "${pack}" --data "${data_feats}/${name}" --decoded "${decoded}" "${check_options[@]}"
    fi
}
