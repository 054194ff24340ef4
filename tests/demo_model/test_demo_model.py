"""What README promises of the demo's model, by the commands that it names."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from praatio import textgrid

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "egs2/mini_ent/ent1"
MODEL = RECIPE / "exp/ent_train_ent_mini_raw_char"
_BIN = Path(sys.executable).parent


def _run(*command: object, cwd: Path) -> str:
    """What a command prints; it must succeed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{_BIN}{os.pathsep}{os.environ['PATH']}"}
    ended = subprocess.run([str(word) for word in command], cwd=cwd, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-2000:]
    return ended.stdout


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of the synthetic test set, in a folder of its own."""
    sources = sorted((RECIPE / "downloads/mini/ZED_mini_test").rglob("*.wav"))
    folder = tmp_path_factory.mktemp("own")
    return Path(shutil.copy(sources[0], folder / "speech.wav"))


@pytest.fixture(scope="module")
def transcribed(recording: Path) -> Path:
    formats = "txt,json,rttm,textgrid,srt,html"
    _run(_BIN / "ent-transcribe", "--model", MODEL, recording, "--format", formats, cwd=recording.parent)
    return recording.parent


def test_one_command_gives_a_textgrid_and_a_page_of_a_recording(transcribed: Path) -> None:
    told = json.loads((transcribed / "speech.json").read_text())
    assert told["text"] == (transcribed / "speech.txt").read_text().strip() != ""
    grid = textgrid.openTextgrid(str(transcribed / "speech.TextGrid"), includeEmptyIntervals=False)
    words = [entry.label for tier in grid.tiers if tier.name == "words" for entry in tier.entries]
    assert words == told["text"].split()
    assert abs(grid.maxTimestamp - told["duration"]) < 1e-3
    page = (transcribed / "speech.html").read_text()
    assert "data:audio/mpeg;base64," in page
    assert not re.search(r"""(src|href)=["']https?:""", page)


def test_one_command_gives_a_report_of_the_run(tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    print(_run(_BIN / "ent-report", "--exp", MODEL, "--lattices", 2, "--details", 20, "--out", out, cwd=RECIPE))
    assert out.stat().st_size > 100_000


def test_the_model_is_packed_and_the_pack_decodes_to_the_same_bytes(recording: Path) -> None:
    told = _run("./run.sh", "--stage", 14, "--stop_stage", 16, "--test_sets", "zed_dev", cwd=RECIPE)
    print(told)
    (pack,) = MODEL.glob("*.zip")
    from espnet_ent import EmotionTranscriber

    first, second = (EmotionTranscriber.from_pretrained(source)(str(recording)) for source in (MODEL, pack))
    assert first.text == second.text
    assert np.array_equal(first.frame_posteriors, second.frame_posteriors)


def test_loading_takes_how_long() -> None:
    """Told, not asserted: the time depends on the machine."""
    code = (
        "import time; begin = time.perf_counter()\n"
        "from espnet_ent import EmotionTranscriber\n"
        f"EmotionTranscriber.from_pretrained({str(MODEL)!r})\n"
        "print(f'imported and loaded in {time.perf_counter() - begin:.2f} s')"
    )
    told = _run(sys.executable, "-c", code, cwd=ROOT)
    print(told)
    assert "imported and loaded" in told
