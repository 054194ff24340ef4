# How jobs are run; sourced by the recipes.
# shellcheck shell=bash

# local: on this machine.
export cmd_backend=local
export train_cmd="python -m espnet_ent.bin.ent_run --backend ${cmd_backend}"
export cuda_cmd="python -m espnet_ent.bin.ent_run --backend ${cmd_backend} --gpu 1"
