#!/usr/bin/env bash
# Data directories train, dev and test of a corpus that a manifest describes.
# shellcheck source-path=SCRIPTDIR/..
# shellcheck disable=SC2034  # parse_options.sh sets the options, and they are read by name
set -euo pipefail
. utils/log.sh
. ./path.sh

help_message="Usage: $0 --manifest FILE [--manifest_format tsv|csv|jsonl] [--audio_root DIR]
    [--columns audio=NAME,emotion=NAME,...] [--on_defects error|exclude]
    [--emotion_list FILE] [--label_map FILE] [--drop_labels a,b] [--missing_emotion error|exclude]
    [--tags strip|keep] [--text_case upper|keep] [--speaker_from_id REGEX]
    [--split_map valid=test,...] [--allow_speaker_overlap false] [--dev_share 0.1] [--test_share 0.1]
    [--split_seed 1] [--fs 16000] [--resample true] [--nj 2]"
manifest=
manifest_format=
audio_root=
columns=
on_defects="error"
emotion_list=
label_map=
drop_labels=
missing_emotion="error"
tags="strip"
text_case="upper"
speaker_from_id=
split_map=
allow_speaker_overlap=false
dev_share=0.1
test_share=0.1
split_seed=1
fs=16000
resample=true
nj=${ENT_NJ:-2}
. utils/parse_options.sh

[ -n "${manifest}" ] || fail "no manifest is given; next: --local_data_opts \"--manifest FILE\", see README.md"
options=(--out "${ENT_DATADIR:-data}")
for name in manifest manifest_format audio_root columns on_defects emotion_list label_map drop_labels missing_emotion \
    tags text_case speaker_from_id split_map allow_speaker_overlap dev_share test_share split_seed fs resample nj; do
    [ -z "${!name}" ] || options+=("--${name}" "${!name}")
done
"${ENT_PYTHON:-python}" -m espnet_ent.bin.ent_prepare_custom "${options[@]}"
