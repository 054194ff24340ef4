"""One run at a time in an experiment directory."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from espnet_ent.errors import ConfigError

LOCK = ".lock"


@contextlib.contextmanager
def shared(directory: str | Path) -> Iterator[None]:
    """Hold a directory together with others, on whatever machines; waits for one that holds it alone."""
    path = Path(directory) / LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        fcntl.lockf(file, fcntl.LOCK_SH)
        yield


@contextlib.contextmanager
def exclusive(directory: str | Path, wait: bool = False) -> Iterator[None]:
    """Hold an experiment directory; the kernel lets go of it when the process ends, however it ends.

    The lock belongs to the process alone (``fcntl``, not ``flock``): data-loader workers that outlive a killed run
    by some seconds do not hold it.

    Args:
        directory: What to hold.
        wait: Until another process lets go of it.

    Raises:
        ConfigError: If another process holds it, and ``wait`` is false.
    """
    path = Path(directory) / LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if not isinstance(error, (BlockingIOError, PermissionError)):
                raise
            file.seek(0)
            holder = f"process {file.read().strip() or 'unknown'}"
            if not wait:
                raise ConfigError(
                    "another run is using this directory",
                    where=directory,
                    got=holder,
                    next_step="wait for it, stop it, or choose another --output_dir",
                ) from None
            print(f"{directory}: waits for {holder}", flush=True)
            fcntl.lockf(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
        file.truncate(0)
