"""Run jobs on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from espnet_ent.errors import ConfigError
from espnet_ent.jobs.array import Job
from espnet_ent.jobs.execution import OnLine, Processes, execute
from espnet_ent.jobs.interruption import end_by, signals_go_to
from espnet_ent.jobs.result import JobResult
from espnet_ent.jobs.runner import JobRunner


class LocalRunner(JobRunner):
    """Runs jobs as processes of this machine, which has the GPUs, the memory and the time that it has."""

    def check(self) -> None:
        """See :meth:`JobRunner.check`."""
        if self.resources.num_nodes > 1:
            raise ConfigError(
                "the local backend has one machine",
                where="--num-nodes",
                expected=1,
                got=self.resources.num_nodes,
                next_step="cmd_backend=slurm in cmd.sh",
            )

    def run_all(self, jobs: Sequence[Job], on_line: OnLine | None) -> list[JobResult]:
        """See :meth:`JobRunner.run`; ``on_line`` is called from the thread of its job."""
        processes = Processes()
        signals: list[int] = []
        failed: list[Job] = []

        def stop(number: int) -> None:
            signals.append(number)
            processes.stop()

        def run(job: Job) -> JobResult:
            result = execute(job, processes, on_line, self._resumes(job))
            if result.status != 0 and not processes.is_stopping and self.options.on_failure == "cancel":
                failed.append(job)
                processes.stop()
            elif result.status != 0 and failed:
                return JobResult(job, result.status, result.last_lines, cancelled=True)
            return result

        with signals_go_to(stop), ThreadPoolExecutor(min(self.options.max_jobs_run or len(jobs), len(jobs))) as pool:
            results = list(pool.map(run, jobs))
        end_by(signals[0] if signals else None)
        return results
