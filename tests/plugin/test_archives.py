"""One hostile archive for each kind of attack: refused in one line, and nothing is written."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import re
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from espnet_ent.bin import ent_unpack
from espnet_ent.bin.command import run
from espnet_ent.errors import CheckpointError
from espnet_ent.plugin.archives import Archive, ArchiveLimits
from espnet_ent.plugin.packs import open_pack, unpack

pytestmark = pytest.mark.security
_LIMITS = ArchiveLimits(most_members=20, most_bytes=1 << 22, most_ratio=50, free_bytes=1 << 16)
Make = Callable[[Path], Path]


def _zip(*members: tuple[str | zipfile.ZipInfo, bytes], compressed: bool = False) -> Make:
    def make(folder: Path) -> Path:
        kind = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
        with zipfile.ZipFile(folder / "evil.zip", "w", kind) as archive:
            for name, data in members:
                archive.writestr(name, data)
        return folder / "evil.zip"

    return make


def _zip_member(name: str, mode: int) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name)
    member.create_system, member.external_attr = 3, (mode | 0o644) << 16
    return member


def _tar(*members: tuple[str, bytes, str], opener: Callable = open) -> Make:
    """Members: name, kind of tar, content or target of a link."""

    def make(folder: Path) -> Path:
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w") as archive:
            for name, kind, text in members:
                member = tarfile.TarInfo(name)
                member.type, member.linkname = kind, text if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
                member.size = len(text) if kind == tarfile.REGTYPE else 0
                archive.addfile(member, io.BytesIO(text.encode()))
        with opener(folder / "evil.tar", "wb") as file:
            file.write(content.getvalue())
        return folder / "evil.tar"

    return make


def _huge_tar_header(kind: bytes) -> Make:
    """A long name, or extended headers, of 64 MiB, which a reader takes into memory in one piece."""

    def make(folder: Path) -> Path:
        member = tarfile.TarInfo("././@LongLink")
        member.type, member.size = kind, 64 << 20
        with gzip.open(folder / "evil.tar.gz", "wb") as file:
            file.write(member.tobuf(tarfile.GNU_FORMAT))
            for _ in range(64):
                file.write(bytes(1 << 20))
        return folder / "evil.tar.gz"

    return make


def _huge_zip_directory(folder: Path) -> Path:
    """A table of contents of 8 MiB."""
    _zip(("a", b"a"))(folder)
    whole = (folder / "evil.zip").read_bytes()
    end = whole.rindex(b"PK\5\6")
    padding = bytes(8 << 20)
    size, offset = struct.unpack_from("<II", whole, end + 12)
    record = whole[end : end + 12] + struct.pack("<II", size + len(padding), offset) + whole[end + 20 :]
    (folder / "evil.zip").write_bytes(whole[:end] + padding + record)
    return folder / "evil.zip"


def _patched_zip(find: bytes, field: int, value: bytes) -> Make:
    """A zip of one member whose header is changed at an offset from a signature."""

    def make(folder: Path) -> Path:
        path = _zip(("a", b"a" * 1000), compressed=True)(folder)
        data = bytearray(path.read_bytes())
        start = data.index(find) + field
        data[start : start + len(value)] = value
        path.write_bytes(data)
        return path

    return make


def _sparse_tar(folder: Path) -> Path:
    """A file of a terabyte of which nothing is stored."""
    member = tarfile.TarInfo("a.pth")
    header = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    header[156:157] = tarfile.GNUTYPE_SPARSE
    header[483:495] = b"%011o\0" % (1 << 32)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    (folder / "evil.tar").write_bytes(bytes(header) + bytes(1024))
    return folder / "evil.tar"


_FILE, _LINK, _HARD = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
_LEADS_OUT = "a file's name leads out of its directory"
HOSTILE: dict[str, tuple[Make, str]] = {
    "zip absolute": (_zip(("/tmp/evil", b"x")), _LEADS_OUT),
    "zip parent": (_zip(("../evil", b"x")), _LEADS_OUT),
    "zip parent inside": (_zip(("a/../../evil", b"x")), _LEADS_OUT),
    "zip drive": (_zip(("C:evil", b"x")), _LEADS_OUT),
    "zip backslash": (_zip(("a\\..\\..\\evil", b"x")), _LEADS_OUT),
    "zip empty part": (_zip(("a//b", b"x")), "not a name for a file"),
    "zip control character": (_zip(("a\nb", b"x")), "not a name for a file"),
    "zip long name": (_zip(("a" * 300, b"x")), "not a name for a file"),
    "zip link": (_zip((_zip_member("a", stat.S_IFLNK), b"/etc/passwd")), "packed model holds a link"),
    "zip device": (_zip((_zip_member("a", stat.S_IFCHR), b"")), "packed model holds a device file"),
    "zip pipe": (_zip((_zip_member("a", stat.S_IFIFO), b"")), "packed model holds a device file"),
    "zip case": (_zip(("config.yaml", b"x"), ("Config.yaml", b"y")), "differ in case alone"),
    "zip unicode forms": (_zip(("e\u0301", b"x"), ("\u00e9", b"y")), "differ in case alone"),
    "zip file as folder": (_zip(("a", b"x"), ("a/b", b"y")), "a file that is also a folder"),
    "zip many": (_zip(*((f"f{number}", b"") for number in range(30))), "packed model holds too many files"),
    "zip ratio": (_zip(("a", bytes(1 << 20)), compressed=True), "packed model is a decompression bomb"),
    "zip size": (_zip(("a", os.urandom(1 << 10) * 5000)), "packed model is a decompression bomb"),
    "zip huge directory": (_huge_zip_directory, "packed model is a decompression bomb; got a header of "),
    "zip encrypted": (_patched_zip(b"PK\1\2", 8, b"\1\0"), "packed model is encrypted"),
    "zip unusual compression": (_patched_zip(b"PK\1\2", 10, b"\x0e\0"), "compressed in an unusual way"),
    "tar absolute": (_tar(("/tmp/evil", _FILE, "x")), _LEADS_OUT),
    "tar parent": (_tar(("../evil", _FILE, "x")), _LEADS_OUT),
    "tar link": (_tar(("a", _LINK, "/etc"), ("a/passwd", _FILE, "x")), "packed model holds a link"),
    "tar hard link": (_tar(("a", _HARD, "/etc/passwd")), "packed model holds a link"),
    "tar device": (_tar(("a", tarfile.CHRTYPE, "")), "packed model holds a device file"),
    "tar block device": (_tar(("a", tarfile.BLKTYPE, "")), "packed model holds a device file"),
    "tar pipe": (_tar(("a", tarfile.FIFOTYPE, "")), "packed model holds a device file"),
    "tar sparse": (_sparse_tar, "packed model holds a sparse file"),
    "tar twice": (_tar(("a", _FILE, "x"), ("a", _FILE, "y")), "packed model holds a file twice"),
    "tar case": (_tar(("a/B", _FILE, "x"), ("A/b", _FILE, "y")), "differ in case alone"),
    "tar many": (_tar(*((f"f{number}", _FILE, "") for number in range(30))), "too many files"),
    "tar.gz bomb": (_tar(("a", _FILE, "0" * (1 << 20)), opener=gzip.open), "packed model is a decompression bomb"),
    "tar.bz2 bomb": (_tar(("a", _FILE, "0" * (1 << 20)), opener=bz2.open), "packed model is a decompression bomb"),
    "tar.xz bomb": (_tar(("a", _FILE, "0" * (1 << 20)), opener=lzma.open), "packed model is a decompression bomb"),
    "tar huge name": (_huge_tar_header(tarfile.GNUTYPE_LONGNAME), "a header of "),
    "tar huge extended header": (_huge_tar_header(tarfile.XHDTYPE), "a header of "),
}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which everything happens, temporary files included."""
    for name in ("tmp", "made", "here"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_archive_is_refused_by_name_and_nothing_is_written(world: Path, kind: str) -> None:
    make, complaint = HOSTILE[kind]
    archive = make(world / "made")
    before = sorted(world.rglob("*"))
    for refuse in (lambda: Archive(archive, _LIMITS), lambda: unpack(archive, world / "here", _LIMITS)):
        with pytest.raises(CheckpointError, match=re.escape(complaint)) as raised:
            refuse()
        assert "\n" not in str(raised.value)
        assert str(archive) in str(raised.value)
    assert sorted(world.rglob("*")) == before
    assert not Path("/tmp/evil").exists()


def test_a_file_twice_in_a_zip_is_refused(world: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive = _zip(("a", b"x"), ("a", b"y"))(world / "made")
    with pytest.raises(CheckpointError, match="packed model holds a file twice; got a; next: do not trust"):
        Archive(archive)


@pytest.mark.parametrize("larger", [True, False])
def test_a_size_that_is_not_true_is_found(world: Path, larger: bool) -> None:
    """The table of contents tells another size than the data has."""
    size = struct.pack("<I", 2000 if larger else 10)
    archive = Archive(_patched_zip(b"PK\1\2", 24, size)(world / "made"))
    with pytest.raises(CheckpointError, match="packed model is damaged"):
        archive.extract(world / "here")
    assert sum(path.stat().st_size for path in (world / "here").iterdir()) <= 2000


@pytest.mark.parametrize("make", [_zip(("a/b", b"x" * 5000)), _tar(("a/b", _FILE, "x" * 5000), opener=gzip.open)])
def test_a_cut_archive_is_damaged(world: Path, make: Make) -> None:
    path = make(world / "made")
    whole = path.read_bytes()
    for length in (0, 1, 20, len(whole) // 2, len(whole) - 30):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r"packed model is damaged|not a packed model, or a damaged one"):
            Archive(path).extract(world / "here")


@pytest.mark.parametrize("opener", [open, gzip.open, bz2.open, lzma.open])
def test_what_was_packed_comes_out(world: Path, opener: Callable) -> None:
    text = "".join(chr(97 + number % 26) * (number % 7) for number in range(50_000))
    members = [("./a", _FILE, "x"), ("d", tarfile.DIRTYPE, ""), ("d/b", _FILE, text), ("e", _FILE, "")]
    archive = Archive(_tar(*members, opener=opener)(world / "made"))
    assert archive.sizes == {"a": 1, "d/b": len(text), "e": 0}
    archive.extract(world / "here")
    found = {path.relative_to(world / "here").as_posix(): path for path in (world / "here").rglob("*")}
    assert sorted(found) == ["a", "d", "d/b", "e"]
    assert found["d/b"].read_text() == text
    copied = io.BytesIO()
    archive.copy("d/b", copied)
    assert copied.getvalue() == text.encode()
    with pytest.raises(CheckpointError, match=r"evil\.tar: d: file of the source is missing"):
        archive.copy("d", copied)


def test_the_command_ends_with_one_line_and_status_2(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive = _zip(("../evil", b"x"))(world / "made")
    with pytest.raises(SystemExit) as ended:
        run(lambda: ent_unpack.main([str(archive), "--out", "model"]))
    assert ended.value.code == 2
    complaint = f": error: {archive}: {_LEADS_OUT}; got '../evil'; next: do not trust this model\n"
    assert capsys.readouterr().err.partition(": error: ")[1:] == complaint.partition(": error: ")[1:]
    assert list((world / "here").iterdir()) == []
    assert not (world / "evil").exists()


def test_a_packed_model_that_is_no_model_of_this_package_is_refused(world: Path) -> None:
    archive = _zip(("meta.yaml", b"a: 1"))(world / "made")
    with pytest.raises(CheckpointError, match=r"not a packed model of this package; expected manifest\.json in it"):
        open_pack(archive).__enter__()
