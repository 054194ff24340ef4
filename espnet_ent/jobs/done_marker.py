"""Which jobs of an interrupted array are done: a hidden file beside the log, with a digest of the command."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from espnet_ent.jobs.array import Job


def mark_done(job: Job) -> None:
    """Leave a marker of a job that has succeeded."""
    _marker(job).write_text(_key(job), encoding="ascii")


def is_marked_done(job: Job) -> bool:
    """Whether just this command, run in the present folder, has succeeded in an array that did not."""
    try:
        return _marker(job).read_text(encoding="ascii") == _key(job)
    except (OSError, ValueError):
        return False


def remove_markers(jobs: Iterable[Job]) -> None:
    """Remove the markers of jobs, which then run again."""
    for job in jobs:
        _marker(job).unlink(missing_ok=True)


def _marker(job: Job) -> Path:
    return job.log.with_name(f".{job.log.name}.done")


def _key(job: Job) -> str:
    words = "\0".join((str(Path.cwd()), *job.command))
    return hashlib.sha256(words.encode("utf-8", errors="surrogateescape")).hexdigest()
