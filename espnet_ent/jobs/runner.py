"""What all backends share: the options of a run, and how an array that was interrupted goes on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from espnet_ent.errors import ConfigError
from espnet_ent.jobs.array import Job
from espnet_ent.jobs.done_marker import is_marked_done, remove_markers
from espnet_ent.jobs.execution import OnLine
from espnet_ent.jobs.result import JobResult

ON_FAILURE = ("finish", "cancel")


@dataclass(frozen=True)
class RunOptions:
    """How an array is run.

    Attributes:
        max_jobs_run: How many jobs at a time; all if None.
        on_failure: What the others do when a job fails: ``finish``, or they are told to ``cancel``.
        resume: Whether jobs of an array that have succeeded while others had not are left out.

    Raises:
        ConfigError: If a value is out of range.
    """

    max_jobs_run: int | None = None
    on_failure: str = "finish"
    resume: bool = True

    def __post_init__(self) -> None:
        if self.max_jobs_run is not None and self.max_jobs_run < 1:
            raise ConfigError("no job could run", where="--max-jobs-run", expected="1 or more", got=self.max_jobs_run)
        if self.on_failure not in ON_FAILURE:
            raise ConfigError(
                "unknown choice", where="--on-failure", expected=" | ".join(ON_FAILURE), got=self.on_failure
            )


@dataclass(frozen=True)
class Resources:
    """What a scheduler is asked for, for each job.

    Attributes:
        gpu: GPUs on each node.
        mem: Memory on each node, such as ``8G``; None: what the scheduler gives.
        time: Time limit, such as ``4:00:00``; None: that of the partition.
        num_threads: CPU cores.
        num_nodes: Nodes.
        others: Further options of the scheduler, which come before the ones above; None takes one away.
    """

    gpu: int = 0
    mem: str | None = None
    time: str | None = None
    num_threads: int = 1
    num_nodes: int = 1
    others: Mapping[str, str | bool | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, least in (("gpu", 0), ("num_threads", 1), ("num_nodes", 1)):
            if getattr(self, name) < least:
                option = f"--{name.replace('_', '-')}"
                raise ConfigError("out of range", where=option, expected=f"{least} or more", got=getattr(self, name))


def parse_options(words: Sequence[str]) -> dict[str, str | bool | None]:
    """Options of a scheduler as they are written on the command line.

    >>> parse_options(["partition=long", "exclusive", "time="])
    {'partition': 'long', 'exclusive': True, 'time': None}

    Raises:
        ConfigError: If one has no name.
    """
    parsed: dict[str, str | bool | None] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not name.strip("-"):
            raise ConfigError("no name", where="--slurm-option", expected="NAME=VALUE", got=word)
        parsed[name.lstrip("-").replace("-", "_")] = (value or None) if equals else True
    return parsed


class JobRunner(ABC):
    """Runs jobs and waits for them.

    Args:
        options: How.
        resources: What each job needs.
    """

    def __init__(self, options: RunOptions | None = None, resources: Resources | None = None) -> None:
        self.options, self.resources = options or RunOptions(), resources or Resources()

    def run(self, jobs: Sequence[Job], on_line: OnLine | None = None) -> list[JobResult]:
        """Run jobs side by side and wait for all of them; SIGINT and SIGTERM end them all.

        Jobs of an array leave markers, by which it goes on with what is missing when it is run again. They are removed
        once all jobs have succeeded: a finished array that is run again runs as a whole.

        Args:
            jobs: What to run.
            on_line: Called with each line of output.

        Returns:
            A result for each job, in order.

        Raises:
            KeyboardInterrupt: On SIGINT, once the jobs have ended.
            SystemExit: On SIGTERM, likewise, with status 143.
            ConfigError: If the backend can't do what is asked for.
        """
        self.check()
        done = [job for job in jobs if self._resumes(job) and is_marked_done(job)]
        missing = [job for job in jobs if job not in done]
        remove_markers(job for job in missing if job.index is not None)
        ran = {result.job: result for result in self.run_all(missing, on_line)} if missing else {}
        results = [ran.get(job) or JobResult(job, 0) for job in jobs]
        if all(result.status == 0 for result in results):
            remove_markers(job for job in jobs if job.index is not None)
        return results

    def _resumes(self, job: Job) -> bool:
        return self.options.resume and job.index is not None

    @abstractmethod
    def check(self) -> None:
        """Check that this backend can do what is asked for.

        Raises:
            ConfigError: If not.
        """

    @abstractmethod
    def run_all(self, jobs: Sequence[Job], on_line: OnLine | None) -> list[JobResult]:
        """Run jobs, at least one; see :meth:`run`."""
