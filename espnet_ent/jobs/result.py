"""How a job ended."""

from __future__ import annotations

from dataclasses import dataclass

from espnet_ent.jobs.array import Job

STATUS_NOT_STARTED = 127
LAST_LINES = 20
_SIGNAL_STATUS = 128


@dataclass(frozen=True)
class JobResult:
    """How a job ended.

    Attributes:
        job: The job.
        status: Exit status; 128 + n if signal n ended it.
        last_lines: The last lines of its output.
        cancelled: Whether it was ended, or not begun, because another job had failed.
    """

    job: Job
    status: int
    last_lines: tuple[str, ...] = ()
    cancelled: bool = False


def status_of_signal(number: int) -> int:
    """The status of a process that a signal has ended, as shells tell it.

    >>> status_of_signal(15)
    143
    """
    return _SIGNAL_STATUS + number
