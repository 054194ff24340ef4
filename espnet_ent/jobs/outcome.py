"""What to tell of jobs that failed, and the exit status that stands for all of them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from espnet_ent.errors import EXIT_USER_ERROR
from espnet_ent.jobs.result import JobResult

_EXPLAINED = re.compile(r"[\w.-]+: error: .*")
_LOGGING_PREFIX = re.compile(r".*? (?:INFO|WARNING): ")
_FAILURE = 1


def overall_status(results: Sequence[JobResult]) -> int:
    """0 if all jobs succeeded; the status that all failed ones share; 1 if they differ. Cancelled ones do not count."""
    statuses = {result.status for result in results if result.status != 0 and not result.cancelled}
    if not statuses:
        return 0
    return statuses.pop() if len(statuses) == 1 else _FAILURE


def failure_lines(results: Sequence[JobResult]) -> list[str]:
    """Lines that say which jobs failed and why.

    A command that explained a user error in its last line is quoted with this line alone; of any other, the last
    lines of its log are shown.
    """
    lines = []
    for result in results:
        if result.status == 0 or result.cancelled:
            continue
        last = result.last_lines[-1] if result.last_lines else ""
        if result.status == EXIT_USER_ERROR and _EXPLAINED.fullmatch(last):
            lines.append(last if result.job.index is None else f"job {result.job.index}: {last}")
            continue
        of_array = "" if result.job.index is None else f" {result.job.index} of the array"
        lines.append(f"job{of_array} failed with status {result.status}; the end of {result.job.log}:")
        lines.extend(f"    {line}" for line in result.last_lines)
    cancelled = sum(result.cancelled for result in results)
    if cancelled:
        lines.append(f"{cancelled} other job{'s were' if cancelled > 1 else ' was'} cancelled")
    return lines


def message_of(line: str) -> str:
    """A line of output without what Python's logging puts in front.

    >>> message_of("[host] 2026-01-01 00:00:00,000 (trainer:198) INFO: epoch 1/18: train loss 2.5")
    'epoch 1/18: train loss 2.5'
    >>> message_of("no prefix")
    'no prefix'
    """
    return _LOGGING_PREFIX.sub("", line, count=1)
