#!/usr/bin/env bash
# ENT (default) or FENT on MSP-IMPROV, leave-one-session-out: --folds "1 2 3 4 5 6".
set -euo pipefail
cd "$(dirname "$0")"

./ent.sh \
    --lang en \
    --corpora msp_improv \
    --train_set train \
    --valid_set dev \
    --test_sets "test" \
    --resample true \
    --token_type char \
    --max_wav_duration 18.75 \
    --ent_config conf/train_ent.yaml \
    --inference_config conf/decode_greedy.yaml \
    "$@"
