"""Archives that somebody else made, read without trust: all of their members are looked at before any is.

Zip files, and tar files as they are or compressed (gzip, bzip2, xz), told apart by content. What is refused: names that
lead out of a directory, names that a file system may take for one another, members that are no plain files (links,
devices, sparse files), encryption, and members or headers that are far larger than what the archive takes on the disk.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Any

from espnet_ent.errors import CheckpointError
from espnet_ent.plugin.bounded_file import BoundedFile, TooMuchError

_LONGEST_REASON = 200
_LONGEST_NAME = 1024
_LONGEST_PART = 255
_CHUNK = 1 << 20  # bytes
_ENCRYPTED = 1  # flag bit of a zip member
_DO_NOT_TRUST = "do not trust this model"
_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError)
_COMPRESSED = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\x00", lzma.open))


@dataclass(frozen=True)
class ArchiveLimits:
    """What an archive may hold.

    Attributes:
        most_members: Number of members.
        most_bytes: Bytes of all members together.
        most_ratio: Their size as a multiple of the archive's own.
        free_bytes: Below this size the ratio does not matter.
    """

    most_members: int = 10_000
    most_bytes: int = 32 << 30
    most_ratio: int = 100
    free_bytes: int = 32 << 20


class Archive:
    """A zip or tar file whose members have been looked at; nothing is unpacked unless :meth:`extract` is called.

    Args:
        path: The file.
        limits: What it may hold.

    Attributes:
        sizes: Bytes of each plain file in it, by name.

    Raises:
        CheckpointError: If it is damaged, or holds what no packed model holds.
    """

    def __init__(self, path: str | Path, limits: ArchiveLimits | None = None) -> None:
        self.path = Path(path)
        self.limits = limits or ArchiveLimits()
        self._headers: dict[str, Any] = {}
        is_tar = _is_tar(self.path)  # first: one whose last member is a zip file looks like a zip file from its end
        self._is_zip = not is_tar and zipfile.is_zipfile(self.path)
        if not self._is_zip and not is_tar:
            raise CheckpointError(
                "not a packed model, or a damaged one",
                where=self.path,
                expected="a zip or tar file of ESPnet's packing stage, or a directory",
            )
        with self._explained():
            self.sizes = dict(self._survey())

    def __contains__(self, name: str) -> bool:
        return name in self.sizes

    def describe(self, name: str) -> str:
        """A member for messages."""
        return f"{self.path}: {name}"

    def copy(self, name: str, file: IO[bytes]) -> None:
        """Copy a member, held against its size and, in a zip file, its checksum.

        Raises:
            CheckpointError: If it is missing or damaged.
        """
        if name not in self.sizes:
            raise CheckpointError("file of the source is missing", where=self.describe(name))
        with self._explained(name), self._open() as opened:
            self._copy(opened, name, file)

    def extract(self, directory: str | Path) -> None:
        """Write all members below an empty directory, as plain files.

        Raises:
            CheckpointError: If a member is damaged.
        """
        with self._open() as opened:
            for name in self.sizes:
                target = Path(directory, name)
                target.parent.mkdir(parents=True, exist_ok=True)
                with self._explained(name), target.open("xb") as file:
                    self._copy(opened, name, file)

    def _copy(self, opened: Any, name: str, file: IO[bytes]) -> None:
        header = self._headers[name]
        member = opened.open(header) if self._is_zip else opened.extractfile(header)
        left = self.sizes[name]
        with member:
            while chunk := member.read(min(_CHUNK, left + 1)):
                left -= len(chunk)
                if left < 0:
                    break
                file.write(chunk)
        if left:
            raise EOFError("another size than its header tells")

    @contextmanager
    def _open(self) -> Iterator[Any]:
        """The file as the standard library sees it, through reads of bounded size."""
        with self.path.open("rb") as raw:
            if self._is_zip:
                with zipfile.ZipFile(BoundedFile(raw)) as opened:
                    yield opened
                return
            stream = _decompressed(raw)
            bound = None if stream is raw else self._most_bytes
            with tarfile.open(fileobj=BoundedFile(stream, bound), mode="r:") as opened:
                yield opened

    @property
    def _most_bytes(self) -> int:
        """Bytes that the members may have together."""
        limits = self.limits
        return min(limits.most_bytes, max(limits.free_bytes, limits.most_ratio * self.path.stat().st_size))

    def _survey(self) -> Iterator[tuple[str, int]]:
        """Names and sizes of the plain files, once all members are as they should be."""
        files: dict[str, int] = {}
        names: dict[str, str] = {}
        total = 0
        with self._open() as opened:
            for number, info in enumerate(opened.infolist() if self._is_zip else opened, 1):
                member = _of_zip(info) if self._is_zip else _of_tar(info)
                if number > self.limits.most_members:
                    self._refuse("packed model holds too many files", f"more than {self.limits.most_members}")
                if member.is_directory and member.name in (".", "./"):
                    continue
                name = check_name(member.name.removeprefix("./").removesuffix("/"), self.path)
                if member.fault:
                    self._refuse(f"packed model {member.fault}", name)
                key = _folded(name)
                is_new = key not in names
                if names.setdefault(key, name) != name:
                    self._refuse("names in the packed model differ in case alone", f"{names[key]} and {name}")
                if not is_new and (name in files or not member.is_directory):
                    self._refuse("packed model holds a file twice", name)
                total += member.size
                if total > self._most_bytes:
                    self._refuse("packed model is a decompression bomb", f"{name}: more than {self._most_bytes} bytes")
                if not member.is_directory:
                    files[name] = member.size
                    self._headers[name] = info
        _check_folders(files, self.path)
        yield from files.items()

    def _refuse(self, what: str, got: str) -> None:
        raise CheckpointError(what, where=self.path, got=got, next_step=_DO_NOT_TRUST)

    @contextmanager
    def _explained(self, name: str | None = None) -> Iterator[None]:
        try:
            yield
        except TooMuchError as error:
            raise CheckpointError(
                "packed model is a decompression bomb", where=self.path, got=error, next_step=_DO_NOT_TRUST
            ) from error
        except (*_DAMAGE, ValueError, RuntimeError) as error:
            raise CheckpointError(
                "packed model is damaged",
                where=self.path if name is None else self.describe(name),
                got=str(error)[:_LONGEST_REASON],
            ) from error


@dataclass(frozen=True)
class _Member:
    """What a header tells; ``fault`` says why it is refused."""

    name: str
    size: int
    is_directory: bool
    fault: str | None


def _of_zip(info: zipfile.ZipInfo) -> _Member:
    kind = stat.S_IFMT(info.external_attr >> 16)
    fault = None
    if kind == stat.S_IFLNK:
        fault = "holds a link"
    elif kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        fault = "holds a device file"
    elif info.flag_bits & _ENCRYPTED:
        fault = "is encrypted"
    elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        fault = "is compressed in an unusual way"
    return _Member(info.orig_filename, info.file_size, info.is_dir(), fault)


def _of_tar(info: tarfile.TarInfo) -> _Member:
    fault = None
    if info.issym() or info.islnk():
        fault = "holds a link"
    elif info.issparse():
        fault = "holds a sparse file"
    elif info.isdev():
        fault = "holds a device file"
    elif not info.isreg() and not info.isdir():
        fault = "holds something that is no file"
    return _Member(info.name, info.size, info.isdir(), fault)


def check_name(name: str, where: object) -> str:
    """A file's name inside of a source.

    Raises:
        CheckpointError: If it leads out of the source, or is none that every file system takes.
    """
    path, parts = PurePosixPath(name), name.split("/")
    if path.is_absolute() or ".." in parts or "\\" in name or PureWindowsPath(name).drive:
        raise CheckpointError(
            "a file's name leads out of its directory", where=where, got=repr(name), next_step=_DO_NOT_TRUST
        )
    is_printable = name.isprintable() and not any("\ud800" <= letter <= "\udfff" for letter in name)
    is_short = len(name.encode(errors="replace")) <= _LONGEST_NAME
    is_short = is_short and all(len(part.encode(errors="replace")) <= _LONGEST_PART for part in parts)
    if not (is_printable and is_short) or {"", "."} & set(parts):
        raise CheckpointError(
            "not a name for a file", where=where, got=repr(name)[:_LONGEST_REASON], next_step=_DO_NOT_TRUST
        )
    return name


def _check_folders(files: dict[str, int], where: Path) -> None:
    """Refuse a file that is also the folder of another."""
    folded = {_folded(name) for name in files}
    for name in folded:
        for parent in PurePosixPath(name).parents:
            if str(parent) in folded:
                raise CheckpointError(
                    "packed model holds a file that is also a folder",
                    where=where,
                    got=str(parent),
                    next_step=_DO_NOT_TRUST,
                )


def _folded(name: str) -> str:
    """What some file systems make of a name."""
    return unicodedata.normalize("NFC", name).casefold()


def _decompressed(file: IO[bytes]) -> Any:
    """A file's content, decompressed if its first bytes say so."""
    start = file.read(8)
    file.seek(0)
    for magic, opener in _COMPRESSED:
        if start.startswith(magic):
            return opener(file, "rb")
    return file


def _is_tar(path: Path) -> bool:
    """Whether it begins as a tar file does; compressed or not."""
    try:
        with path.open("rb") as raw:
            header = _decompressed(raw).read(512)
    except _DAMAGE:
        return False
    return len(header) == 512 and header[257:262] == b"ustar"
