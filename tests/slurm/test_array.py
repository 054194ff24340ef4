"""Job arrays on a real cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.slurm.cluster import NODES, call

pytestmark = pytest.mark.slurm


@pytest.fixture
def run(slurm_conf: Path, tmp_path: Path):
    """Starts ent_run with the backend slurm, in a folder of its own whose name has a space."""
    folder = tmp_path / "a folder"
    folder.mkdir()
    command = [sys.executable, "-m", "espnet_ent.bin.ent_run", "--backend", "slurm"]
    path = os.pathsep.join((str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")))
    environment = {**os.environ, "SLURM_CONF": str(slurm_conf), "PYTHONPATH": path}

    def start(*words: str) -> subprocess.Popen[str]:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen([*command, *words], cwd=folder, env=environment, **pipes)

    start.folder, start.environment = folder, environment
    return start


def _end(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def _wait_for(path: Path) -> None:
    """Wait until a job has made a file."""
    end = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < end, path
        time.sleep(0.1)


def test_an_array_uses_all_nodes_and_its_output_is_in_the_logs(run, slurm_conf: Path) -> None:
    words = ("--show", "node", "JOB=1:6", "log/x.JOB.log", "sh", "-c", "sleep 2; echo node $SLURMD_NODENAME JOB")
    status, out, err = _end(run(*words))
    assert (status, err) == (0, "")
    assert {line.split()[1] for line in out.splitlines()} == set(NODES)
    assert sorted(path.name for path in (run.folder / "log").iterdir()) == [f"x.{number}.log" for number in range(1, 7)]
    assert "\n# Ended (code 0) at " in (run.folder / "log/x.6.log").read_text()


def test_failures_are_told_with_their_status_and_the_rest_finishes_and_is_not_run_again(run) -> None:
    command = ("JOB=1:4", "log/JOB.log", "sh", "-c", "echo ran >> runs.JOB; echo why JOB; exit $((JOB / 3 * 7))")
    status, _, err = _end(run(*command[:-1], command[-1].replace("4", "3")))
    assert status == 7
    assert err.count("failed with status 7") == 2
    assert "job 3 of the array failed with status 7; the end of log/3.log:\n    why 3\n" in err
    _end(run(*command))
    assert [len((run.folder / f"runs.{number}").read_text().split()) for number in range(1, 5)] == [1, 1, 2, 2]
    done = ("JOB=1:4", "log/JOB.log", "true")  # another command
    assert _end(run(*done))[0] == 0
    assert not list((run.folder / "log").glob(".*"))


def test_others_are_cancelled_on_request(run, slurm_conf: Path) -> None:
    code = "if [ JOB = 2 ]; then exit 5; fi; exec sleep 300"
    status, _, err = _end(run("--on-failure", "cancel", "JOB=1:8", "log/JOB.log", "sh", "-c", code))
    assert (status, err.splitlines()[-1]) == (5, "7 other jobs were cancelled")
    assert call(slurm_conf, "squeue", "-h") == ""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_to_the_runner_cancels_the_array(run, slurm_conf: Path, number: signal.Signals, status: int) -> None:
    process = run("JOB=1:8", "log/JOB.log", "sh", "-c", "touch on.JOB; exec sleep 300")
    for job in range(1, 7):
        _wait_for(run.folder / f"on.{job}")
    process.send_signal(number)
    assert _end(process)[0] == status
    assert call(slurm_conf, "squeue", "-h") == ""
    assert "# Ended (code 143)" in (run.folder / "log/1.log").read_text()


def test_a_task_that_is_killed_is_a_failure_and_is_what_is_missing(run, slurm_conf: Path) -> None:
    command = ("JOB=1:3", "log/JOB.log", "sh", "-c", "echo ran >> runs.JOB; if mkdir JOB; then sleep 5; fi")
    process = run(*command)
    _wait_for(run.folder / "2")
    (second,) = [row for row in call(slurm_conf, "squeue", "-h", "-r", "-o", "%i").split() if row.endswith("_1")]
    call(slurm_conf, "scancel", second)
    status, _, err = _end(process)
    assert status == 143
    assert f"job 2 of the array failed with status 143; the end of log/2.log:\n    Slurm job {second}: CANCELLED" in err
    assert _end(run(*command))[0] == 0
    assert [len((run.folder / f"runs.{number}").read_text().split()) for number in (1, 2, 3)] == [1, 2, 1]


def test_what_slurm_refuses_is_one_line(run) -> None:
    status, _, err = _end(run("--slurm_option", "partition=nowhere", "log", "true"))
    assert status == 2
    assert err.startswith("ent_run: error: sbatch: Slurm refuses the jobs; got sbatch: error: invalid partition")
    assert err.count("\n") == 1


def test_one_job_of_several_nodes_reaches_them_by_srun(run) -> None:
    code = "echo rank $SLURM_PROCID of $SLURM_NTASKS"
    status, out, _ = _end(run("--num-nodes", "2", "--show", "rank", "log", "srun", "--export=ALL", "sh", "-c", code))
    assert (status, sorted(out.splitlines())) == (0, ["rank 0 of 2", "rank 1 of 2"])


def test_espnet_s_launcher_starts_a_process_on_each_node(run, slurm_conf: Path) -> None:
    cmd = Path(__file__).parents[2] / "egs2/TEMPLATE/ent1/utils/slurm.pl"
    launch = [
        sys.executable,
        "-m",
        "espnet2.bin.launch",
        "--cmd",
        str(cmd),
        "--log",
        "exp/train.log",
        "--num_nodes",
        "2",
    ]
    code = 'echo rank $SLURM_PROCID of $SLURM_NTASKS: "$@"'
    environment = {**run.environment, "ENT_PYTHON": sys.executable}
    launched = subprocess.run(
        [*launch, "--ngpu", "0", "--", "sh", "-c", code, "-"], cwd=run.folder, env=environment, check=False
    )
    assert launched.returncode == 0
    lines = sorted(line for line in (run.folder / "exp/train.log").read_text().splitlines() if line.startswith("rank"))
    assert [line.partition(":")[0] for line in lines] == ["rank 0 of 2", "rank 1 of 2"]
    assert all("--dist_launcher slurm" in line and "--dist_init_method file:///" in line for line in lines)
