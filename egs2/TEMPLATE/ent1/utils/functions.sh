# What the stages of ent.sh share; sourced by it, reads its options.
# shellcheck shell=bash
# shellcheck disable=SC2154  # ent.sh sets them

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

# command_line: the command for RESULTS.md: what the results depend on, without which stages were run how.
command_line() {
    local i option line=./run.sh
    for ((i = 0; i < ${#run_args[@]}; i += 2)); do
        option=${run_args[i]#--}
        case "${option//-/_}" in stage | stop_stage | skip_* | nj | inference_nj | python) continue ;; esac
        [[ " ${run_args[*]:i+2} " != *" ${run_args[i]} "* ]] || continue # given again later
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
