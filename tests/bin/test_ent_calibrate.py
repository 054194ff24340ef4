"""The command that fits temperatures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from espnet_ent.bin.ent_calibrate import main
from espnet_ent.metrics.calibration import Calibration
from espnet_ent.metrics.confidence import fit_directories
from tests.bin.heavy_modules import heavy_modules
from tests.metrics.confident_pair import write_confident_pair


def _options(root: Path) -> list[str]:
    reference, hypothesis = write_confident_pair(root, "dev")
    return ["--ref", str(reference), "--hyp", str(hypothesis), "--out", str(root / "a.json"), str(root / "b.json")]


def test_command_equals_function_and_a_second_run_leaves_the_files_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = _options(tmp_path)
    main(options)
    fitted = fit_directories(options[1], options[3])
    assert Path(options[5]).read_text() == Path(options[6]).read_text() == fitted.to_json()
    told = f"{fitted.utterance_temperature:.3f} for 4 utterances, {fitted.frame_temperature:.3f} for 62 frames"
    assert capsys.readouterr().out == f"{options[5]}: temperatures of dev: {told}\n"
    before = [Path(path).stat().st_ino for path in options[5:]]
    main(options)
    assert [Path(path).stat().st_ino for path in options[5:]] == before
    assert capsys.readouterr().out.endswith("(unchanged)\n")


def test_a_model_without_emotions_has_no_temperatures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = _options(tmp_path)
    for name in ("utt2emo", "utt2emo_posteriors", "emo_segments", "frame_posteriors.scp"):
        Path(options[3], name).unlink()
    main(options)
    assert "temperatures of dev: none" in capsys.readouterr().out
    fitted = Calibration.read(options[5])
    assert fitted.utterance_temperature is fitted.frame_temperature is None


def test_fitting_does_without_torch(tmp_path: Path) -> None:
    assert heavy_modules("espnet_ent.bin.ent_calibrate", *_options(tmp_path)) == []


def test_a_user_error_is_one_line_and_status_2(tmp_path: Path) -> None:
    options = _options(tmp_path)
    Path(options[3], "utt2emo_posteriors").write_text("a1 1 0\n")
    command = [sys.executable, "-m", "espnet_ent.bin.ent_calibrate", *options]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert ended.stderr.startswith("ent_calibrate: error: ")
    assert not Path(options[5]).exists()
