"""What Slurm knows of jobs: states from ``squeue``, which needs no accounting database as ``sacct`` does."""

from __future__ import annotations

from submitit.slurm.slurm import SlurmInfoWatcher

GONE = "GONE"
"""State of a job that is no longer listed: it ended longer ago than Slurm remembers."""

_ENDED = frozenset(
    f"{GONE} BOOT_FAIL CANCELLED COMPLETED DEADLINE FAILED NODE_FAIL OUT_OF_MEMORY PREEMPTED REVOKED TIMEOUT".split()
)
_COMMAND = ("squeue", "--me", "--array", "--states=all", "--format=%i|%T|%N")
_MOST_SECONDS = 30


class QueueWatcher(SlurmInfoWatcher):
    """submitit's watcher, which asks for all jobs at once and ever less often, by ``squeue`` in place of ``sacct``."""

    def __init__(self) -> None:
        super().__init__(delay_s=_MOST_SECONDS)

    def is_done(self, job_id: str, mode: str = "standard") -> bool:
        """Whether a job has ended, by its state."""
        return self.get_state(job_id, mode).upper() in _ENDED

    def read_info(self, string: bytes | str) -> dict[str, dict[str, str]]:
        """States by job id."""
        text = string.decode() if isinstance(string, bytes) else string
        _, _, rows = text.partition("\n")
        found = super().read_info(f"JobID|State|NodeList\n{rows}")
        return {job_id: {"State": GONE} for job_id in self._registered} | found

    def _make_command(self) -> list[str]:
        return list(_COMMAND)
