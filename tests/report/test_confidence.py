"""The table of confidence in RESULTS.md."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from espnet_ent.metrics.confidence import NOT_ASKED
from espnet_ent.metrics.scoring import to_json
from espnet_ent.report.confidence import confidence_blocks
from espnet_ent.report.document import render_markdown
from espnet_ent.report.experiment import Experiment, ScoredResults, read_experiment
from espnet_ent.report.results_md import write_results_md
from tests.metrics.oracles import write_lines
from tests.report.sample import write_confident_results, write_experiments


@pytest.fixture
def results(tmp_path: Path) -> dict[str, Any]:
    return write_confident_results(tmp_path / "work")


def _text(*results: dict[str, Any], picture: Path | None = None, beside: Path | None = None) -> str:
    scored = tuple(ScoredResults("greedy", one["set"], one, picture) for one in results)
    return render_markdown(confidence_blocks([Experiment("ent", None, None, None, scored)], beside))


def test_rows_tell_before_and_after(results: dict[str, Any]) -> None:
    text = _text(results)
    (row,) = [line for line in text.splitlines() if line.startswith("| test, ent: utterances ")]
    samples = results["calibration"]["utterances"]
    cells = [cell.strip() for cell in row.strip("|").split("|")][1:]
    assert cells[:3] == ["4", "2.000", f"45.00 -> {100 * samples['after']['ece']:.2f}"]
    assert cells[3] == f"{samples['before']['nll']:.3f} -> {samples['after']['nll']:.3f}"
    assert "| test, ent: frames " in text
    assert "Fitted on: dev." in text
    assert "NLL (in nats)" in text


def test_a_set_that_was_fitted_on_is_no_test(tmp_path: Path) -> None:
    text = _text(write_confident_results(tmp_path, "dev"))
    assert "Fitted on: dev (which says nothing of new data where it is scored itself)." in text


def test_what_is_left_out_has_its_reason(results: dict[str, Any]) -> None:
    changed = copy.deepcopy(results)
    changed["calibration"]["utterances"].update(temperature=None, after=None)
    changed["calibration"].update(frames=None, frames_left_out="the reference has no emo_segments")
    other = {**results, "set": "zed", "calibration": None, "calibration_left_out": "the temperatures are those of x"}
    text = _text(changed, other)
    assert "test: no confidence of frames is scored: the reference has no emo_segments." in text
    assert "No temperature of utterances: set dev tells no emotion of utterances." in text
    assert "zed, ent: no confidence is scored: the temperatures are those of x." in text
    (row,) = [line for line in text.splitlines() if line.startswith("| test, ent: utterances ")]
    assert "->" not in row


def test_nobody_who_did_not_ask_is_told(results: dict[str, Any]) -> None:
    silent = {**results, "calibration": None, "calibration_left_out": NOT_ASKED}
    earlier = {name: value for name, value in results.items() if not name.startswith("calibration")}
    assert list(confidence_blocks([Experiment("e", None, None, None, (ScoredResults("g", "t", silent),))])) == []
    assert list(confidence_blocks([Experiment("e", None, None, None, (ScoredResults("g", "t", earlier),))])) == []


def test_diagrams_are_linked_from_where_the_report_lies(tmp_path: Path, results: dict[str, Any]) -> None:
    picture = tmp_path / "exp" / "my tag" / "test" / "reliability.png"
    assert "[test, ent](exp/my%20tag/test/reliability.png)" in _text(results, picture=picture, beside=tmp_path)
    assert "[test, ent](../exp/my%20tag" in _text(results, picture=picture, beside=tmp_path / "docs")
    assert "reliability.png" not in _text(results, picture=picture)


def test_the_report_links_the_pictures_that_there_are(tmp_path: Path, results: dict[str, Any]) -> None:
    ent, _ = write_experiments(tmp_path)
    score = ent / "decode_greedy" / "test" / "score"
    (score / "results.json").write_text(to_json(results))
    write_results_md(ent / "RESULTS.md", [read_experiment(ent)])
    text = (ent / "RESULTS.md").read_text()
    assert "## Confidence" in text
    assert "reliability.png" not in text
    write_lines(score / "reliability.png")
    write_results_md(ent / "RESULTS.md", [read_experiment(ent)])
    assert "[test, ent](decode_greedy/test/score/reliability.png)" in (ent / "RESULTS.md").read_text()
