#!/usr/bin/env bash
# How hard is the test fold? What the majority, the words alone and utterance-level prosody reach on it.
# shellcheck source-path=SCRIPTDIR/..
set -euo pipefail
. ./path.sh

python -m espnet_ent.bin.ent_difficulty --train dump/raw/train --test dump/raw/test --emotion_list data/emotion_list \
    --out data/difficulty.json
