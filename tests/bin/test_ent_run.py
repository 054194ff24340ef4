"""The job runner as a command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from espnet_ent.bin.ent_run import main
from espnet_ent.errors import ConfigError


def test_options_of_the_command_are_left_to_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert main(["--gpu", "1", "--mem", "2G", str(log), "echo", "--gpu", "7", "--", "-x"]) == 0
    assert "\n--gpu 7 -- -x\n" in log.read_text()


def test_chosen_lines_are_shown_without_the_prefix_of_logging(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code = "print('[h] 2026-01-01 00:00:00,000 (trainer:1) INFO: epoch 1/2: loss 3'); print('other')"
    command = [sys.executable, "-c", code]
    assert main(["--show", "epoch ", "--prefix", "fent", str(tmp_path / "log"), *command]) == 0
    assert capfd.readouterr().out == "fent: epoch 1/2: loss 3\n"


def test_the_status_is_the_command_s_and_the_end_of_the_log_is_shown(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log"
    assert main([str(log), "sh", "-c", "echo why; exit 7"]) == 7
    assert capfd.readouterr().err == f"job failed with status 7; the end of {log}:\n    why\n"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--backend", "pbs"], r"--backend: unknown backend; expected local \| slurm; got pbs"),
        (["--num-nodes", "2"], "the local backend has one machine"),
        (["--num-nodes", "0"], "--num-nodes: out of range; expected 1 or more; got 0"),
        (["--gpu", "-1"], "--gpu: out of range"),
        (["--max-jobs-run", "0"], "no job could run"),
        (["--on-failure", "weep"], r"--on-failure: unknown choice; expected finish \| cancel; got weep"),
        (["--slurm-option", "=x"], "--slurm-option: no name; expected NAME=VALUE; got =x"),
    ],
)
def test_what_cannot_be_done_is_said(options: list[str], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        main([*options, "log", "true"])
    assert not Path("log").exists()


def test_a_missing_command_is_said() -> None:
    with pytest.raises(ConfigError, match="no log file or no command"):
        main(["log"])


def test_without_slurm_one_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        ConfigError, match="--backend slurm: Slurm is not here; expected sbatch on the PATH; next: run on"
    ):
        main(["--backend", "slurm", str(tmp_path / "log"), "true"])
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(ConfigError, match="the package submitit is not installed; next: pip install submitit"):
        main(["--backend", "slurm", str(tmp_path / "log"), "true"])
    assert not (tmp_path / "log").exists()


def test_an_array_that_failed_goes_on_with_what_is_missing(tmp_path: Path) -> None:
    """Twice as it is, then with another command, then as a whole once all is done."""

    def runs(code: str, *options: str) -> tuple[int, list[int]]:
        command = [*options, "JOB=1:3", f"{tmp_path}/JOB.log", "sh", "-c", f"echo ran >> {tmp_path}/JOB; {code}"]
        status = main(command)
        return status, [len((tmp_path / str(number)).read_text().split()) for number in (1, 2, 3)]

    fails = f"[ JOB != 2 ] || [ -e {tmp_path}/mended ]"
    assert runs(fails) == (1, [1, 1, 1])
    assert runs(fails) == (1, [1, 2, 1])
    assert runs(fails, "--resume", "false") == (1, [2, 3, 2])
    assert runs(fails + " ") == (1, [3, 4, 3])
    (tmp_path / "mended").touch()
    assert runs(fails + " ") == (0, [3, 5, 3])
    assert runs(fails + " ") == (0, [4, 6, 4])
    assert not list(tmp_path.glob(".*"))


def test_it_is_a_cmd_of_espnet_s_launcher(tmp_path: Path) -> None:
    log = tmp_path / "exp" / "train.log"
    cmd = f"{sys.executable} -m espnet_ent.bin.ent_run --backend local"
    launch = [sys.executable, "-m", "espnet2.bin.launch", "--cmd", cmd, "--log", str(log), "--ngpu", "0"]
    path = os.pathsep.join((str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")))

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": path}
        return subprocess.run([*launch, "--", *command], env=environment, capture_output=True, text=True, check=False)

    assert run("echo", "trained").returncode == 0
    assert "\ntrained --ngpu 0 --multiprocessing_distributed True\n" in log.read_text()
    failed = run("sh", "-c", "echo why; exit 3", "--")
    assert failed.returncode != 0
    assert "returned non-zero exit status 3" in failed.stderr
    assert f"job failed with status 3; the end of {log}:\n    why\n" in failed.stderr
