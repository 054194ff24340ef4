#!/usr/bin/env bash
# Make the mini corpus and its data directories: train, dev, test (a fold of IEMOCAP_mini), zed_dev, zed_test.
# shellcheck source-path=SCRIPTDIR/..
set -euo pipefail
. utils/log.sh
. ./path.sh

# shellcheck disable=SC2034  # read by parse_options.sh
help_message="Usage: $0 [--corpus_dir downloads/mini] [--seed 1] [--fold 1] [--protocol honest|paper] [--nj 2]
    [--per_class 60] [--zed_per_speaker 30] [--emotion_words SHARE] [--emotion_voice SHARE]"
corpus_dir=downloads/mini
seed=1
fold=1
protocol="honest"
nj=${ENT_NJ:-2}
per_class=60
zed_per_speaker=30
emotion_words= # share of the utterances with a word that fits their emotion; empty: words tell nothing
emotion_voice= # share of the emotional utterances whose voice tells; with --emotion_words
. utils/parse_options.sh

datadir=${ENT_DATADIR:-data}
words_options=()
[ -z "${emotion_words}" ] || words_options=(--emotion_words "${emotion_words}")
voice_options=()
[ -z "${emotion_voice}" ] || voice_options=(--emotion_voice "${emotion_voice}")
log "mini corpus in ${corpus_dir}"
"${ENT_PYTHON:-python}" -m espnet_ent.bin.ent_make_mini --out "${corpus_dir}" --seed "${seed}" --nj "${nj}" \
    --per_class "${per_class}" --zed_per_speaker "${zed_per_speaker}" "${words_options[@]}" "${voice_options[@]}"
"${ENT_PYTHON:-python}" -m espnet_ent.bin.ent_prepare --corpus iemocap --root "${corpus_dir}/IEMOCAP_mini" --fold "${fold}" \
    --protocol "${protocol}" --published_counts false --out "${datadir}"
for part in dev test; do
    "${ENT_PYTHON:-python}" -m espnet_ent.bin.ent_prepare --corpus zed --root "${corpus_dir}/ZED_mini_${part}" \
        --out "${datadir}" --set_name "zed_${part}"
done
"${ENT_PYTHON:-python}" -m espnet_ent.bin.ent_mini_sentences --out "${corpus_dir}_sentences" --seed "${seed}" \
    --per_class "${per_class}" --zed_per_speaker "${zed_per_speaker}" "${words_options[@]}"
