"""The reliability diagram: what it draws, and that it stays as it is."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from espnet_ent.metrics.reliability import Reliability
from espnet_ent.report.reliability_diagram import _draw, write_reliability_diagram
from tests.report.sample import write_confident_results


@pytest.fixture
def results(tmp_path: Path) -> dict[str, Any]:
    return write_confident_results(tmp_path / "work")


def test_a_row_for_utterances_and_one_for_frames(tmp_path: Path, results: dict[str, Any]) -> None:
    both, alone = tmp_path / "both.png", tmp_path / "alone.png"
    assert write_reliability_diagram(both, results)
    without = copy.deepcopy(results)
    without["calibration"]["frames"] = None
    write_reliability_diagram(alone, without)
    (height, width, _), (half, same, _) = imread(both).shape, imread(alone).shape
    assert (half * 2, same) == (height, width)
    without["calibration"]["utterances"].update(temperature=None, after=None)
    write_reliability_diagram(alone, without)
    assert imread(alone).shape[:2] == (half, width // 2)


def test_what_has_no_temperature_leaves_its_place_empty(tmp_path: Path, results: dict[str, Any]) -> None:
    results["calibration"]["frames"].update(temperature=None, after=None)
    write_reliability_diagram(tmp_path / "a.png", results)
    pixels = imread(tmp_path / "a.png")[..., :3]
    height, width, _ = pixels.shape
    right = pixels[int(0.55 * height) :, int(0.55 * width) :]
    left = pixels[int(0.55 * height) :, : int(0.45 * width)]
    assert (right < 0.95).any(axis=2).mean() < 0.1 < (left < 0.95).any(axis=2).mean()


def test_bars_are_accuracy_and_gap_and_count() -> None:
    axes = Figure().subplots(2, 1)
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.45, 0.55]])
    _draw(axes, Reliability.measure(probabilities, np.array([0, 1, 1])), "raw")
    above, below = axes
    lower, too_sure, unsure = above.containers
    assert [bar.get_height() for bar in lower] == pytest.approx([0.55, 0.5])
    assert [bar.get_height() for bar in too_sure] == pytest.approx([0.0, 0.4])
    assert [bar.get_height() for bar in unsure] == pytest.approx([0.45, 0.0])
    assert [bar.get_height() for bar in below.containers[0]] == [1, 2]
    assert [text.get_text() for text in below.texts] == ["1", "2"]


def test_the_same_scores_leave_the_file_alone(tmp_path: Path, results: dict[str, Any]) -> None:
    path = tmp_path / "reliability.png"
    write_reliability_diagram(path, results)
    before = path.stat()
    assert not write_reliability_diagram(path, results)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    results["calibration"]["utterances"]["after"]["bins"]["accuracy"][-1] = 0.25
    results["calibration"]["utterances"]["after"]["bins"]["confidence"][-1] = 0.95
    results["calibration"]["utterances"]["after"]["bins"]["count"][-1] = 7
    assert write_reliability_diagram(path, results)


def test_without_confidence_there_is_no_picture(tmp_path: Path, results: dict[str, Any]) -> None:
    path = tmp_path / "reliability.png"
    write_reliability_diagram(path, results)
    assert write_reliability_diagram(path, {**results, "calibration": None})
    assert not path.exists()
    assert not write_reliability_diagram(path, {**results, "calibration": None})


def test_drawing_needs_no_display(tmp_path: Path, results: dict[str, Any]) -> None:
    """pyplot would choose a backend by the machine, and keep every figure."""
    (tmp_path / "results.json").write_text(json.dumps(results))
    script = (
        "import json, sys; from espnet_ent.report.reliability_diagram import write_reliability_diagram as write; "
        "print(write(sys.argv[1], json.load(open(sys.argv[2]))), 'matplotlib.pyplot' in sys.modules)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "a.png"), str(tmp_path / "results.json")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "True False\n"
