#!/usr/bin/env bash
# Joint speech recognition and emotion recognition: data preparation to packing, stages numbered as in ESPnet's asr.sh.
# shellcheck disable=SC2034  # parse_options.sh sets the options, and some are read by name
set -euo pipefail
. utils/log.sh
. ./path.sh
. ./cmd.sh

help_message="Usage: $0 [--option value ...]

  --stage 1 --stop_stage 13 --skip_stages \"2 6\"   which stages to run
  --skip_data_prep false --skip_train false --skip_eval false --skip_packing false --skip_upload_hf false
  --folds \"1 2 3 4 5\" --seeds \"1 2 3\" --protocol honest|paper --nfold_jobs 1   several runs, one report
  --ngpu 0 --num_nodes 1 --nj 2 --inference_nj 2 --gpu_inference false --python python
  --datadir data --dumpdir dump --expdir exp
  --train_set train --valid_set dev --test_sets \"test\" --local_data_opts \"\" --eval_valid_set false
  --speed_perturb_factors \"0.9 1.0 1.1\" --mixing false --mixing_args \"\" --lattice_supervision utterance|intervals
  --resample false --use_emotion true --keep_empty_text false --leakage_allow \"\" --dev_is_test false
  --audio_format flac|wav|flac.ark|wav.ark --fs 16k
  --min_wav_duration 0.1 --max_wav_duration 20
  --token_type char|bpe --nbpe 100 --bpemode unigram --bpe_train_text FILE --nlsyms_txt FILE
  --use_lm false --lm_config FILE --lm_args \"\" --lm_train_text FILE --lm_init_predictor false --inference_lm NAME
  --feats_type raw --feats_normalize global_mvn|utterance_mvn|none
  --ent_config FILE --ent_args \"\" --ent_tag NAME --ent_exp DIR --ent_stats_dir DIR
  --pretrained_model FILE --ignore_init_mismatch false
  --feature_cache false --feature_cache_dir DIR --feature_cache_dtype float16|float32
  --inference_config FILE --inference_args \"\" --inference_tag NAME --inference_ent_model valid.loss.ave.pth
  --score_opts \"\" --local_score_opts \"\" --calibrate true   fit temperatures of confidence on the development set
  --pack_encoder auto|true|false --corpora \"NAME ...\"    stages 14 to 16: pack, upload, check
  --hf_repo USER/NAME --hf_license NAME                 without --hf_repo or a token stage 15 is a dry run
  --download_model HUB_ID|ZIP|DIR                       use a packed model in place of training"

# Which stages
stage=1
stop_stage=13
skip_stages=
skip_data_prep=false
skip_train=false
skip_eval=false
skip_packing=false
skip_upload_hf=false
# Which runs
folds=           # sessions to test on, each with data, dump and exp of its own: data/fold1, exp/fold1
seeds=           # random seeds of training: exp/seed1, or exp/fold1/seed1
protocol=honest  # paper: every epoch is scored on the test sets, and each metric takes its best there, an ORACLE
nfold_jobs=1     # folds at the same time
# Machine
ngpu=0
num_nodes=1
nj=2
inference_nj=2
gpu_inference=false
python=python
# Directories
datadir=data
dumpdir=dump
expdir=exp
# Data
train_set=train
valid_set=dev
test_sets="test"
local_data_opts=
eval_valid_set=false
speed_perturb_factors=
mixing=false          # join recordings of a speaker into utterances with known emotion changes
mixing_args=          # options of ent_mix, e.g. "--patterns neu_emo=1 emo=1 --copies 2"
lattice_supervision=  # utterance: one label an utterance; intervals: emo_segments; default: intervals with mixing
audio_format=flac
fs=16k
resample=false         # true: audio of any rate is converted to --fs in stages 2 and 3
use_emotion=true       # false: speech recognition alone, without utt2emo
keep_empty_text=false  # true: for a model that learns no words
leakage_allow=         # of utterance audio speaker dialog session: what train, dev and test may share
dev_is_test=false      # true: dev and test may share all
min_wav_duration=0.1
max_wav_duration=20.0
lang=en
# Tokens
token_type=char
nbpe=100
bpemode=unigram
bpe_train_text=
bpe_nlsyms=
nlsyms_txt=none
cleaner=none
# Language model
use_lm=false
lm_config=
lm_args=
lm_exp=
lm_stats_dir=
lm_tag=
lm_train_text=
lm_dev_text=
lm_test_text=
inference_lm=
lm_init_predictor=false # true: train FENT's vocabulary predictor on text alone, and start stage 11 from it
# Model
feats_type=raw
feats_normalize=global_mvn
ent_config=
ent_args=
ent_tag=
ent_exp=
ent_stats_dir=
ent_speech_fold_length=
ent_text_fold_length=
pretrained_model=
ignore_init_mismatch=false
feature_cache=false    # true: stage 9 computes the states of a frozen pretrained encoder, and training reads them
feature_cache_dir=     # default: dump/feature_cache, for all folds
feature_cache_dtype=float16
download_model=
# Decoding and scoring
inference_config=
inference_args=
inference_tag=
inference_ent_model=valid.loss.ave.pth
calibrate=true         # false: no temperatures of confidence are fitted on the development set
score_opts=
local_score_opts=
# Model zoo
corpora=               # what the model is trained and tested on, for its card
pack_encoder=auto      # true: bring a frozen pretrained encoder along; auto: only one that lies in a file or directory
hf_repo=
hf_license=            # of the weights, as the hub names it; default: by the corpora

