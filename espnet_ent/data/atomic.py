"""Writes that are whole or absent: a temporary sibling, fsync, rename."""

from __future__ import annotations

import contextlib
import glob
import itertools
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from espnet_ent.data.disk import full_disk_named

_names = itertools.count()


def temporary_sibling(path: Path) -> Path:
    """A sibling's name that no other process, on whatever machine, and no other call uses."""
    return path.with_name(f".{path.name}.tmp.{next(_names)}.{_machine()}-{os.getpid()}")


def _machine() -> str:
    return socket.gethostname().replace(".", "_")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def atomic_file(path: str | Path) -> Iterator[BinaryIO]:
    """A file to write, which takes the place of ``path`` when the block ends without an error.

    Yields:
        The temporary sibling of ``path``, open. It is removed if the block raises.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_stale(path)
    temporary = temporary_sibling(path)
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync(path.parent)


def atomic_write_bytes(path: str | Path, data: bytes) -> None:
    """Write a file so that a reader sees the old content or the new one, never a part."""
    with atomic_file(path) as file:
        file.write(data)


def atomic_write_text(path: str | Path, text: str) -> None:
    """:func:`atomic_write_bytes` of UTF-8 text.

    Raises:
        DiskError: If there is no space left.
    """
    with full_disk_named(path):
        atomic_write_bytes(path, text.encode("utf-8"))


@contextlib.contextmanager
def atomic_directory(path: str | Path) -> Iterator[Path]:
    """A directory to fill, which takes the place of ``path`` when the block ends without an error.

    Where ``path`` is a link to a directory, the directory that it leads to is replaced.

    Yields:
        A temporary sibling of ``path``. It is removed if the block raises; one that a killed process left
        behind is removed by the next attempt.

    Raises:
        DiskError: If there is no space left.
    """
    path = Path(path).resolve()
    temporary = temporary_sibling(path)
    with full_disk_named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_stale(path)
        try:
            temporary.mkdir()
            yield temporary
            for file in temporary.rglob("*"):
                if file.is_file() and not file.is_symlink():
                    _sync(file)
            _replace_directory(temporary, path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        _sync(path.parent)


def _replace_directory(new: Path, path: Path) -> None:
    """Two renames: between them ``path`` is absent, which a rerun of its stage mends."""
    if not path.exists():
        os.rename(new, path)
        return
    old = temporary_sibling(path)
    os.rename(path, old)
    os.rename(new, path)
    shutil.rmtree(old, ignore_errors=True)


def remove_stale(path: Path) -> None:
    """Remove what killed processes of this machine have left beside ``path``; of others nothing is known."""
    for stale in path.parent.glob(f".{glob.escape(path.name)}.tmp.*"):
        machine, _, process = stale.name.rpartition(".")[2].rpartition("-")
        if machine == _machine() and process.isdigit() and not Path("/proc", process).exists():
            if stale.is_dir() and not stale.is_symlink():
                shutil.rmtree(stale, ignore_errors=True)
            else:
                stale.unlink(missing_ok=True)
