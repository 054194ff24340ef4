"""Options of ent.sh: ESPnet's habits are kept, and what is wrong ends in one line and status 2."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.recipes.workspace import ROOT, Workspace, make_workspace

_NOTHING = ("--stage", "20", "--stop_stage", "20")
_KEPT = """
stage stop_stage skip_stages skip_data_prep skip_train skip_eval skip_packing skip_upload_hf ngpu num_nodes nj
inference_nj gpu_inference dumpdir expdir python local_data_opts speed_perturb_factors fs min_wav_duration
max_wav_duration train_set valid_set test_sets token_type nbpe ent_config ent_args ent_tag ent_exp pretrained_model
ignore_init_mismatch inference_config inference_args inference_tag inference_ent_model download_model hf_repo
audio_format feats_type feats_normalize bpemode bpe_train_text bpe_nlsyms nlsyms_txt cleaner lang use_lm lm_config
lm_args lm_exp lm_tag inference_lm ent_stats_dir eval_valid_set score_opts local_score_opts ent_speech_fold_length
ent_text_fold_length
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_workspace(tmp_path_factory.mktemp("options"))


def _defaults() -> dict[str, str]:
    """Options of ent.sh and their defaults."""
    text = (ROOT / "egs2/TEMPLATE/ent1/ent.sh").read_text().partition(". utils/parse_options.sh")[0]
    found = re.findall(r"^([a-z]\w*)=([^(\n]*)$", text, flags=re.MULTILINE)
    return {name: value.strip('"') for name, value in found if name != "help_message"}


def _dropped() -> dict[str, str]:
    lines = (ROOT / "egs2/TEMPLATE/ent1/utils/dropped_options.txt").read_text().splitlines()
    return {name: advice for name, _, advice in (line.partition(" ") for line in lines)}


def test_habitual_options_keep_their_names(workspace: Workspace) -> None:
    options = [word for name in _KEPT.split() for word in (f"--{name}", _defaults()[name])]
    ended = workspace.run("mini", *options, *_NOTHING)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--asr_config", "a"], "option --asr_config is not supported; use --ent_config"),
        (["--use_ngram", "true"], "option --use_ngram is not supported; leave it out: there are no n-gram models"),
        (["--ent_confg", "a"], "unknown option --ent_confg; did you mean --ent_config? see --help"),
        (["--quux", "a"], "unknown option --quux; see --help"),
        (["--train_cmd", "a"], "unknown option --train_cmd; did you mean --train_set? see --help"),
        (["--help_message", "a"], "unknown option --help_message; see --help"),
        (["--PATH", "a"], "unknown option --PATH; see --help"),
        (["--no_proxy", "a"], "unknown option --no_proxy; see --help"),
        (["--", "a"], "unknown option --; see --help"),
        (["--stage=3"], "write options as --name value; got '--stage=3'"),
        (["stage", "3"], "unexpected argument 'stage'; options are written as --name value"),
        (["--stage"], "option --stage needs a value"),
        (["--stage", "x"], "option --stage: expected a whole number, got 'x'"),
        (["--nj", "1.5"], "option --nj: expected a whole number, got '1.5'"),
        (["--ngpu", "-1"], "option --ngpu: expected a whole number, got '-1'"),
        (["--min_wav_duration", "x"], "option --min_wav_duration: expected a number, got 'x'"),
        (["--skip_train", "yes"], "option --skip_train: expected true or false, got 'yes'"),
        (["--fs", "16q"], "option --fs: expected hertz such as 16000 or 16k, got '16q'"),
        (["--token_type", "phn"], "--token_type: expected char or bpe, got phn"),
        (["--feats_type", "fbank_pitch"], "--feats_type fbank_pitch: only raw is supported"),
        (["--feats_normalize", "x"], "--feats_normalize: expected global_mvn, utterance_mvn or none, got x"),
        (["--cleaner", "tacotron"], "--cleaner tacotron: text is normalised in data preparation; leave it none"),
        (
            ["--use_lm", "true", "--lm_init_predictor", "true"],
            "--use_lm and --lm_init_predictor: one of them can be true",
        ),
        (["--pack_encoder", "yes"], "--pack_encoder: expected auto, true or false, got yes"),
        (["--hf_repo", "name"], "--hf_repo: expected user/name, got name"),
        (
            ["--hf_repo", "a/b", "--seeds", "1 2", "--stop_stage", "15"],
            "--hf_repo is a place for one run; upload each fold and seed by itself",
        ),
        (
            ["--protocol", "paper", "--stop_stage", "14"],
            "--protocol paper decodes every epoch, and packs none; use --stop_stage 13",
        ),
        (["--download_model", "a/b", "--ent_exp", "c"], "--download_model and --ent_exp: give one of them"),
        (["--download_model", "a/b", "--folds", "1 2"], "--download_model is one run; leave out --folds and --seeds"),
        (["--nj", "0"], "option --nj: expected 1 or more, got 0"),
        (["--stage", "5", "--stop_stage", "3"], "--stage 5 comes after --stop_stage 3: nothing to run"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_wrong_is_one_line_before_anything_runs(
    workspace: Workspace, options: list[str], complaint: str
) -> None:
    ended = workspace.run("mini", *options, no_proxy="a")
    assert ended.stderr == f"ent.sh: error: {complaint}\n"
    assert ended.returncode == 2
    assert (ended.stdout, workspace.calls()) == ("", [])


def test_a_second_value_is_checked_against_the_default_and_wins(workspace: Workspace) -> None:
    given = ["--ent_tag", "5", "--ent_tag", "five", "--fs", "16000", "--audio-format", "wav"]
    assert workspace.run("mini", *given, *_NOTHING).returncode == 0


def test_dropped_options_have_advice_and_are_not_options() -> None:
    dropped, options = _dropped(), _defaults()
    assert list(dropped) == sorted(dropped)
    assert not dropped.keys() & options.keys()
    for advice in dropped.values():
        assert advice
        assert set(re.findall(r"--(\w+)", advice)) <= options.keys()


def test_help_names_only_options_that_there_are(workspace: Workspace) -> None:
    ended = workspace.run("mini", "--help")
    assert ended.returncode == 0
    named = set(re.findall(r"--(\w+)", ended.stdout)) - {"option"}
    assert {"stage", "ent_config", "test_sets"} <= named
    assert named <= _defaults().keys()


@pytest.mark.parametrize("recipe", ["mini", "iemocap", "msp_improv", "zed", "cross_corpus", "custom"])
def test_options_of_a_run_script_are_those_of_the_template(recipe: str) -> None:
    text = Path(ROOT, "egs2", f"{recipe}_ent", "ent1", "run.sh").read_text()
    assert set(re.findall(r"^    --(\w+)", text, flags=re.MULTILINE)) <= _defaults().keys()
