"""What ``[JOB=1:n] log command ...`` stands for."""

from __future__ import annotations

from pathlib import Path

import pytest

from espnet_ent.errors import ConfigError
from espnet_ent.jobs.array import Job, expand_jobs


def test_without_an_array_nothing_is_replaced() -> None:
    assert expand_jobs(["JOB.log", "echo", "JOB", "--x", "1"]) == [Job(Path("JOB.log"), ("echo", "JOB", "--x", "1"))]


def test_an_array_replaces_its_name_everywhere() -> None:
    jobs = expand_jobs(["JOB=2:3", "log/x.JOB.log", "cp", "a.JOB", "JOB/JOB"])
    assert jobs == [
        Job(Path("log/x.2.log"), ("cp", "a.2", "2/2"), 2),
        Job(Path("log/x.3.log"), ("cp", "a.3", "3/3"), 3),
    ]


def test_the_name_is_free_and_one_job_needs_no_number_in_its_log() -> None:
    assert expand_jobs(["N=4", "log", "echo", "N"]) == [Job(Path("log"), ("echo", "4"), 4)]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "no log file or no command; expected .JOB=1:n. log command ...; got nothing"),
        (["log"], "no log file or no command"),
        (["JOB=1:2", "log.JOB"], "no log file or no command"),
        (["JOB=2:1", "log.JOB", "true"], "the array of jobs is empty; expected JOB=1:n; got JOB=2:1"),
        (["JOB=1:2", "log", "true"], "log: all jobs of an array would share a log; expected JOB in its name"),
    ],
)
def test_what_is_missing_is_said(words: list[str], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        expand_jobs(words)
