"""One run at a time in an experiment directory."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from espnet_ent.errors import ConfigError

LOCK = ".lock"


@contextlib.contextmanager
def exclusive(directory: str | Path) -> Iterator[None]:
    """Hold an experiment directory; the kernel lets go of it when the process ends, however it ends.

    Raises:
        ConfigError: If another process holds it.
    """
    path = Path(directory) / LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                "another run is using this experiment directory",
                where=directory,
                next_step="wait for it, stop it, or choose another --output_dir",
            ) from None
        yield
