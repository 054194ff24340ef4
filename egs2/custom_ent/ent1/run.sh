#!/usr/bin/env bash
# ENT (default) or FENT on your own recordings: --local_data_opts "--manifest FILE".
set -euo pipefail
cd "$(dirname "$0")"

./ent.sh \
    --train_set train \
    --valid_set dev \
    --test_sets "test" \
    --resample true \
    --token_type char \
    --ent_config conf/train_ent_small.yaml \
    --inference_config conf/decode_greedy.yaml \
    "$@"
