#!/usr/bin/env bash
# ENT (default) or FENT on IEMOCAP, one fold of leave-one-session-out: --local_data_opts "--fold 1".
set -euo pipefail
cd "$(dirname "$0")"

./ent.sh \
    --lang en \
    --corpora iemocap \
    --train_set train \
    --valid_set dev \
    --test_sets "test" \
    --token_type char \
    --max_wav_duration 18.75 \
    --ent_config conf/train_ent.yaml \
    --inference_config conf/decode_greedy.yaml \
    "$@"
