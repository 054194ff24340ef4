"""The mini recipe with the real commands, very small, in a folder whose name has a space."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from tests.encoders.tiny_ssl import save_tiny
from tests.recipes.workspace import Workspace, make_workspace

_SMALL = ("--local_data_opts", "--per_class 2 --zed_per_speaker 1", "--test_sets", "test zed_test")


def _digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    pytest.importorskip("espeakng_loader")
    return make_workspace(tmp_path_factory.mktemp("mini"), real=True)


def _prepare(workspace: Workspace, *options: str) -> subprocess.CompletedProcess[str]:
    ended = workspace.run("mini", "--stop_stage", "5", *_SMALL, *options)
    assert ended.returncode == 0, ended.stderr
    return ended


def test_stages_1_to_5_make_what_training_needs_and_change_nothing_when_rerun(workspace: Workspace) -> None:
    _prepare(workspace)
    recipe = workspace.recipe("mini")
    made = [_digests(recipe / folder) for folder in ("data", "dump", "downloads")]
    dumped = {path.name for path in (recipe / "dump/raw").iterdir() if not path.name.endswith("_mix")}
    assert dumped == {"org", "train", "dev", "test", "zed_test"}
    assert (recipe / "data/token_list/char/tokens.txt").read_text().startswith("<blank>\n<unk>\n")
    again = _prepare(workspace, "--nj", "1")
    assert "dump/raw/org/train: is there already" in again.stdout
    assert [_digests(recipe / folder) for folder in ("data", "dump", "downloads")] == made


def test_stages_10_to_13_train_decode_and_score_and_change_nothing_when_rerun(workspace: Workspace) -> None:
    _prepare(workspace)
    options = ("--stage", "10", "--test_sets", "zed_test", "--ent_tag", "tiny")
    tiny = ("--ent_args", "--max_epoch 1 --encoder_conf num_blocks=1")
    exp = workspace.recipe("mini") / "exp"
    first = workspace.run("mini", *options, *tiny)
    assert first.returncode == 0, first.stderr
    assert "tiny: epoch 1/1: " in first.stdout  # progress on the terminal, everything else in the log
    assert "# Ended (code 0)" not in first.stdout
    assert "# Ended (code 0)" in (exp / "ent_tiny/train.log").read_text()
    assert (exp / "ent_tiny/decode_greedy_valid.loss.ave/zed_test/score/results.json").is_file()
    results = json.loads((exp / "ent_tiny/decode_greedy_valid.loss.ave/zed_test/score/results.json").read_text())
    words = (workspace.recipe("mini") / "dump/raw/zed_test/word_times").read_text().splitlines()
    assert results["words_left_out"] is None
    assert results["words"]["num_reference"] == len(words)
    assert results["boundaries"]["num_reference"] > 0
    report = (exp / "ent_tiny/RESULTS.md").read_text()
    assert "| ent_tiny" in report
    assert "Set zed_test" in report
    assert "Set dev" not in report  # temperatures are fitted on it; it is not scored
    decoded = exp / "ent_tiny/decode_greedy_valid.loss.ave"
    assert (decoded / "calibration.json").read_bytes() == (exp / "ent_tiny/calibration.json").read_bytes()
    assert not (decoded / "dev/score").exists()
    assert "(decode_greedy_valid.loss.ave/zed_test/score/reliability.png)" in report
    assert (decoded / "zed_test/score/reliability.png").read_bytes().startswith(b"\x89PNG")
    made = {name: digest for name, digest in _digests(exp).items() if not name.endswith(".log")}
    again = workspace.run("mini", *options, *tiny)
    assert again.returncode == 0, again.stderr
    assert {name: digest for name, digest in _digests(exp).items() if not name.endswith(".log")} == made
    # The trained model packed, its upload tried, and the pack decoding as stage 12 did.
    packing = ("--stage", "14", "--stop_stage", "16", *options[2:])
    packed = workspace.run("mini", *packing, *tiny)
    assert packed.returncode == 0, packed.stderr
    assert "exp/ent_tiny/ent_tiny_valid.loss.ave.zip: packed" in packed.stdout
    assert "dry run (no --hf_repo): 14 files" in packed.stdout
    assert "ent_tiny_valid.loss.ave.zip: decodes dump/raw/zed_test as " in packed.stdout
    assert {name: made[name] for name in made} == {name: _digests(exp)[name] for name in made}


def test_a_cached_pretrained_encoder_goes_through_stages_9_to_13(workspace: Workspace, tmp_path: Path) -> None:
    _prepare(workspace)
    model = save_tiny(tmp_path / "model", "wavlm-base")
    exp = workspace.recipe("mini") / "exp/ent_wavlm"
    options = ("--stage", "9", "--test_sets", "zed_test", "--ent_tag", "wavlm", "--ent_stats_dir", "exp/stats_wavlm")
    config = ("--ent_config", "conf/tuning/train_fent_wavlm_base.yaml")
    sizes = " ".join(f"--transducer_conf {name}_size=16" for name in ("embedding", "hidden", "prediction", "joint"))
    arguments = f"--max_epoch 1 --encoder_conf model={model} {sizes}"
    ended = workspace.run("mini", *options, *config, "--ent_args", arguments, "--feature_cache", "true")
    assert ended.returncode == 0, ended.stderr
    assert " take about " in ended.stdout
    assert "states.scp,states,feature_cache" in (exp / "train.log").read_text()
    assert "Traceback" not in (exp / "train.log").read_text()
    assert not list(exp.parent.glob("stats_wavlm/*/feats_stats.npz"))
    assert (exp / "decode_greedy_valid.loss.ave/zed_test/score/results.json").is_file()
    assert (exp / "1epoch.pth").stat().st_size < 20e6
    assert "weights_sha256: " in (exp / "config.yaml").read_text()


def test_a_faulty_corpus_stops_stage_1_with_one_line(workspace: Workspace) -> None:
    """The same readers and checks as for the licensed corpora."""
    root = workspace.recipe("mini") / "downloads/mini/IEMOCAP_mini"
    if not root.exists():
        _prepare(workspace)
    (transcripts, *_) = sorted(root.glob("Session1/dialog/transcriptions/*.txt"))
    content = transcripts.read_text()
    transcripts.unlink()
    try:
        ended = workspace.run("iemocap", "--stop_stage", "1", IEMOCAP=str(root))
    finally:
        transcripts.write_text(content)
    assert ended.returncode == 2
    assert ended.stderr.startswith("ent_prepare: error: ")
    assert ended.stderr.count("\n") == 1
    assert transcripts.stem in ended.stderr


@pytest.mark.parametrize("path", ["/no/such/corpus", "/dev"])
def test_a_wrong_corpus_path_is_one_line(workspace: Workspace, path: str) -> None:
    ended = workspace.run("iemocap", "--stop_stage", "1", IEMOCAP=path)
    assert ended.returncode == 2
    assert ended.stderr.startswith("ent_prepare: error: ")
    assert ended.stderr.count("\n") == 1
    assert path in ended.stderr


def test_mixing_trains_on_intervals_and_leaves_the_test_sets_alone(workspace: Workspace) -> None:
    options = ("--mixing", "true", "--mixing_args", "--patterns neu_emo=1 emo=1 neu=0.5", *_SMALL)
    tiny = ("--ent_tag", "mixed", "--ent_args", "--max_epoch 1 --encoder_conf num_blocks=1")
    ended = workspace.run("mini", *options, *tiny)
    assert ended.returncode == 0, ended.stderr
    recipe = workspace.recipe("mini")
    lines = (recipe / "dump/raw/train_mix/utt2emo_segments").read_text().splitlines()
    assert {len(line.split()) for line in lines} == {2, 4}  # "none" of neutral recordings alone, and one segment
    config = (recipe / "exp/ent_mixed/config.yaml").read_text()
    for phase in ("train", "dev"):
        for name in ("utt2emo_segments", "utt2emo_words"):
            assert f"dump/raw/{phase}_mix/{name}" in config
    decoded = recipe / "exp/ent_mixed/decode_greedy_valid.loss.ave"
    assert (decoded / "zed_test/score/results.json").is_file()
    fitted = json.loads((decoded / "calibration.json").read_text())
    assert fitted["fitted_on"] == "dev_mix"
    assert fitted["frame_temperature"] > 0  # mixing tells where emotions begin and end
    assert not (recipe / "dump/raw/test/utt2emo_segments").exists()
