"""The adapter to Slurm, with programs that stand in for it; tests/slurm has a real cluster."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from espnet_ent.errors import ConfigError
from espnet_ent.jobs import slurm_task
from espnet_ent.jobs.array import Job, expand_jobs
from espnet_ent.jobs.result import JobResult
from espnet_ent.jobs.runner import Resources, RunOptions
from espnet_ent.jobs.slurm import SlurmRunner
from espnet_ent.jobs.slurm_queue import QueueWatcher
from tests.jobs.slurm_standin import make_stand_in

pytest.importorskip("submitit")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose name has a space; Slurm's state is in ``../state``."""
    monkeypatch.setenv("PATH", make_stand_in(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setattr("espnet_ent.jobs.slurm._POLL_SECONDS", 0.05)
    monkeypatch.setattr(slurm_task, "_GRACE_SECONDS", 0.2)
    folder = tmp_path / "a folder"
    folder.mkdir()
    return folder


def _jobs(place: Path, code: str, number: int = 3) -> list[Job]:
    return expand_jobs([f"JOB=1:{number}", f"{place}/log/JOB.log", "sh", "-c", code])


def _script(place: Path) -> set[str]:
    """What sbatch was asked for."""
    lines = (place.parent / "state/script").read_text().splitlines()
    return {line.removeprefix("#SBATCH --") for line in lines if line.startswith("#SBATCH --")}


def test_an_array_runs_and_tells_statuses_and_lines(place: Path) -> None:
    seen: list[str] = []
    jobs = _jobs(place, "echo job JOB on $SLURMD_NODENAME; exit $((JOB / 3))")
    results = SlurmRunner().run(jobs, lambda _job, line: seen.append(line))
    assert results == [JobResult(job, job.index // 3, (f"job {job.index} on node",)) for job in jobs]
    assert sorted(seen) == [f"job {number} on node" for number in (1, 2, 3)]
    assert not list((place / "log").glob(".slurm*"))
    assert sorted(path.name for path in (place / "log").glob(".*")) == [".1.log.done", ".2.log.done"]


def test_what_is_asked_for_stands_in_the_batch_script(place: Path) -> None:
    others = {"partition": "long", "exclusive": True, "job_name": None, "mem": "9G"}
    resources = Resources(gpu=2, mem="8G", time="4:00:00", num_threads=3, num_nodes=2, others=others)
    assert SlurmRunner(RunOptions(max_jobs_run=2), resources).run(_jobs(place, "true"))[0].status == 0
    asked = _script(place)
    assert {
        "gpus-per-node=2",
        "mem=9G",
        "time=4:00:00",
        "cpus-per-task=3",
        "partition=long",
        "nodes=2",
        "exclusive",
    } <= asked
    assert "array=0-2%2" in asked
    assert not [option for option in asked if option.startswith(("job-name", "wckey"))]


def test_without_a_time_limit_none_is_asked_for(place: Path) -> None:
    (result,) = SlurmRunner().run([Job(place / "log", ("true",))])
    assert result.status == 0
    assert not [option for option in _script(place) if option.startswith(("time", "mem", "gpus", "array"))]


def test_a_refusal_of_slurm_is_one_line(place: Path) -> None:
    (place.parent / "state/refused").write_text("invalid partition specified: x")
    with pytest.raises(ConfigError, match="sbatch: Slurm refuses the jobs; got sbatch: error: invalid partition"):
        SlurmRunner().run(_jobs(place, "true"))
    assert not list((place / "log").iterdir())


def test_a_task_that_slurm_ends_gets_a_status_and_a_reason(place: Path) -> None:
    """Its process and what runs it are killed at once."""
    states = {"OUT_OF_MEMORY": 137, "TIMEOUT": 143, "NODE_FAIL": 1, "nothing": 1}
    (place.parent / "state/answers").write_text("".join(f"1_{n} {state}\n" for n, state in enumerate(states)))
    code = f"echo begun; until grep -q begun '{place}/log/JOB.log'; do sleep 0.1; done; kill -KILL 0"
    results = SlurmRunner().run(_jobs(place, code.replace("grep -q begun", "grep -qx begun"), len(states)))
    assert [result.status for result in results] == list(states.values())
    told = [f"Slurm job 1_{n}: {'GONE' if state == 'nothing' else state}" for n, state in enumerate(states)]
    assert [result.last_lines for result in results] == [("begun", reason) for reason in told]


def test_others_are_cancelled_on_request(place: Path) -> None:
    code = f"cd '{place}'; touch on.JOB; until [ -e on.2 ] && [ -e on.3 ]; do sleep 0.1; done; "
    code += "[ JOB = 1 ] && exit 7; exec sleep 60"
    results = SlurmRunner(RunOptions(on_failure="cancel")).run(_jobs(place, code))
    assert [(result.status, result.cancelled) for result in results] == [(7, False), (143, True), (143, True)]


@pytest.mark.parametrize(("number", "ending"), [(signal.SIGTERM, SystemExit), (signal.SIGINT, KeyboardInterrupt)])
def test_a_signal_to_the_runner_cancels_the_array(
    place: Path, number: signal.Signals, ending: type[BaseException]
) -> None:
    before = signal.getsignal(number)
    with pytest.raises(ending):
        SlurmRunner().run(_jobs(place, "echo begun; exec sleep 60"), lambda _job, _line: os.kill(os.getpid(), number))
    assert signal.getsignal(number) == before
    assert "CANCELLED" in (place.parent / "state/answers").read_text()
    assert not list((place / "log").glob(".*"))


def test_states_come_from_squeue_and_unknown_jobs_are_gone() -> None:
    watcher = QueueWatcher()
    for job_id in ("5_0", "5_1", "6"):
        watcher.register_job(job_id)
    found = watcher.read_info(b"JOBID|STATE|NODELIST\n5_0|CONFIGURING|\n5_1|TIMEOUT|n1\n99|RUNNING|n2\n")
    assert {job_id: found[job_id]["State"] for job_id in ("5_0", "5_1", "6")} == {
        "5_0": "CONFIGURING",
        "5_1": "TIMEOUT",
        "6": "GONE",
    }
