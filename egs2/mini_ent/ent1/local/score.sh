#!/usr/bin/env bash
# How hard is the test fold? What the majority, the words alone and utterance-level prosody reach on it.
# shellcheck source-path=SCRIPTDIR/..
set -euo pipefail
. utils/log.sh
. ./path.sh

# shellcheck disable=SC2034  # read by parse_options.sh
help_message="Usage: $0 [--train dump/raw/train] [--dumpdir dump] [--test_sets \"test zed_test\"]"
dumpdir=dump
train=dump/raw/train
test_sets="test"
. utils/parse_options.sh

datadir=${ENT_DATADIR:-data}
if [[ " ${test_sets} " == *" test "* ]]; then
    "${ENT_PYTHON:-python}" -m espnet_ent.bin.ent_difficulty --train "${train}" \
        --test "${dumpdir}/raw/test" --emotion_list "${datadir}/emotion_list" --out "${datadir}/difficulty.json"
fi
