# Where the programs are; sourced by the recipes.
# shellcheck shell=bash

ENT_ROOT=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../.." && pwd)
export ENT_ROOT
venv=${VENV:-${ENT_ROOT}/.venv}
if [ -d "${venv}/bin" ]; then
    export PATH="${venv}/bin:${PATH}"
fi
export PYTHONPATH="${ENT_ROOT}${PYTHONPATH:+:${PYTHONPATH}}"
export PYTHONIOENCODING=UTF-8
export LC_ALL=C.UTF-8
# One thread a process: jobs run side by side, and sums come out the same on any machine.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
# oneDNN keeps what it prepared for every shape it has met; with batches of many lengths that takes half of the memory.
export LRU_CACHE_CAPACITY=${LRU_CACHE_CAPACITY:-1} ONEDNN_PRIMITIVE_CACHE_CAPACITY=${ONEDNN_PRIMITIVE_CACHE_CAPACITY:-32}
unset venv