run_args=("$@")
. utils/parse_options.sh

[[ ${fs} =~ ^[0-9]+k?$ ]] || fail "option --fs: expected hertz such as 16000 or 16k, got '${fs}'"
fs=${fs/%k/000}
[ "${stage}" -le "${stop_stage}" ] || fail "--stage ${stage} comes after --stop_stage ${stop_stage}: nothing to run"
for option in nj inference_nj num_nodes; do
    [ "${!option}" -ge 1 ] || fail "option --${option}: expected 1 or more, got ${!option}"
done
[ "${feats_type}" = raw ] || fail "--feats_type ${feats_type}: only raw is supported"
: "${lattice_supervision:=$([ "${mixing}" = true ] && echo intervals || echo utterance)}"
case "${lattice_supervision}" in utterance | intervals) ;; *)
    fail "--lattice_supervision: expected utterance or intervals, got ${lattice_supervision}" ;;
esac
[ "${cleaner}" = none ] || fail "--cleaner ${cleaner}: text is normalised in data preparation; leave it none"
case "${feats_normalize}" in global_mvn | utterance_mvn | none) ;; *)
    fail "--feats_normalize: expected global_mvn, utterance_mvn or none, got ${feats_normalize}" ;;
esac

# Names and places that follow from the options
. utils/functions.sh
. utils/jobs.sh
. utils/folds.sh
. utils/language_model.sh
. utils/feature_cache.sh
. utils/packing.sh
check_runs
check_packing
: "${feature_cache_dir:=${dumpdir}/feature_cache}"
place_run
place_download
data_feats=${dumpdir}/raw
trained_elsewhere=${ent_exp}
name_outputs
source_train_set=${train_set}
source_valid_set=${valid_set}
[ "${eval_valid_set}" = false ] || test_sets="org/${valid_set} ${test_sets}"
train_set+=${set_suffix}
[ "${mixing}" = false ] || valid_set+=_mix
raw_training_sets="${source_train_set} ${source_valid_set}"
training_sets="org/${train_set} org/${valid_set}"
if is_tests_only; then
    raw_training_sets="" training_sets=""
    export ENT_TESTS_ONLY=true # for local/data.sh
fi

export ENT_PYTHON=${python} ENT_NJ=${nj} # for local/*.sh
"${python}" -c 'import numpy, soundfile, yaml, espnet_ent' 2>/dev/null ||
    fail "${python} has not all packages that are needed; next: make env in ${ENT_ROOT}, then make doctor"

choose_commands

if is_several; then
    run_folds
    exit 0
fi
download_pack

