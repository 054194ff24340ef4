"""The job runner as a command."""

from __future__ import annotations

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
        (["--backend", "slurm"], "--backend: this backend is not there; expected local; got slurm"),
        (["--num-nodes", "2"], "the local backend has one machine"),
        (["--max-jobs-run", "0"], "no job could run"),
        ([], "no log file or no command"),
    ],
)
def test_what_cannot_be_done_is_said(options: list[str], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        main([*options, "log"])
    assert not Path("log").exists()
