"""What is written is whole or absent, also after a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from espnet_ent.data.atomic import atomic_directory, atomic_write_bytes, atomic_write_text
from espnet_ent.errors import DiskError


def contents(directory: Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


def test_files_are_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    atomic_write_text(path, "Grün\n")
    assert path.read_bytes() == "Grün\n".encode()
    atomic_write_bytes(path, b"\x00")
    assert contents(tmp_path) == {"new/file": b"\x00"}


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    atomic_write_text(path, "old")

    def no_space(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(DiskError, match=r"file: can't be written; got No space left on device \(\d+ bytes are free\)"):
        atomic_write_text(path, "new")
    with pytest.raises(OSError, match="No space"):
        atomic_write_bytes(path, b"new")
    assert contents(tmp_path) == {"file": b"old"}


def test_a_directory_appears_at_the_end(tmp_path: Path) -> None:
    with atomic_directory(tmp_path / "a" / "out") as root:
        (root / "sub").mkdir()
        (root / "sub" / "file").write_text("1")
        assert not (tmp_path / "a" / "out").exists()
    assert contents(tmp_path) == {"a/out/sub/file": b"1"}


def test_a_directory_is_replaced_as_a_whole(tmp_path: Path) -> None:
    for number in range(2):
        with atomic_directory(tmp_path / "out") as root:
            (root / f"file{number}").touch()
    assert contents(tmp_path) == {"out/file1": b""}


def test_an_error_leaves_the_old_directory(tmp_path: Path) -> None:
    with atomic_directory(tmp_path / "out") as root:
        (root / "file").write_text("old")
    with pytest.raises(FileNotFoundError, match="missing"), atomic_directory(tmp_path / "out") as root:
        (root / "file").write_bytes(Path(tmp_path, "missing").read_bytes())
    assert contents(tmp_path) == {"out/file": b"old"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_link_to_a_directory_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk")
    with atomic_directory(tmp_path / "out") as root:
        (root / "file").touch()
    assert (tmp_path / "out").is_symlink()
    assert contents(tmp_path / "disk") == {"file": b""}


def test_two_directories_at_once_and_one_inside_the_other(tmp_path: Path) -> None:
    with atomic_directory(tmp_path / "out") as root:
        with atomic_directory(root / "inner") as inner:
            (inner / "file").touch()
        with atomic_directory(tmp_path / "other") as other:
            (other / "file").touch()
    assert sorted(contents(tmp_path)) == ["other/file", "out/inner/file"]


KILLED = """
import sys, time
from espnet_ent.data.atomic import atomic_directory
with atomic_directory(sys.argv[1]) as root:
    (root / "file").write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


def test_a_killed_process_leaves_nothing_that_looks_finished(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", KILLED, tmp_path / "o*t"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"writing\n"
    with atomic_directory(tmp_path / "o*t") as root:  # beside one that is at work: both go on
        (root / "file").write_text("whole")
    assert len(list(tmp_path.iterdir())) == 2
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert contents(tmp_path / "o*t") == {"file": b"whole"}
    with atomic_directory(tmp_path / "o*t") as root:
        (root / "file").write_text("again")
    assert contents(tmp_path) == {"o*t/file": b"again"}


def test_threads_do_not_share_a_temporary_name(tmp_path: Path) -> None:
    barrier = threading.Barrier(8)
    failures: list[Exception] = []

    def write(number: int) -> None:
        barrier.wait()
        try:
            for _ in range(5):
                atomic_write_text(tmp_path / "file", f"{number}" * 1000)
        except OSError as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    text = (tmp_path / "file").read_text()
    assert text == text[0] * 1000
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_disk_that_fills_while_a_directory_is_made_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(DiskError, match=r"out: can't be written; got No space left on device.*next: free space"),
        atomic_directory(tmp_path / "out"),
    ):
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []
