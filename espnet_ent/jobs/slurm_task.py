"""One job of Slurm: whether it has ended, and how."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from espnet_ent.jobs.array import Job
from espnet_ent.jobs.result import LAST_LINES, JobResult, status_of_signal

if TYPE_CHECKING:
    from submitit.slurm.slurm import SlurmJob

_STATUS_OF_STATE = {"CANCELLED": 143, "OUT_OF_MEMORY": 137, "PREEMPTED": 143, "TIMEOUT": 143}
_FAILURE = 1
_TELLS_NOTHING = ("COMPLETED", "FAILED", "GONE", "RUNNING", "COMPLETING", "UNKNOWN")
_STILL_ENDING = ("RUNNING", "COMPLETING")
_GRACE_SECONDS = 15.0  # a network file system may show files late


class SlurmTask:
    """A job that was submitted.

    Args:
        job: What it runs.
        task: submitit's handle.
    """

    def __init__(self, job: Job, task: SlurmJob) -> None:
        self.job, self._task = job, task
        self._log_size = job.log.stat().st_size if job.log.exists() else 0
        self._first_seen_ended: float | None = None

    @property
    def array_id(self) -> str:
        """Slurm's number of the array."""
        return self._task.job_id.partition("_")[0]

    def result(self, at_once: bool = False) -> JobResult | None:
        """How the job ended; None as long as it runs.

        A job that Slurm has ended before it could tell its status gets one by its state: 137 or 143, as if by the
        signal, or 1.

        Args:
            at_once: Ask Slurm now, and wait for nothing that may still come to light.
        """
        if not self._task.done(force_check=at_once):
            self._first_seen_ended = None
            return None
        has_result = self._task.paths.result_pickle.exists()
        result = self._told() if has_result else self._lost()
        if result.status < status_of_signal(1) and has_result:
            return result
        state = self._task.watcher.get_state(self._task.job_id, "force").split()[0]
        if self._is_worth_waiting(state, has_result, at_once):
            return None
        if state in _TELLS_NOTHING and has_result:
            return result
        status = result.status if has_result else _STATUS_OF_STATE.get(state, _FAILURE)
        reason = f"Slurm job {self._task.job_id}: {state}"
        return replace(result, status=status, last_lines=(*result.last_lines, reason))

    def _is_worth_waiting(self, state: str, has_result: bool, at_once: bool) -> bool:
        """Whether the result may still come, or the reason of a signal."""
        if at_once or (has_result and state not in _STILL_ENDING):
            return False
        self._first_seen_ended = self._first_seen_ended or time.monotonic()
        return time.monotonic() - self._first_seen_ended < _GRACE_SECONDS

    def _told(self) -> JobResult:
        error = self._task.exception()
        if error is not None:  # not of the command
            return JobResult(self.job, _FAILURE, tuple(str(error).splitlines()[-LAST_LINES:]))
        return self._task.result()

    def _lost(self) -> JobResult:
        lines = [*_lines(self._task.paths.stdout), *_lines(self.job.log, self._log_size)]
        return JobResult(self.job, _FAILURE, tuple(lines[-LAST_LINES:]))


def _lines(path: Path, start: int = 0) -> list[str]:
    """Lines of a file from a place on, without comments and what submitit tells of itself."""
    if not path.exists():
        return []
    lines = path.read_bytes()[start:].decode("utf-8", errors="replace").splitlines()
    return [line for line in lines if not line.startswith("# ") and not line.startswith("submitit ")]
