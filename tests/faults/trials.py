"""The real training command in forked children that are killed, stopped and starved."""

from __future__ import annotations

import os
import random
import re
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from espnet_ent.bin import ent_train
from espnet_ent.errors import EXIT_USER_ERROR, EntError
from espnet_ent.plugin.checkpoint_files import read_checkpoint
from espnet_ent.plugin.checkpoints import RESUME
from tests.plugin import forked
from tests.plugin.experiment import make_data, statistics_options, training_options
from tests.plugin.training import resumable, same

_LONGEST = 120  # seconds that a test waits for something to happen


@dataclass(frozen=True)
class Unbroken:
    """A run that nothing disturbed.

    Attributes:
        data: Root of the data.
        stats: Output of stage 10.
        directory: Output of stage 11.
        seconds: How long that took.
        epochs: Its epochs.
    """

    data: Path
    stats: Path
    directory: Path
    seconds: float
    epochs: int

    def argv(self, directory: Path, *others: str) -> list[str]:
        """Options of the same run in another directory."""
        return training_options(self.data, self.stats, directory, "--max_epoch", str(self.epochs), *others)

    def assert_same(self, directory: Path) -> None:
        """Another directory holds the same: files, parameters to the bit, state of the optimizer, statistics."""
        assert _names(directory) == _names(self.directory)
        assert same(resumable(directory), resumable(self.directory))
        for path in self.directory.glob("*.pth"):
            if path.name != RESUME:
                assert (directory / path.name).read_bytes() == path.read_bytes(), path.name


def make_unbroken(root: Path, epochs: int) -> Unbroken:
    """Make data, collect statistics and train, all by the real command."""
    data = make_data(root / "data with space")
    ent_train.main(statistics_options(data, root / "stats"))
    unbroken = Unbroken(data, root / "stats", root / "unbroken", 0.0, epochs)
    begin = time.monotonic()
    assert finish(start(unbroken.argv(unbroken.directory), root / "unbroken.log")) == 0
    return Unbroken(data, root / "stats", unbroken.directory, time.monotonic() - begin, epochs)


def start(argv: Sequence[str], log: Path, main: Callable = ent_train.main) -> int:
    """Start a command in a child, its output appended to ``log``; user errors end it as they do on the command line."""
    log.parent.mkdir(parents=True, exist_ok=True)

    def command() -> None:
        with log.open("ab") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        try:
            main(list(argv))
        except EntError as error:
            sys.stdout.flush()
            os.write(2, f"error: {error}\n".encode())
            os._exit(EXIT_USER_ERROR)
        sys.stdout.flush()

    return forked.start(command)


def finish(pid: int) -> int:
    """Wait for a child; its status, or minus its signal."""
    return forked.finish(pid)


def has_ended(pid: int) -> bool:
    """Whether a child has ended; it can still be waited for."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def wait_for(happens: Callable[[], bool], pid: int) -> bool:
    """Wait until something happens; false if the child ends before."""
    end = time.monotonic() + _LONGEST
    while not happens():
        if has_ended(pid):
            return False
        assert time.monotonic() < end
        time.sleep(0.0003)
    return True


def saves_begin(directory: Path, number: int) -> Callable[[], bool]:
    """True once the ``number``-th temporary file has been seen."""
    seen: set[str] = set()

    def happens() -> bool:
        if directory.is_dir():
            seen.update(name for name in os.listdir(directory) if ".tmp." in name)
        return len(seen) >= number

    return happens


def kill(pid: int) -> bool:
    """Kill a child with SIGKILL; false if it had ended."""
    alive = not has_ended(pid)
    if alive:
        os.kill(pid, signal.SIGKILL)
    return finish(pid) == -signal.SIGKILL


def wait_randomly(draw: random.Random, longest: float, pid: int) -> None:
    """Wait for up to ``longest`` seconds, or until the child ends."""
    end = time.monotonic() + draw.uniform(0, longest)
    while time.monotonic() < end and not has_ended(pid):
        time.sleep(0.0003)


def finished_epochs(log: Path) -> int:
    """Epochs that a run has told to be finished."""
    return len(set(re.findall(r"epoch (\d+)/", log.read_text(errors="replace")))) if log.exists() else 0


def saved_epochs(directory: Path) -> int:
    """Epochs that a run would not do again. Every link leads somewhere, and every checkpoint of a known epoch loads."""
    if not directory.is_dir():
        return 0
    for path in directory.iterdir():
        assert path.exists(), f"{path.name} dangles"
    if not (directory / RESUME).exists():
        return 0
    epoch = read_checkpoint(directory / RESUME)["reporter"]["epoch"]
    for path in directory.glob("*.pth"):
        read_checkpoint(path)
    return epoch


def stale(directory: Path) -> list[str]:
    """Temporary files that are left."""
    return [path.name for path in directory.rglob("*") if ".tmp." in path.name]


def _names(directory: Path) -> set[str]:
    return {
        path.relative_to(directory).as_posix()
        for path in directory.rglob("*")
        if "events.out" not in path.name and path.suffix not in (".png", ".log")
    }
