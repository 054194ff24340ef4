#!/usr/bin/env bash
# ENT (default) or FENT (--ent_config conf/train_fent_mini.yaml) on the mini corpus.
set -euo pipefail
cd "$(dirname "$0")"

./ent.sh \
    --lang en \
    --corpora mini \
    --train_set train \
    --valid_set dev \
    --test_sets "test zed_dev zed_test" \
    --token_type char \
    --ent_config conf/train_ent_mini.yaml \
    --inference_config conf/decode_greedy.yaml \
    --lm_config conf/train_lm_mini.yaml \
    --lm_train_text downloads/mini_sentences/text \
    --lm_dev_text downloads/mini_sentences/dev_text \
    "$@"
