"""What is told of failed jobs."""

from __future__ import annotations

from pathlib import Path

import pytest

from espnet_ent.jobs.array import Job
from espnet_ent.jobs.outcome import failure_lines, overall_status
from espnet_ent.jobs.result import JobResult


def _result(status: int, *last_lines: str, index: int | None = None) -> JobResult:
    return JobResult(Job(Path("x.log"), ("x",), index), status, last_lines)


@pytest.mark.parametrize(("statuses", "overall"), [([0, 0], 0), ([0, 3], 3), ([3, 3], 3), ([2, 3], 1), ([137], 137)])
def test_overall_status(statuses: list[int], overall: int) -> None:
    assert overall_status([_result(status) for status in statuses]) == overall


def test_success_says_nothing() -> None:
    assert failure_lines([_result(0, "done")]) == []


def test_an_explained_error_is_its_line_alone() -> None:
    explained = "ent_train: error: a.yaml: unknown option 'x'"
    assert failure_lines([_result(2, "noise", explained)]) == [explained]
    assert failure_lines([_result(2, explained, index=4)]) == [f"job 4: {explained}"]


def test_any_other_failure_shows_the_end_of_the_log() -> None:
    lines = failure_lines([_result(0, index=1), _result(1, "Traceback", "ValueError", index=2)])
    assert lines == ["job 2 of the array failed with status 1; the end of x.log:", "    Traceback", "    ValueError"]


def test_status_2_without_an_explanation_is_not_hidden() -> None:
    assert failure_lines([_result(2, "usage: x", "x: bad")])[0].startswith("job failed with status 2")
