# How the stages run their work: here, or on the nodes of a cluster; sourced by ent.sh.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # variables are shared with ent.sh

# is_cluster: whether jobs go to other machines.
is_cluster() {
    [ "${cmd_backend}" != local ]
}

# choose_commands: the commands of cmd.sh with this run's interpreter, and train_cmd_of_stage for what --ngpu is about.
choose_commands() {
    local name
    case "${cmd_backend}" in local | slurm) ;; *) fail "cmd_backend in cmd.sh: expected local or slurm, got ${cmd_backend}" ;; esac
    for name in train_cmd cuda_cmd decode_cmd; do
        local -n cmd=${name}
        cmd=${cmd/#python /"${python}" }
    done
    train_cmd_of_stage=${train_cmd}
    [ "${ngpu}" -eq 0 ] || train_cmd_of_stage=${cuda_cmd}
    node_nj=$((nj < cores_per_node ? nj : cores_per_node))
    launch_cmd=${train_cmd_of_stage}
    [ "${cmd_backend}" != slurm ] || [ "${num_nodes}" -eq 1 ] || launch_cmd="utils/slurm.pl ${train_cmd_of_stage#*--backend slurm}"
    decode_cmd_of_stage=${decode_cmd}
    [ "${gpu_inference}" = false ] || decode_cmd_of_stage=${cuda_cmd}
}

# on_node COMMAND ARG...: one of this package's commands that take --nj: here, or on one node of a cluster. What
# it reads and writes is audio, which would go over the same network from several nodes.
on_node() {
    if is_cluster; then
        # shellcheck disable=SC2086  # commands are words
        ${train_cmd} --num-threads "${node_nj}" --show "" "${dumpdir}/log/$1.log" "${python}" -m "espnet_ent.bin.$1" "${@:2}" \
            --nj "${node_nj}"
    else
        ent "$@"
    fi
}

# statistics_stage: stage 10; the jobs of an array on a cluster, then their sum.
statistics_stage() {
    train_arguments
    local collect=("${python}" -m espnet_ent.bin.ent_collect_stats) options=(--nj "${nj}")
    local of_all=(--collect_stats true --output_dir "${ent_stats_dir}" "${train_args[@]}")
    if is_cluster; then
        # shellcheck disable=SC2086  # commands and options are words
        ${train_cmd} --resume false ENT_SHARE=1:"${nj}" "${ent_stats_dir}/stats.ENT_SHARE.log" "${collect[@]}" \
            --share "ENT_SHARE/${nj}" "${of_all[@]}" ${ent_args}
        options=(--merge "${nj}")
    fi
    # shellcheck disable=SC2086  # commands and options are words
    ${train_cmd} --show "is there already" "${ent_stats_dir}/stats.log" "${collect[@]}" "${options[@]}" "${of_all[@]}" ${ent_args}
}

# decode_set OUT OPTION...: one set of stage 12; the jobs of an array on a cluster, each with its share of the batches.
decode_set() {
    local out=$1
    shift
    if is_cluster; then
        # shellcheck disable=SC2086  # commands are words
        ${decode_cmd_of_stage} --resume false ENT_SHARE=1:"${inference_nj}" "${out%/*}/log/${out##*/}.ENT_SHARE.log" \
            "${python}" -m espnet_ent.bin.ent_decode --out "${out}" --share "ENT_SHARE/${inference_nj}" "$@"
        ent ent_merge_decoded --out "${out}" --shares "${inference_nj}"
    else
        ent ent_decode --out "${out}" --nj "${inference_nj}" "$@"
    fi
}
