"""Jobs on this machine: logs, statuses, interruption."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from espnet_ent.jobs.array import Job, expand_jobs
from espnet_ent.jobs.execution import OnLine
from espnet_ent.jobs.local import LocalRunner
from espnet_ent.jobs.outcome import failure_lines, overall_status
from espnet_ent.jobs.result import STATUS_NOT_STARTED, JobResult
from espnet_ent.jobs.runner import RunOptions


def _python(log: Path, code: str) -> Job:
    return Job(log, (sys.executable, "-c", code))


def run_local(jobs: list[Job], max_jobs_run: int | None = None, on_line: OnLine | None = None) -> list[JobResult]:
    return LocalRunner(RunOptions(max_jobs_run)).run(jobs, on_line)


def _output(log: Path) -> list[str]:
    return [line for line in log.read_text().splitlines() if not line.startswith("#")]


def test_output_of_both_kinds_goes_to_the_log_with_command_and_status(tmp_path: Path) -> None:
    log = tmp_path / "new" / "log"
    code = "import sys; print('out', flush=True); print('err', file=sys.stderr); sys.exit(3)"
    assert run_local([_python(log, code)]) == [JobResult(_python(log, code), 3, ("out", "err"))]
    assert _output(log) == ["out", "err"]
    first, *_, last = log.read_text().splitlines()
    assert first.startswith(f"# {sys.executable} -c 'import sys")
    assert last.startswith("# Ended (code 3) at ")


def test_an_earlier_log_is_kept(tmp_path: Path) -> None:
    log = tmp_path / "log"
    run_local([_python(log, "print('first')")])
    run_local([_python(log, "print('second')")])
    assert _output(log) == ["first", "second"]


def test_all_jobs_run_and_results_are_in_order(tmp_path: Path) -> None:
    words = ["JOB=1:5", f"{tmp_path}/JOB.log", "sh", "-c", "echo JOB; exit $((JOB % 2))"]
    results = run_local(expand_jobs(words), max_jobs_run=2)
    assert [result.status for result in results] == [1, 0, 1, 0, 1]
    assert [result.last_lines for result in results] == [(str(number),) for number in range(1, 6)]


def test_jobs_run_side_by_side(tmp_path: Path) -> None:
    """Each job waits for a file that the other makes."""
    command = f"cd {tmp_path}; touch JOB; until [ -e $((1 - JOB)) ]; do :; done"
    words = ["JOB=0:1", f"{tmp_path}/JOB.log", "sh", "-c", command]
    assert [result.status for result in run_local(expand_jobs(words))] == [0, 0]


def test_no_more_jobs_than_allowed_run_at_a_time(tmp_path: Path) -> None:
    """mkdir fails if another job is inside."""
    command = f"mkdir {tmp_path}/inside && sleep 0.02 && rmdir {tmp_path}/inside"
    words = ["JOB=1:4", f"{tmp_path}/JOB.log", "sh", "-c", command]
    assert [result.status for result in run_local(expand_jobs(words), max_jobs_run=1)] == [0] * 4


def test_lines_are_seen_as_they_come(tmp_path: Path) -> None:
    """The job goes on only after its first line was seen."""
    seen: list[str] = []

    def see(_job: Job, line: str) -> None:
        seen.append(line)
        (tmp_path / "seen").touch()

    command = f"echo one; until [ -e {tmp_path}/seen ]; do :; done; echo two"
    run_local([Job(tmp_path / "log", ("sh", "-c", command))], on_line=see)
    assert seen == ["one", "two"]


def test_only_the_last_lines_are_kept_for_the_report(tmp_path: Path) -> None:
    (result,) = run_local([_python(tmp_path / "log", "print(*range(100), sep='\\n')")])
    assert result.last_lines == tuple(str(number) for number in range(80, 100))


def test_bytes_that_are_not_text_do_no_harm(tmp_path: Path) -> None:
    (result,) = run_local([Job(tmp_path / "log", ("printf", r"\377\n"))])
    assert result.status == 0
    assert _output(tmp_path / "log") == ["\N{REPLACEMENT CHARACTER}"]


def test_a_command_that_is_not_there_is_a_failed_job(tmp_path: Path) -> None:
    (result,) = run_local([Job(tmp_path / "log", ("no-such-command",))])
    assert result.status == STATUS_NOT_STARTED
    assert result.last_lines == ("no-such-command: No such file or directory",)


def test_a_signal_that_ends_a_job_is_its_status(tmp_path: Path) -> None:
    (result,) = run_local([Job(tmp_path / "log", ("sh", "-c", "kill -KILL $$"))])
    assert result.status == 128 + signal.SIGKILL


@pytest.mark.parametrize(("number", "ending"), [(signal.SIGTERM, SystemExit), (signal.SIGINT, KeyboardInterrupt)])
def test_a_signal_to_the_runner_stops_the_jobs(
    tmp_path: Path, number: signal.Signals, ending: type[BaseException]
) -> None:
    """The first of two jobs asks for it; the second is then never started."""
    seen: list[str] = []
    before = signal.getsignal(number)

    def see(_job: Job, line: str) -> None:
        seen.append(line)
        os.kill(os.getpid(), number)

    words = ["JOB=1:2", f"{tmp_path}/JOB.log", "sh", "-c", "echo JOB; exec sleep 60"]
    with pytest.raises(ending):
        run_local(expand_jobs(words), max_jobs_run=1, on_line=see)
    assert seen == ["1"]
    assert "# Ended (code 143)" in (tmp_path / "1.log").read_text()
    assert threading.active_count() < 10
    assert signal.getsignal(number) == before


def test_others_are_cancelled_on_request_and_the_status_is_that_of_the_failed_one(tmp_path: Path) -> None:
    """The first of two jobs at a time fails once the second runs; the third is never started."""
    code = f"touch {tmp_path}/on.JOB; until [ -e {tmp_path}/on.2 ]; do :; done; [ JOB = 1 ] && exit 7; exec sleep 60"
    jobs = expand_jobs(["JOB=1:3", f"{tmp_path}/JOB.log", "sh", "-c", code])
    results = LocalRunner(RunOptions(max_jobs_run=2, on_failure="cancel")).run(jobs)
    assert [(result.status, result.cancelled) for result in results] == [(7, False), (143, True), (127, True)]
    assert overall_status(results) == 7
    assert failure_lines(results)[-1] == "2 other jobs were cancelled"
