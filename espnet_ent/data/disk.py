"""A disk that is full, told in one line."""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Iterator
from pathlib import Path

from espnet_ent.errors import DiskError

_FULL = (errno.ENOSPC, errno.EDQUOT)


def is_full(error: OSError) -> bool:
    """Whether an error says that there is no space left."""
    return error.errno in _FULL


@contextlib.contextmanager
def full_disk_named(path: str | Path) -> Iterator[None]:
    """Tell where there was no space left, and how much there is.

    Args:
        path: What is being written; it need not be there.

    Raises:
        DiskError: In place of the system's error out of the block. Other errors pass.
    """
    try:
        yield
    except OSError as error:
        if not is_full(error):
            raise
        place = next(folder for folder in (Path(path), *Path(path).absolute().parents) if folder.exists())
        free = shutil.disk_usage(place).free
        raise DiskError(
            "can't be written",
            where=path,
            got=f"{error.strerror} ({free} bytes are free)",
            next_step="free space and rerun",
        ) from error
