"""What each stage of ent.sh runs, and what it asks for when its input is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.recipes.stage_calls import DECODED, EXP, options_of, run_stage, touch
from tests.recipes.workspace import Workspace, make_workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path)


def _make_training_input(workspace: Workspace) -> None:
    touch(workspace, "data/emotion_list", "data/token_list/char/tokens.txt")
    touch(workspace, *(f"dump/raw/{name}/wav.scp" for name in ("train", "dev")))


def test_stage_1_prepares_and_validates_all_sets(workspace: Workspace) -> None:
    *preparing, validating = run_stage(workspace, 1, "--local_data_opts", "--seed 7 --fold 2")
    assert [call[:2] for call in preparing] == [
        ["-m", "espnet_ent.bin.ent_make_mini"],
        *[["-m", "espnet_ent.bin.ent_prepare"]] * 3,
        ["-m", "espnet_ent.bin.ent_mini_sentences"],
    ]
    assert options_of(preparing[0])["--seed"] == options_of(preparing[-1])["--seed"] == ["7"]
    assert options_of(preparing[1])["--fold"] == ["2"]
    assert validating[:2] == ["-m", "espnet_ent.bin.ent_validate"]
    assert {"data/train", "data/dev", "data/test", "data/zed_test"} <= set(validating)
    assert options_of(validating)["--fs"] == ["16000"]


def test_stage_1_of_the_mini_corpus_puts_emotion_into_words_when_asked(workspace: Workspace) -> None:
    asked = "--emotion_words 0.65 --emotion_voice 0.7 --corpus_dir downloads/words"
    making, *_, sentences, _ = run_stage(workspace, 1, "--local_data_opts", asked)
    assert options_of(making)["--emotion_words"] == options_of(sentences)["--emotion_words"] == ["0.65"]
    assert options_of(making)["--emotion_voice"] == ["0.7"]
    assert options_of(sentences)["--out"] == ["downloads/words_sentences"]


def test_stage_2_perturbs_the_training_set_only_when_asked(workspace: Workspace) -> None:
    assert run_stage(workspace, 2) == []
    touch(workspace, "data/train/wav.scp")
    (call,) = run_stage(workspace, 2, "--speed_perturb_factors", "0.9 1.0 1.1")
    options = options_of(call)
    assert options["--factors"] == ["0.9", "1.0", "1.1"]
    assert (options["--data"], options["--out"]) == (["data/train"], ["data/train_sp"])


def test_stage_3_keeps_training_and_development_sets_apart_for_the_filter(workspace: Workspace) -> None:
    touch(workspace, *(f"data/{name}/wav.scp" for name in ("train", "dev", "test")))
    calls = run_stage(workspace, 3, "--test_sets", "test", "--audio_format", "flac.ark", "--eval_valid_set", "true")
    assert [options_of(call)["--out"] for call in calls] == [
        ["dump/raw/org/train"],
        ["dump/raw/org/dev"],
        ["dump/raw/test"],
    ]
    assert all(options_of(call)["--audio_format"] == ["flac.ark"] for call in calls)


def test_stage_4_filters_training_and_development_sets_and_compares_all(workspace: Workspace) -> None:
    touch(workspace, "dump/raw/org/train/wav.scp", "dump/raw/org/dev/wav.scp")
    *filtering, comparing = run_stage(workspace, 4, "--test_sets", "test zed_test", "--leakage_allow", "speaker")
    assert [options_of(call)["--out"] for call in filtering] == [["dump/raw/train"], ["dump/raw/dev"]]
    options = options_of(comparing)
    assert comparing[1] == "espnet_ent.bin.ent_check_leakage"
    assert (options["--train"], options["--dev"]) == (["data/train"], ["data/dev"])
    assert options["--test"] == ["data/test", "data/zed_test"]
    assert options["--allow"] == ["speaker"]


def test_stage_4_compares_what_the_sets_were_before_perturbation_and_mixing(workspace: Workspace) -> None:
    suffixed = ("--speed_perturb_factors", "0.9 1.0", "--mixing", "true", "--eval_valid_set", "true")
    touch(workspace, "dump/raw/org/train_sp_mix/wav.scp", "dump/raw/org/dev_mix/wav.scp")
    *filtering, comparing = run_stage(workspace, 4, "--test_sets", "test", *suffixed)
    assert [options_of(call)["--out"] for call in filtering] == [["dump/raw/train_sp_mix"], ["dump/raw/dev_mix"]]
    options = options_of(comparing)
    assert (options["--train"], options["--dev"], options["--test"]) == (["data/train"], ["data/dev"], ["data/test"])


def test_speech_recognition_alone_needs_no_labels(workspace: Workspace) -> None:
    touch(workspace, "dump/raw/train/text", "data/emotion_list")
    (tokens,) = run_stage(workspace, 5, "--use_emotion", "false")
    assert "--labelled" not in options_of(tokens)
    touch(workspace, "dump/raw/train/wav.scp", "dump/raw/dev/wav.scp", "data/token_list/char/tokens.txt")
    *_, statistics = run_stage(workspace, 10, "--use_emotion", "false")
    assert not [word for word in statistics if "utt2emo" in word]


def test_intervals_are_given_to_training_with_mixing(workspace: Workspace) -> None:
    files = [f"dump/raw/{name}_mix/{file}" for name in ("train", "dev") for file in ("wav.scp", "utt2emo_words")]
    touch(workspace, *files, "data/emotion_list", "data/token_list/char/tokens.txt")
    (statistics,) = run_stage(workspace, 10, "--mixing", "true")
    for name in ("train", "dev"):
        for file, kind in (("utt2emo_segments", "emo_segments"), ("utt2emo_words", "emo_words")):
            assert f"dump/raw/{name}_mix/{file},{kind},text" in statistics


def test_stage_5_makes_tokens_of_training_text(workspace: Workspace) -> None:
    touch(workspace, "dump/raw/train/text", "data/emotion_list")
    (call,) = run_stage(workspace, 5, "--token_type", "bpe", "--nbpe", "60")
    options = options_of(call)
    assert options["--data"] == ["dump/raw/train"]
    assert options["--out"] == ["data/token_list/bpe_unigram60"]


def test_stages_6_to_9_are_logged_as_skipped(workspace: Workspace) -> None:
    ended = workspace.run("mini", "--stage", "6", "--stop_stage", "9")
    assert ended.returncode == 0
    assert "stages 6-8: language model skipped" in ended.stdout
    assert "stage 9: SSL feature cache skipped" in ended.stdout
    assert workspace.calls() == []


_TEXTS = ("downloads/mini_sentences/text", "downloads/mini_sentences/dev_text", "data/token_list/char/tokens.txt")
_NEW = "downloads/mini_sentences/text,text,text"


def test_language_model_is_trained_on_its_text_and_used_in_decoding(workspace: Workspace) -> None:
    touch(workspace, *_TEXTS)
    *_, statistics = run_stage(workspace, 6, "--use_lm", "true", "--lm_args", "--max_epoch 2")
    assert "espnet_ent.bin.ent_lm_train" in statistics
    options = options_of(statistics)
    assert options["--train_data_path_and_name_and_type"] == [_NEW]
    assert options["--config"] == ["conf/train_lm_mini.yaml"]
    assert options["--output_dir"] == ["exp/lm_stats_char"]
    touch(workspace, "exp/lm_stats_char/made_from.json")
    *_, training = run_stage(workspace, 7, "--use_lm", "true")
    assert options_of(training)["--output_dir"] == ["exp/lm_train_lm_mini_char"]
    assert options_of(training)["--train_shape_file"] == ["exp/lm_stats_char/train/text_shape"]
    touch(workspace, "exp/lm_train_lm_mini_char/config.yaml")
    *_, perplexity = run_stage(workspace, 8, "--use_lm", "true")
    assert options_of(perplexity)["--text"] == ["data/test/text"]
    touch(workspace, "exp/ent_train_ent_mini_raw_char/config.yaml", "dump/raw/test/wav.scp")
    given = (
        "--use_lm",
        "true",
        "--test_sets",
        "test",
        "--inference_config",
        "conf/decode_beam.yaml",
        "--calibrate",
        "false",
    )
    *_, decoding = run_stage(workspace, 12, *given)
    assert options_of(decoding)["--lm_exp"] == ["exp/lm_train_lm_mini_char"]
    assert "decode_beam_valid.loss.ave_lm_train_lm_mini_char" in options_of(decoding)["--out"][0]


def test_vocabulary_predictor_is_trained_on_text_and_starts_the_model(workspace: Workspace) -> None:
    touch(workspace, *_TEXTS)
    _make_training_input(workspace)
    given = ("--lm_init_predictor", "true", "--ent_config", "conf/train_fent_mini.yaml")
    *_, statistics = run_stage(workspace, 6, *given)
    assert options_of(statistics)["--lm"] == ["vocabulary_predictor"]
    assert options_of(statistics)["--ent_config"] == ["conf/train_fent_mini.yaml"]
    predictor = "exp/predictor_train_lm_mini_char/valid.loss.ave.pth"
    refused = workspace.run("mini", "--stage", "11", "--stop_stage", "11", *given)
    assert "made_from.json is missing; next: rerun stage 10" in refused.stderr
    touch(workspace, "exp/ent_stats_raw_char/made_from.json", predictor)
    *_, training = run_stage(workspace, 11, *given)
    assert options_of(training)["--init_param"] == [f"{predictor}:transducer:transducer"]
    assert options_of(training)["--output_dir"] == ["exp/ent_train_fent_mini_raw_char_lm"]


def test_stage_9_caches_states_that_stage_11_reads_in_place_of_audio(workspace: Workspace) -> None:
    _make_training_input(workspace)
    options = ("--feature_cache", "true", "--ent_config", "conf/tuning/train_ent_wavlm_base.yaml", "--folds", "1")
    touch(workspace, "data/fold1/emotion_list", "data/fold1/token_list/char/tokens.txt")
    touch(workspace, *(f"dump/fold1/raw/{name}/wav.scp" for name in ("train", "dev")))
    (call,) = run_stage(workspace, 9, *options, "--ent_args", "--max_epoch 2")
    given = options_of(call[call.index("espnet_ent.bin.ent_cache") :])
    assert given["--data"] == ["dump/fold1/raw/train", "dump/fold1/raw/dev"]
    assert given["--store"] == ["dump/feature_cache"]  # folds share it
    (sets,) = given["--out"]
    assert (given["--dtype"], given["--device"], given["--max_epoch"]) == (["float16"], ["cpu"], ["2"])
    assert given["--config"] == ["conf/tuning/train_ent_wavlm_base.yaml"]
    *_, statistics = run_stage(workspace, 10, *options, "--ent_args", "--max_epoch 2")
    assert options_of(statistics)["--train_data_path_and_name_and_type"][0].endswith("/wav.scp,speech,sound")
    touch(workspace, "exp/fold1/ent_stats_raw_char/made_from.json")
    refused = workspace.run("mini", "--stage", "11", *options, "--ent_args", "--max_epoch 2")
    assert f"{sets}/train/states.scp is missing; next: rerun stage 9 (--stage 9)" in refused.stderr
    touch(workspace, *(f"{sets}/{name}/states.scp" for name in ("train", "dev")))
    *_, training = run_stage(workspace, 11, *options, "--ent_args", "--max_epoch 2")
    for kind, name in (("train", "train"), ("valid", "dev")):
        entries = options_of(training)[f"--{kind}_data_path_and_name_and_type"]
        assert entries[0] == f"{sets}/{name}/states.scp,states,feature_cache"
        assert entries[1:] == [f"dump/fold1/raw/{name}/{entry}" for entry in ("text,text,text", "utt2emo,emotion,text")]
    assert options_of(training)["--output_dir"][0].endswith("_cached")


def test_a_feature_cache_needs_to_know_the_encoder(workspace: Workspace) -> None:
    ended = workspace.run("mini", "--stage", "9", "--feature_cache", "true", "--ent_config", "")
    assert (ended.returncode, workspace.calls()) == (2, [])
    assert "--feature_cache true needs --ent_config, with encoder: ssl or encoder: espnet_asr" in ended.stderr


def test_stage_10_collects_statistics_through_the_job_runner(workspace: Workspace) -> None:
    _make_training_input(workspace)
    (call,) = run_stage(workspace, 10, "--ent_args", "--max_epoch 2")
    assert call[:2] == ["-m", "espnet_ent.bin.ent_run"]
    assert call[call.index("--show") + 2] == "exp/ent_stats_raw_char/stats.log"
    options = options_of(call)
    assert options["--collect_stats"] == ["true"]
    assert options["--output_dir"] == ["exp/ent_stats_raw_char"]
    assert options["--max_epoch"] == ["2"]
    assert options["--train_data_path_and_name_and_type"] == [
        "dump/raw/train/wav.scp,speech,sound",
        "dump/raw/train/text,text,text",
        "dump/raw/train/utt2emo,emotion,text",
    ]


def test_stage_11_trains_with_the_statistics(workspace: Workspace) -> None:
    _make_training_input(workspace)
    touch(workspace, "exp/ent_stats_raw_char/made_from.json")
    (call,) = run_stage(workspace, 11, "--audio_format", "wav.ark")
    assert f"{EXP}/train.log" in call
    options = options_of(call)
    assert options["--normalize_conf"] == ["stats_file=exp/ent_stats_raw_char/train/feats_stats.npz"]
    assert options["--valid_shape_file"] == [
        "exp/ent_stats_raw_char/valid/speech_shape",
        "exp/ent_stats_raw_char/valid/text_shape",
    ]
    assert options["--train_data_path_and_name_and_type"][0] == "dump/raw/train/wav.scp,speech,kaldi_ark"
    assert options["--resume"] == ["true"]
    assert options["--output_dir"] == [EXP]
    assert "espnet2.bin.launch" not in call


def test_stage_11_launches_several_gpus_with_espnet(workspace: Workspace) -> None:
    _make_training_input(workspace)
    touch(workspace, "exp/ent_stats_raw_char/made_from.json")
    (call,) = run_stage(workspace, 11, "--ngpu", "2")
    launcher, command = call[: call.index("--")], call[call.index("--") + 1 :]
    assert launcher[:2] == ["-m", "espnet2.bin.launch"]
    assert options_of(launcher)["--ngpu"] == ["2"]
    assert command[:3] == ["python", "-m", "espnet_ent.bin.ent_train"]


def test_stage_12_decodes_each_set(workspace: Workspace) -> None:
    touch(workspace, f"{EXP}/config.yaml", "dump/raw/test/wav.scp", "dump/raw/org/dev/wav.scp")
    options = ["--test_sets", "test", "--eval_valid_set", "true", "--gpu_inference", "true"]
    calls = run_stage(workspace, 12, *options)
    assert [options_of(call)["--out"] for call in calls] == [[f"{DECODED}/dev"], [f"{DECODED}/test"]]
    assert options_of(calls[0])["--data"] == ["dump/raw/org/dev"]
    assert options_of(calls[0])["--device"] == ["cuda"]
    assert options_of(calls[0])["--config"] == ["conf/decode_greedy.yaml"]


def test_stage_12_decodes_the_development_set_likewise(workspace: Workspace) -> None:
    touch(workspace, f"{EXP}/config.yaml", *(f"dump/raw/{name}/wav.scp" for name in ("test", "dev", "dev_mix")))
    first, second = run_stage(workspace, 12, "--test_sets", "test", "--inference_args", "--smoothing median")
    assert options_of(second)["--data"] == ["dump/raw/dev"]
    assert options_of(second)["--out"] == [options_of(first)["--out"][0].removesuffix("test") + "dev"]
    differing = {"--data", "--out"}
    assert {k: v for k, v in options_of(first).items() if k not in differing} == {
        k: v for k, v in options_of(second).items() if k not in differing
    }
    *_, mixed = run_stage(workspace, 12, "--test_sets", "test", "--mixing", "true", "--ent_exp", EXP)
    assert options_of(mixed)["--data"] == ["dump/raw/dev_mix"]


_UNCALIBRATED = [["--calibrate", "false"], ["--use_emotion", "false"], ["--dev_is_test", "true"]]


@pytest.mark.parametrize("options", _UNCALIBRATED, ids=" ".join)
def test_without_calibration_the_development_set_is_left_alone(workspace: Workspace, options: list[str]) -> None:
    touch(workspace, f"{EXP}/config.yaml", "dump/raw/test/wav.scp", "dump/raw/train/utt2emo")
    touch(workspace, f"{DECODED}/test/utt2duration", f"{EXP}/calibration.json")
    run_stage(workspace, 12, "--test_sets", "test", *options)
    calls = run_stage(workspace, 13, "--test_sets", "test", *options)
    commands = [call[1].rpartition(".")[2] for call in calls]
    assert commands[:2] == ["ent_decode", "ent_score"]
    assert not [word for call in calls for word in call if "/dev" in word or word == "--calibration"]


@pytest.mark.parametrize(
    ("options", "fitted_on"),
    [([], "dev"), (["--eval_valid_set", "true"], "org/dev"), (["--mixing", "true", "--ent_exp", EXP], "dev_mix")],
)
def test_stage_13_fits_temperatures_on_the_development_set_alone(
    workspace: Workspace, options: list[str], fitted_on: str
) -> None:
    decoded = f"{DECODED}/{fitted_on.removeprefix('org/')}"
    touch(
        workspace,
        f"{DECODED}/test/utt2duration",
        f"{decoded}/utt2duration",
        "dump/raw/train/utt2emo",
        "data/train/utt2emo",
    )
    calls = run_stage(workspace, 13, "--test_sets", "test", *options)
    fitting, *scoring = [call for call in calls if call[1].endswith(("ent_calibrate", "ent_score"))]
    given = options_of(fitting)
    assert (given["--ref"], given["--hyp"]) == ([f"dump/raw/{fitted_on}"], [decoded])
    assert given["--out"] == [f"{DECODED}/calibration.json", f"{EXP}/calibration.json"]
    assert [options_of(call)["--calibration"] for call in scoring] == [[f"{DECODED}/calibration.json"]] * len(scoring)
    scored = [options_of(call)["--hyp"][0] for call in scoring]
    assert scored == [f"{DECODED}/{name}" for name in (["dev", "test"] if "--eval_valid_set" in options else ["test"])]


def test_a_trained_model_brings_its_temperatures_along(workspace: Workspace) -> None:
    touch(workspace, "exp/theirs/config.yaml", "dump/raw/test/wav.scp", "dump/raw/train/utt2emo")
    touch(workspace, "exp/theirs/decode_greedy_valid.loss.ave/test/utt2duration")
    options = ("--skip_train", "true", "--ent_exp", "exp/theirs", "--test_sets", "test", "--stage", "12")
    ended = workspace.run("mini", *options)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "confidence is not scored: exp/theirs/calibration.json is missing\n" in ended.stdout
    touch(workspace, "exp/theirs/calibration.json")
    ended = workspace.run("mini", *options)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "confidence is scored with exp/theirs/calibration.json\n" in ended.stdout
    calls = workspace.calls()
    commands = [call[1].rpartition(".")[2] for call in calls]
    assert commands.count("ent_decode") == commands.count("ent_score") == 2
    assert "ent_calibrate" not in commands
    last = calls[len(commands) - 1 - commands[::-1].index("ent_score")]
    assert options_of(last)["--calibration"] == ["exp/theirs/calibration.json"]


def test_stage_13_scores_and_reports_the_command(workspace: Workspace) -> None:
    touch(workspace, *(f"{DECODED}/{name}/utt2duration" for name in ("test", "zed", "dev")), "dump/raw/train/utt2emo")
    _, scoring, _, _, reporting = run_stage(workspace, 13, "--test_sets", "test zed", "--nj", "5")
    assert options_of(scoring)["--out"] == [f"{DECODED}/test/score"]
    assert options_of(reporting)["--exp"] == [EXP]
    command = reporting[reporting.index("--command") + 1]
    assert command.startswith("./run.sh --lang en ")
    assert command.endswith(r" --test_sets test\ zed")
    assert "--stage" not in command
    assert "--nj" not in command


@pytest.mark.parametrize(
    ("stage", "there", "missing", "rerun"),
    [
        (3, [], "data/train/wav.scp", 1),
        (4, [], "dump/raw/org/train/wav.scp", 3),
        (5, [], "dump/raw/train/text", 4),
        (5, ["dump/raw/train/text"], "data/emotion_list", 1),
        (10, [], "data/token_list/char/tokens.txt", 5),
        (11, ["TRAINING"], "exp/ent_stats_raw_char/made_from.json", 10),
        (12, [], f"{EXP}/config.yaml", 11),
        (12, [f"{EXP}/config.yaml"], "dump/raw/test/wav.scp", 3),
        (13, [], f"{DECODED}/test/utt2duration", 12),
        (
            13,
            [f"{DECODED}/{name}/utt2duration" for name in ("test", "zed_dev", "zed_test")],
            f"{DECODED}/dev/utt2duration",
            12,
        ),
    ],
)
def test_a_missing_input_names_the_stage_to_rerun(
    workspace: Workspace, stage: int, there: list[str], missing: str, rerun: int
) -> None:
    if "TRAINING" in there:
        _make_training_input(workspace)
    else:
        touch(workspace, *there)
    ended = workspace.run("mini", "--stage", str(stage))
    assert ended.returncode == 2
    assert ended.stderr == f"ent.sh: error: {missing} is missing; next: rerun stage {rerun} (--stage {rerun})\n"
    assert workspace.calls() == []


def test_stages_can_be_skipped(workspace: Workspace) -> None:
    skips = ["--skip_data_prep", "true", "--skip_train", "true", "--skip_stages", "12 13"]
    ended = workspace.run("mini", *skips)
    assert (ended.returncode, workspace.calls()) == (0, [])
    assert ended.stdout.count("\n") == 1


def test_log_lines_tell_time_and_place(workspace: Workspace) -> None:
    ended = workspace.run("mini", "--stage", "9", "--stop_stage", "9")
    for line in ended.stdout.splitlines():
        time, place, _ = line.split(" ", 2)
        assert len(time) == len("2026-01-01T00:00:00")
        assert place.startswith("(ent.sh:")


def test_a_failing_command_ends_the_recipe_with_its_status(workspace: Workspace) -> None:
    (workspace.root / "bin" / "python").write_text(
        '#!/bin/sh\n[ "$1" = -c ] && exit 0\necho "$2" >> "$CALLS"\nexit 2\n'
    )
    ended = workspace.run("mini", "--stop_stage", "3")
    assert ended.returncode == 2
    assert workspace.calls_file.read_text() == "espnet_ent.bin.ent_make_mini\n"


def test_a_bare_python_is_told_apart_from_a_defect(workspace: Workspace) -> None:
    (workspace.root / "bin" / "python").write_text("#!/bin/sh\nexit 1\n")
    ended = workspace.run("mini", "--stage", "9")
    assert ended.returncode == 2
    assert ended.stderr.startswith("ent.sh: error: python has not all packages that are needed; next: make env in ")


@pytest.mark.parametrize("corpus", ["iemocap", "zed"])
def test_a_corpus_without_a_path_is_one_line(workspace: Workspace, corpus: str) -> None:
    ended = workspace.run(corpus, "--stop_stage", "1")
    assert ended.returncode == 2
    assert ended.stderr.startswith("data.sh: error: IEMOCAP is not set; next: set it in db.sh")
    assert ended.stderr.count("\n") == 1
    assert workspace.calls() == []


def test_zed_is_needed_beside_iemocap(workspace: Workspace) -> None:
    ended = workspace.run("zed", "--stop_stage", "1", IEMOCAP="/corpora/iemocap")
    assert ended.returncode == 2
    assert ended.stderr.startswith("data.sh: error: ZED is not set; next: set it in db.sh")


def test_corpus_paths_may_hold_spaces(workspace: Workspace) -> None:
    ended = workspace.run("zed", "--stop_stage", "1", IEMOCAP="/my corpora/iemocap", ZED="/my corpora/zed")
    assert ended.returncode == 0
    roots = [options_of(call)["--root"] for call in workspace.calls() if call[1].endswith("ent_prepare")]
    assert roots == [["/my corpora/iemocap"], ["/my corpora/zed"]]


@pytest.mark.parametrize("stage", [5, 10, 11])
def test_training_is_not_told_where_the_test_sets_are(workspace: Workspace, stage: int) -> None:
    _make_training_input(workspace)
    touch(workspace, "exp/ent_stats_raw_char/made_from.json", "dump/raw/train/text")
    touch(workspace, "dump/raw/test/wav.scp", "dump/raw/zed_test/wav.scp")
    calls = run_stage(workspace, stage, "--local_data_opts", "", "--speed_perturb_factors", "")
    words = [word for call in calls for word in call]
    assert any("dump/raw/train" in word for word in words)
    assert not [word for word in words if "dump/raw/test" in word or "zed_test" in word]
