#!/usr/bin/env bash
# The two other systems on the mini corpus, each with its variants in one table: demo_system.sh cta_rnn|asr_fusion
#   cta_rnn     over the layers of the encoder that ENT trains here, frozen
#   asr_fusion  on the variant of the corpus in which a part of the emotion is in the words, from a recogniser trained here;
#               then the UA against the word error rate of the text that the emotion head reads
set -euo pipefail
cd "$(dirname "$0")"
. utils/log.sh
. ./path.sh
. utils/given_option.sh

[ $# -ge 1 ] || fail "usage: $0 cta_rnn|asr_fusion [options of run.sh]"
system=$1
shift
refuse_fixed "ent_config ent_tag ent_exp ent_args stage stop_stage expdir datadir dumpdir test_sets pretrained_model folds seeds" \
    "is set by $0" "$@"
python=$(given_option python python "$@")
case ${system} in
    cta_rnn)
        ./run.sh --stage 1 --stop_stage 11 --test_sets test "$@"
        utils/variants.sh conf/variants/cta_rnn.txt --ent_config conf/train_cta_rnn_mini.yaml --feature_cache true \
            --test_sets test "$@"
        ;;
    asr_fusion)
        options=(--local_data_opts "--emotion_words 0.65 --emotion_voice 0.7 --corpus_dir downloads/mini_words"
            --datadir data_words --dumpdir dump_words --expdir exp_words --test_sets test)
        ./run.sh --stage 1 --stop_stage 11 --ent_config conf/train_asr_mini.yaml --ent_tag asr "${options[@]}" "$@"
        utils/variants.sh conf/variants/asr_fusion.txt --ent_config conf/train_asr_fusion_mini.yaml "${options[@]}" \
            --pretrained_model exp_words/ent_asr/valid.loss.ave.pth "$@"
        for variant in hierarchical acoustic_text; do
            "${python}" -m espnet_ent.bin.ent_wer_curve --exp "exp_words/ent_asr_fusion_${variant}" --data dump_words/raw/test \
                --vocabulary dump_words/raw/train/text --seeds 0 1
        done
        ;;
    *) fail "unknown system ${system}: expected cta_rnn or asr_fusion" ;;
esac
