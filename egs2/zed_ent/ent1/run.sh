#!/usr/bin/env bash
# ENT (default) or FENT, trained on IEMOCAP sessions 1-4, developed on 5, tested on ZED.
set -euo pipefail
cd "$(dirname "$0")"

./ent.sh \
    --lang en \
    --corpora "iemocap zed" \
    --train_set train \
    --valid_set dev \
    --test_sets "zed" \
    --token_type char \
    --max_wav_duration 18.75 \
    --ent_config conf/train_ent.yaml \
    --inference_config conf/decode_greedy.yaml \
    "$@"
