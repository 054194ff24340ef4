"""The demonstration: shared stages once, both systems side by side, one report."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.recipes.workspace import Workspace, make_workspace

_INPUTS = """
data/emotion_list data/token_list/char/tokens.txt exp/ent_stats_raw_char/made_from.json
dump/raw/org/train/wav.scp dump/raw/org/dev/wav.scp dump/raw/train/text dump/raw/train/utt2emo
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """What the stand-in does not make lies there already."""
    made = make_workspace(tmp_path)
    recipe = made.recipe("mini")
    sets = ("train", "dev", "test", "zed_dev", "zed_test")
    files = [f"{folder}/{name}/wav.scp" for folder in ("data", "dump/raw") for name in sets]
    for system in ("ent", "fent"):
        exp = f"exp/ent_train_{system}_mini_raw_char"
        files += [f"{exp}/config.yaml", *(f"{exp}/decode_greedy_valid.loss.ave/{name}/utt2duration" for name in sets)]
    for file in [*files, *_INPUTS.split()]:
        (recipe / file).parent.mkdir(parents=True, exist_ok=True)
        (recipe / file).touch()
    return made


def _demo(workspace: Workspace) -> subprocess.Popen[str]:
    environment = {"HOME": str(workspace.root), "PATH": workspace.path, "VENV": "none"}
    return subprocess.Popen(
        [str(workspace.recipe("mini") / "demo.sh")],
        env={**environment, "CALLS": str(workspace.calls_file)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _training_stand_in(workspace: Workspace, fent: str, ent: str) -> None:
    """Let ``python -m espnet_ent.bin.ent_run`` do as told for each system's training; all else succeeds."""
    cases = f"*resume*train_fent_mini*) {fent} ;; *resume*train_ent_mini*) {ent} ;;"
    text = f'#!/bin/sh\ncase "$*" in\n{cases}\n*) exit 0 ;;\nesac\n'
    (workspace.root / "bin" / "python").write_text(text)


def _is_running(pid: str) -> bool:
    """A process that has ended but that nobody has asked for its status counts as ended."""
    try:
        status = Path("/proc", pid, "status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return "State:\tZ" not in status


def test_both_systems_after_one_preparation(workspace: Workspace) -> None:
    demo = _demo(workspace)
    _, errors = demo.communicate()
    assert (demo.returncode, errors) == (0, "")
    calls = workspace.calls()
    commands = [call[1].rpartition(".")[2] for call in calls]
    assert commands.count("ent_make_mini") == 1
    training = [" ".join(call) for call in calls if "--resume" in call]
    assert sorted("train_fent_mini" in call for call in training) == [False, True]
    assert commands.count("ent_run") == 3  # statistics, and two trainings
    assert commands.count("ent_report_results") == 3  # each system's and the common one
    common = calls[-1]
    assert common[common.index("--exp") + 1 :][:2] == [
        "exp/ent_train_ent_mini_raw_char",
        "exp/ent_train_fent_mini_raw_char",
    ]


def test_a_failed_training_stops_the_other_and_the_demo(workspace: Workspace) -> None:
    _training_stand_in(workspace, fent="exec sleep 600", ent="exit 7")
    demo = _demo(workspace)
    demo.communicate()
    assert demo.returncode == 7


def test_stopping_the_demo_stops_what_it_started(workspace: Workspace, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    _training_stand_in(workspace, *[f'echo $$ >> "{pids}"; exec sleep 600'] * 2)
    demo = _demo(workspace)
    while not pids.exists() or len(pids.read_text().split()) < 2:
        assert demo.poll() is None
        time.sleep(0.02)
    demo.send_signal(signal.SIGTERM)
    demo.communicate()
    assert demo.returncode == 130
    for pid in pids.read_text().split():
        while _is_running(pid):
            time.sleep(0.02)