if runs 1; then
    log "stage 1: data preparation"
    # shellcheck disable=SC2086  # options are words
    local/data.sh ${local_data_opts} "${fold_data_opts[@]}"
    read -ra all_sets <<<"${raw_training_sets} ${test_sets#org/"${source_valid_set}"}"
    validate_options=(--emotion_list "${emotion_list}" --emotion "${use_emotion}")
    [ "${resample}" = true ] || validate_options+=(--fs "${fs}")
    on_node ent_validate --nj "${nj}" "${all_sets[@]/#/${datadir}/}" "${validate_options[@]}"
fi

if runs 2; then
    perturbed=${source_train_set}
    if [ -n "${speed_perturb_factors}" ]; then
        log "stage 2: speed perturbation ${speed_perturb_factors}"
        needs "${datadir}/${source_train_set}/wav.scp" 1
        perturbed+=_sp
        # shellcheck disable=SC2086  # factors are words
        on_node ent_perturb --data "${datadir}/${source_train_set}" --out "${datadir}/${perturbed}" --factors ${speed_perturb_factors} \
            --fs "${fs}" --resample "${resample}" --nj "${nj}"
    else
        log "stage 2: speed perturbation skipped (--speed_perturb_factors is empty)"
    fi
    if [ "${mixing}" = true ]; then
        log "stage 2: mixing ${mixing_args}"
        for pair in "${perturbed} ${train_set}" "${source_valid_set} ${valid_set}"; do
            needs "${datadir}/${pair% *}/wav.scp" 1
            # shellcheck disable=SC2086  # options are words
            on_node ent_mix --data "${datadir}/${pair% *}" --out "${datadir}/${pair#* }" --emotion_list "${emotion_list}" \
                --fs "${fs}" --resample "${resample}" --nj "${nj}" ${mixing_args}
        done
    fi
fi

