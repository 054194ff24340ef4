"""Run jobs on a Slurm cluster: submitit submits them as one array and brings their results back."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from espnet_ent.errors import ConfigError
from espnet_ent.jobs.array import Job
from espnet_ent.jobs.execution import OnLine, Processes, execute
from espnet_ent.jobs.followed_log import FollowedLog
from espnet_ent.jobs.interruption import end_by, signals_go_to
from espnet_ent.jobs.result import JobResult
from espnet_ent.jobs.runner import JobRunner, Resources

if TYPE_CHECKING:
    from espnet_ent.jobs.slurm_task import SlurmTask

_POLL_SECONDS = 1.0
_MOST_SECONDS_TO_STOP = 60.0


class SlurmRunner(JobRunner):
    """Runs jobs as a job array of Slurm.

    Logs, the folder of the package and the interpreter must be in the same place on all machines. Each job is a batch
    job of its own; one of several nodes starts its command on the first and reaches the others by ``srun``.
    """

    def check(self) -> None:
        """See :meth:`JobRunner.check`."""
        if importlib.util.find_spec("submitit") is None:
            raise ConfigError(
                "the package submitit is not installed", where="--backend slurm", next_step="pip install submitit"
            )
        missing = [program for program in ("sbatch", "squeue", "scancel", "srun") if shutil.which(program) is None]
        if missing:
            raise ConfigError(
                "Slurm is not here",
                where="--backend slurm",
                expected=f"{missing[0]} on the PATH",
                next_step="run on a machine of the cluster, or with cmd_backend=local",
            )

    def run_all(self, jobs: Sequence[Job], on_line: OnLine | None) -> list[JobResult]:
        """See :meth:`JobRunner.run`; ``on_line`` is called about a second after a line was written."""
        for job in jobs:
            job.log.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".slurm_", dir=jobs[0].log.parent.resolve()))
        signals: list[int] = []
        wake = threading.Event()

        def stop(number: int) -> None:
            signals.append(number)
            wake.set()

        try:
            with signals_go_to(stop):
                logs = {job: FollowedLog(job.log) for job in jobs} if on_line else {}
                array = _Array(self._submit(jobs, folder), self.options.on_failure)
                while not array.is_over():
                    array.look()
                    for job, log in logs.items():
                        for line in log.new_lines():
                            on_line(job, line)
                    if signals and not array.is_told_to_end:
                        array.cancel()
                        wake.clear()
                    wake.wait(0 if array.is_over() else _POLL_SECONDS)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        end_by(signals[0] if signals else None)
        return [array.results[job] for job in jobs]

    def _submit(self, jobs: Sequence[Job], folder: Path) -> list[SlurmTask]:
        """Submit the jobs.

        Raises:
            ConfigError: If Slurm refuses them.
        """
        from submitit.core.utils import FailedJobError, FailedSubmissionError
        from submitit.slurm.slurm import SlurmExecutor, SlurmJob

        from espnet_ent.jobs.slurm_queue import QueueWatcher
        from espnet_ent.jobs.slurm_task import SlurmTask

        SlurmJob.watcher = QueueWatcher()
        executor = SlurmExecutor(folder=folder)
        executor.update_parameters(
            array_parallelism=self.options.max_jobs_run or len(jobs),
            setup=["export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1}"],  # srun does not take it over from sbatch
            stderr_to_stdout=True,
            use_srun=False,
            **_sbatch_options(self.resources, jobs[0].log.stem),
        )
        try:
            with contextlib.redirect_stderr(io.StringIO()):
                submitted = executor.submit_array([partial(run_on_node, job, self._resumes(job)) for job in jobs])
        except (FailedJobError, FailedSubmissionError) as error:
            reason = " ".join(str(error).split()) or "no reason"
            raise ConfigError("Slurm refuses the jobs", where="sbatch", got=reason) from error
        return [SlurmTask(job, task) for job, task in zip(jobs, submitted, strict=True)]


def run_on_node(job: Job, mark: bool) -> JobResult:
    """What Slurm runs on a node: the command, its output in the log; SIGTERM is handed on to it."""
    processes = Processes()
    with signals_go_to(lambda _number: processes.stop()):
        return execute(job, processes, mark=mark)


def _sbatch_options(resources: Resources, name: str) -> dict[str, Any]:
    """What submitit is to write into the batch script; None leaves out what it would write by itself."""
    asked: dict[str, str | int | bool | None] = {
        "job_name": name,
        "cpus_per_task": resources.num_threads,
        "gpus_per_node": resources.gpu or None,
        "mem": resources.mem,
        "time": resources.time,
        "nodes": resources.num_nodes,
        "ntasks_per_node": 1,
        "wckey": None,
        # submitit would warn steps by SIGUSR2, which ends programs that do not know it.
        "signal": "TERM@30",
        **resources.others,
    }
    taken_away = {name: None for name in ("job_name", "time", "wckey") if asked[name] is None}
    return {**taken_away, "additional_parameters": {k: v for k, v in asked.items() if v is not None}}


class _Array:
    """Jobs that were submitted together."""

    def __init__(self, tasks: Sequence[SlurmTask], on_failure: str) -> None:
        self.tasks, self.on_failure = tasks, on_failure
        self.results: dict[Job, JobResult] = {}
        self._ends_by: float | None = None

    @property
    def is_told_to_end(self) -> bool:
        """Whether :meth:`cancel` was called."""
        return self._ends_by is not None

    def is_over(self) -> bool:
        """Whether there is nothing more to wait for."""
        is_late = self._ends_by is not None and time.monotonic() > self._ends_by
        return is_late or len(self.results) == len(self.tasks)

    def look(self) -> None:
        """Take note of the jobs that have ended."""
        for task in self.tasks:
            if task.job in self.results:
                continue
            was_told = self.is_told_to_end
            result = task.result(at_once=was_told)
            if result is None:
                continue
            is_late = was_told and result.status != 0
            self.results[task.job] = JobResult(result.job, result.status, result.last_lines, cancelled=is_late)
            if result.status != 0 and self.on_failure == "cancel" and not self.is_told_to_end:
                self.cancel()

    def cancel(self) -> None:
        """Tell Slurm to end all jobs that have not ended."""
        self._ends_by = time.monotonic() + _MOST_SECONDS_TO_STOP
        numbers = {task.array_id for task in self.tasks}
        subprocess.run(["scancel", "--quiet", *sorted(numbers)], check=False, stderr=subprocess.DEVNULL)
