"""Training that is killed, stopped and starved ends as training that is not."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from espnet_ent.errors import CheckpointError
from espnet_ent.plugin.checkpoint_files import read_checkpoint
from espnet_ent.plugin.checkpoints import RESUME
from tests.amounts import amount
from tests.faults import trials
from tests.faults.trials import Unbroken

pytestmark = pytest.mark.fault
EPOCHS = 3


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Unbroken:
    return trials.make_unbroken(tmp_path_factory.mktemp("runs"), EPOCHS)


def test_a_kill_at_any_moment_resumes_to_the_same_end(unbroken: Unbroken, tmp_path: Path, figures) -> None:
    """Every second kill is aimed at a save: a moment after a temporary file appears."""
    draw = random.Random(1)
    kills, in_saves, lost = 0, 0, 0
    for number in range(20 * amount(50, 3)):
        if kills == amount(50, 3):
            break
        run, log = tmp_path / f"run{number}", tmp_path / f"{number}.log"
        pid = trials.start(unbroken.argv(run), log)
        if number % 2:
            trials.wait_for(trials.saves_begin(run, draw.randint(1, 4 * EPOCHS)), pid)
            trials.wait_randomly(draw, 0.003, pid)
        else:
            trials.wait_randomly(draw, unbroken.seconds, pid)
        if not trials.kill(pid):
            continue
        kills, in_saves = kills + 1, in_saves + bool(run.is_dir() and trials.stale(run))
        lost = max(lost, trials.finished_epochs(log) - trials.saved_epochs(run))
        assert trials.finish(trials.start(unbroken.argv(run), log)) == 0, log.read_text()
        assert trials.stale(run) == []
        unbroken.assert_same(run)
    assert kills == amount(50, 3)
    assert lost <= 0
    figures(
        "Training",
        "kill -9 at a random moment, every second one in a save: the run resumes, loses no finished epoch, leaves "
        "no temporary file and no dangling link, and ends with the parameters of an unbroken run to the bit",
        kills=kills,
        with_a_half_written_file=in_saves,
        finished_epochs_lost=max(lost, 0),
    )


def test_a_kill_after_each_epoch_ends_with_the_same_parameters(unbroken: Unbroken, tmp_path: Path, figures) -> None:
    run, kills = tmp_path / "run", 0
    for epoch in range(1, EPOCHS + 1):
        pid = trials.start(unbroken.argv(run), tmp_path / "log")
        trials.wait_for(lambda epoch=epoch: (run / f"{epoch}epoch.pth").exists() and (run / RESUME).exists(), pid)
        kills += trials.kill(pid)
        assert trials.saved_epochs(run) in (epoch - 1, epoch)
    assert trials.finish(trials.start(unbroken.argv(run), tmp_path / "log")) == 0
    unbroken.assert_same(run)
    promise = "a run on the CPU killed after each epoch and resumed ends with the same parameters (`torch.equal`)"
    figures("Training", promise, kills=kills)


def test_sigterm_ends_a_run_soon_and_what_was_finished_is_saved(unbroken: Unbroken, tmp_path: Path, figures) -> None:
    draw, slowest, stops = random.Random(2), 0.0, 0
    for number in range(20 * amount(20, 2)):
        if stops == amount(20, 2):
            break
        run, log = tmp_path / f"run{number}", tmp_path / f"{number}.log"
        pid = trials.start(unbroken.argv(run), log)
        trials.wait_for(lambda run=run: (run / "trained_on.json").exists(), pid)
        trials.wait_randomly(draw, unbroken.seconds / 2, pid)
        finished = trials.finished_epochs(log)
        os.kill(pid, signal.SIGTERM)
        begin = time.monotonic()
        status = trials.finish(pid)
        slowest = max(slowest, time.monotonic() - begin)
        stops += status != 0
        if status == -signal.SIGTERM:  # before training began
            assert finished == 0
        else:
            assert status == 0 or "stopped by SIGTERM" in log.read_text()
        assert trials.saved_epochs(run) >= finished
        assert trials.finish(trials.start(unbroken.argv(run), log)) == 0
        unbroken.assert_same(run)
    assert stops == amount(20, 2)
    assert slowest < 30
    promise = "SIGTERM ends training within 30 s, the finished epochs are saved, and it resumes to the same end"
    figures("Training", promise, stops=stops, slowest_seconds=slowest)


def test_a_second_run_in_the_same_directory_is_refused(unbroken: Unbroken, tmp_path: Path, figures) -> None:
    run = tmp_path / "run"
    first = trials.start(unbroken.argv(run), tmp_path / "first.log")
    assert trials.wait_for((run / ".lock").exists, first)
    assert trials.wait_for(lambda: (run / ".lock").read_text() != "", first)
    assert trials.finish(trials.start(unbroken.argv(run), tmp_path / "second.log")) == 2
    assert f"another run is using this directory; got process {first}" in (tmp_path / "second.log").read_text()
    assert trials.finish(first) == 0
    unbroken.assert_same(run)
    figures("Training", "a second run in the same directory is refused, and does not disturb the first", tried=1)


def test_a_full_disk_is_named_and_what_was_saved_loads(unbroken: Unbroken, tmp_path: Path, figures) -> None:
    """A file system that is too small for the run, by more or less; then it grows, and the run goes on."""
    needed = sum(path.stat().st_size for path in unbroken.directory.rglob("*") if not path.is_symlink())
    disk = tmp_path / "disk"
    disk.mkdir()
    points = amount(20, 3)
    for number in range(points):
        size = 4096 * max(1, round(needed * (number + 0.5) / points / 4096))
        if not _mount(disk, size):
            pytest.skip("only root can mount a small file system")
        try:
            run, log = disk / "run", tmp_path / f"{number}.log"
            assert trials.finish(trials.start(unbroken.argv(run), log)) == 2, log.read_text()
            last = log.read_text().splitlines()[-1]
            assert str(run) in last
            assert "bytes" in last
            assert "No space left on device" in last
            trials.saved_epochs(run)
            assert trials.stale(run) == []
            subprocess.run(["mount", "-o", f"remount,size={8 * needed}", disk], check=True)
            assert trials.finish(trials.start(unbroken.argv(run), log)) == 0
            unbroken.assert_same(run)
        finally:
            subprocess.run(["umount", disk], check=True)
    promise = "a full disk ends training with status 2 and one line with path and bytes; what was saved loads, and "
    promise += "with more room the run goes on to the same end"
    figures("Training", promise, sizes_of_the_disk=points)


def _mount(disk: Path, size: int) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", disk]
    return os.geteuid() == 0 and subprocess.run(command, check=False, capture_output=True).returncode == 0


def test_no_damaged_checkpoint_loads(unbroken: Unbroken, tmp_path: Path, figures) -> None:
    draw = random.Random(3)
    files = sorted(path for path in unbroken.directory.glob("*.pth") if not path.is_symlink())
    cut, flipped = 0, 0
    for number in range(amount(100, 10)):
        whole = files[number % len(files)].read_bytes()
        damaged = bytearray(whole)
        if number % 4 == 0:
            damaged = damaged[: draw.randrange(len(whole))]
            cut += 1
        else:
            position = draw.randrange(len(whole))
            damaged[position] ^= 1 << draw.randrange(8)
            flipped += 1
        path = tmp_path / "damaged.pth"
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"damaged\.pth: checkpoint is damaged"):
            read_checkpoint(path)
    figures("Training", "no damaged checkpoint loads", truncated=cut, one_bit_flipped=flipped)
