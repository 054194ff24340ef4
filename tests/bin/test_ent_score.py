"""The scoring command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from espnet_ent.bin.ent_score import main
from espnet_ent.metrics.confidence import fit_directories
from espnet_ent.metrics.scoring import score_directories, to_json
from tests.bin.heavy_modules import heavy_modules
from tests.metrics.confident_pair import write_confident_pair
from tests.metrics.oracles import write_scored_pair


def _options(root: Path) -> list[str]:
    reference, hypothesis = write_scored_pair(root)
    lists = ["--emotion_list", str(root / "emotion_list"), "--train_utt2emo", str(root / "train_utt2emo")]
    return ["--ref", str(reference), "--hyp", str(hypothesis), *lists, "--out", str(hypothesis / "score")]


def test_command_equals_function(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = _options(tmp_path)
    main([*options, "--inference_ent_model", "valid.loss.ave.pth"])
    expected = score_directories(options[1], options[3], options[5], options[7], checkpoint="valid.loss.ave.pth")
    assert Path(options[9], "results.json").read_text() == to_json(expected)
    assert capsys.readouterr().out.startswith("test: 4 utterances of 2 speakers")


def test_a_second_run_leaves_the_file_alone(tmp_path: Path) -> None:
    options = _options(tmp_path)
    path = Path(options[9], "results.json")
    main(options)
    before = path.stat()
    main(options)
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


def test_scoring_and_help_do_without_torch(tmp_path: Path) -> None:
    assert heavy_modules("espnet_ent.bin.ent_score", *_options(tmp_path)) == []
    assert heavy_modules("espnet_ent.bin.ent_score", "--help") == []


def test_confidence_is_scored_and_drawn_and_a_second_run_changes_nothing(tmp_path: Path) -> None:
    reference, hypothesis = write_confident_pair(tmp_path)
    calibration = tmp_path / "calibration.json"
    fit_directories(reference, hypothesis).write(calibration)
    options = _options(tmp_path)
    write_confident_pair(tmp_path)
    main([*options, "--calibration", str(calibration)])
    score = Path(options[9])
    expected = score_directories(options[1], options[3], options[5], options[7], calibration=calibration)
    assert (score / "results.json").read_text() == to_json(expected)
    assert expected["calibration"]["frames"]["after"] is not None
    before = {path: path.stat().st_ino for path in score.iterdir()}
    assert score / "reliability.png" in before
    main([*options, "--calibration", str(calibration)])
    assert {path: path.stat().st_ino for path in score.iterdir()} == before
    main(options)
    assert not (score / "reliability.png").exists()


def test_a_user_error_is_one_line_and_status_2(tmp_path: Path) -> None:
    options = _options(tmp_path)
    Path(options[3], "utt2emo").write_text("a1 neu\n")
    command = [sys.executable, "-m", "espnet_ent.bin.ent_score", *options]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.startswith("ent_score: error: ")
    assert "3 missing (a2 b1 b2)" in ended.stderr
    assert not Path(options[9]).exists()
