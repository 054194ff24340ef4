# How jobs are run; sourced by the recipes.
# shellcheck shell=bash
# shellcheck disable=SC2034  # read by utils/jobs.sh

# local: on this machine. slurm: as jobs of a Slurm cluster; this folder and the environment must be visible on its nodes.
export cmd_backend=${cmd_backend:-local}
# What jobs ask Slurm for, on CPUs and on GPUs: --mem 8G, --time 4:00:00, --max-jobs-run 100 for arrays, --on-failure cancel,
# and any option of sbatch: --slurm-option partition=long --slurm-option account=me --slurm-option exclusive
cpu_options=${cpu_options:-}
gpu_options=${gpu_options:-}
# Cores of one node, where --nj is more: for stages that read and write audio.
cores_per_node=${cores_per_node:-16}

export train_cmd="python -m espnet_ent.bin.ent_run --backend ${cmd_backend} ${cpu_options}"
export cuda_cmd="python -m espnet_ent.bin.ent_run --backend ${cmd_backend} --gpu 1 ${gpu_options}"
export decode_cmd=${train_cmd}