if runs 3; then
    log "stage 3: audio to ${data_feats} (${audio_format}, ${fs} Hz)"
    # shellcheck disable=SC2086  # sets are words
    for name in ${training_sets} ${test_sets#org/"${valid_set}"}; do
        [[ ${name} != "${train_set}" && ${name} != "${valid_set}" ]] || continue # made as org/, filtered in stage 4
        needs "${datadir}/${name#org/}/wav.scp" 1
        on_node ent_format --data "${datadir}/${name#org/}" --out "${data_feats}/${name}" --audio_format "${audio_format}" \
            --fs "${fs}" --resample "${resample}" --nj "${nj}"
    done
fi

if runs 4; then
    log "stage 4: drop utterances of less than ${min_wav_duration} s or more than ${max_wav_duration} s, or without text"
    for name in "${train_set}" "${valid_set}"; do
        needs "${data_feats}/org/${name}/wav.scp" 3
        ent ent_filter --data "${data_feats}/org/${name}" --out "${data_feats}/${name}" --fs "${fs}" \
            --min_wav_duration "${min_wav_duration}" --max_wav_duration "${max_wav_duration}" \
            --keep_empty_text "${keep_empty_text}"
    done
    read -ra compared_tests <<<"${test_sets#org/"${source_valid_set}"}"
    read -ra shared <<<"${leakage_allow}"
    on_node ent_check_leakage --train "${datadir}/${source_train_set}" --dev "${datadir}/${source_valid_set}" --nj "${nj}" \
        --dev_is_test "${dev_is_test}" --test "${compared_tests[@]/#/${datadir}/}" --allow "${shared[@]}"
fi

if runs 5; then
    log "stage 5: token list and emotion list"
    needs "${data_feats}/${train_set}/text" 4
    needs "${emotion_list}" 1
    token_options=(--token_type "${token_type}" --nbpe "${nbpe}" --bpemode "${bpemode}")
    [ "${nlsyms_txt}" = none ] || token_options+=(--nlsyms_txt "${nlsyms_txt}")
    [ -z "${bpe_nlsyms}" ] || token_options+=(--nlsyms "${bpe_nlsyms}")
    [ -z "${bpe_train_text}" ] || token_options+=(--text "${bpe_train_text}")
    [ "${use_emotion}" = false ] ||
        token_options+=(--labelled "${data_feats}/${train_set}" "${data_feats}/${valid_set}")
    ent ent_tokens --data "${data_feats}/${train_set}" --out "${token_dir}" --emotion_list "${emotion_list}" \
        "${token_options[@]}"
fi

if runs 6 || runs 7 || runs 8; then
    lm_stages
fi

if runs 9; then
    if [ "${feature_cache}" = true ]; then
        cache_stage
    else
        log "stage 9: SSL feature cache skipped (--feature_cache false)"
    fi
fi

if runs 10; then
    log "stage 10: statistics in ${ent_stats_dir}"
    statistics_stage
fi

if runs 11; then
    log "stage 11: training in ${ent_exp}, log in ${ent_exp}/train.log"
    train_arguments "${feature_cache}"
    training_options
    trainer=(-m espnet_ent.bin.ent_train)
    if [ "${ngpu}" -gt 1 ] || [ "${num_nodes}" -gt 1 ]; then
        trainer=(-m espnet2.bin.launch --cmd "${launch_cmd}" --log "${ent_exp}/train.log" --ngpu "${ngpu}"
            --num_nodes "${num_nodes}" --init_file_prefix "${ent_exp}/.dist_init_" --multiprocessing_distributed true
            -- "${python}" -m espnet_ent.bin.ent_train)
        # shellcheck disable=SC2086  # options are words
        "${python}" "${trainer[@]}" --resume true --output_dir "${ent_exp}" "${train_args[@]}" ${ent_args}
    else
        # shellcheck disable=SC2086  # commands and options are words
        ${train_cmd_of_stage} --show "INFO: epoch " --show "INFO: resumed " --show "is there already" --prefix "${run_name}${ent_tag}" "${ent_exp}/train.log" \
            "${python}" "${trainer[@]}" --ngpu "${ngpu}" --resume true --output_dir "${ent_exp}" \
            "${train_args[@]}" ${ent_args}
    fi
fi

if runs 12; then
    log "stage 12: decoding with ${inference_ent_model}"
    needs "${ent_exp}/config.yaml" 11
    decode_options=(--exp "${ent_exp}")
    [ -z "${inference_config}" ] || decode_options+=(--config "${inference_config}")
    [ "${gpu_inference}" = false ] || decode_options+=(--device cuda)
    lm_decode_options
    list_checkpoints
    for checkpoint in "${checkpoints[@]}"; do
        for name in $(decoded_sets); do
            needs "${data_feats}/${name}/wav.scp" 3
            # shellcheck disable=SC2086  # options are words
            decode_set "$(decoded_dir "${checkpoint}" "${name}")" --data "${data_feats}/${name}" \
                --inference_ent_model "${checkpoint}" "${decode_options[@]}" ${inference_args}
        done
    done
fi

if runs 13; then
    log "stage 13: scoring"
    find_training_labels
    find_calibration
    list_checkpoints
    for checkpoint in "${checkpoints[@]}"; do
        for name in ${test_sets}; do
            decoded=$(decoded_dir "${checkpoint}" "${name}")
            needs "${decoded}/utt2duration" 12
            [ "${use_emotion}" = false ] || [ -z "${labels_of_training}" ] || needs "${labels_of_training}/utt2emo" 4
            # shellcheck disable=SC2086  # options are words
            ent ent_score --ref "${data_feats}/${name}" --hyp "${decoded}" --emotion_list "${emotion_list}" \
                "${labels_options[@]}" "${calibration_options[@]}" --inference_ent_model "${checkpoint}" \
                --out "${decoded}/score" ${score_opts}
        done
    done
    if [ -x local/score.sh ] && [ -n "${labels_of_training}" ]; then
        # shellcheck disable=SC2086  # options are words
        local/score.sh --train "${labels_of_training}" --dumpdir "${dumpdir}" --test_sets "${test_sets}" ${local_score_opts}
    fi
    if [ "${protocol}" = paper ]; then
        combine_results "${ent_exp}/RESULTS.md"
    else
        ent ent_report_results --exp "${ent_exp}" --difficulty "${datadir}/difficulty.json" \
            --out "${ent_exp}/RESULTS.md" --command "$(command_line)"
    fi
    log "results in ${ent_exp}/RESULTS.md"
    [ "${protocol}" = paper ] || log "to look at: ent-report --exp ${ent_exp} --data ${data_feats}"
fi

packing_stages
log "finished (language: ${lang})"
