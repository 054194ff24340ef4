"""The files of a model that somebody else made: an archive or a directory, read without trust.

Archives are not unpacked: nothing in them can land outside of a directory. One that tries is refused all the same.
"""

from __future__ import annotations

import shutil
import stat
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Protocol

import yaml

from espnet_ent.errors import CheckpointError
from espnet_ent.plugin.checkpoint_files import read_checkpoint

_LARGEST_YAML = 1 << 26  # bytes; that of a model with 100,000 tokens has 2 MB
_LONGEST_REASON = 200
_ENCRYPTED = 1  # flag bit of a zip member


class SourceFiles(Protocol):
    """What an archive and a directory have in common."""

    def has(self, name: str) -> bool:
        """Whether there is a file of this name."""

    def describe(self, name: str) -> str:
        """A file for messages."""

    def read_yaml(self, name: str) -> dict[str, Any]:
        """A YAML mapping."""

    def read_state(self, name: str) -> Any:
        """A checkpoint."""


class SourceDirectory:
    """Files of a directory.

    Args:
        root: The directory.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def has(self, name: str) -> bool:
        """Whether there is a file of this name."""
        return (self.root / name).is_file()

    def describe(self, name: str) -> str:
        """A file for messages."""
        return str(self.root / name)

    def read_yaml(self, name: str) -> dict[str, Any]:
        """A YAML mapping.

        Raises:
            CheckpointError: If the file is missing or is not a mapping.
        """
        if not self.has(name):
            raise CheckpointError("file of the source is missing", where=self.describe(name))
        return _mapping((self.root / name).read_bytes(), self.describe(name))

    def read_state(self, name: str) -> Any:
        """A checkpoint.

        Raises:
            CheckpointError: If it is missing or damaged, or holds more than plain data and tensors.
        """
        return read_checkpoint(self.root / name)


class SourceZip:
    """Members of a zip file.

    Args:
        path: The file.

    Raises:
        CheckpointError: If it is damaged, or holds links, encrypted members or names that lead out of a directory.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not zipfile.is_zipfile(path):
            raise CheckpointError(
                "not a packed model, or a damaged one",
                where=path,
                expected="a zip file of ESPnet's packing stage, or a directory",
            )
        try:
            with zipfile.ZipFile(path) as archive:
                members = archive.infolist()
        except (zipfile.BadZipFile, OSError) as error:
            raise CheckpointError("packed model is damaged", where=path, got=error) from error
        for member in members:
            check_name(member.filename, path)
            if stat.S_ISLNK(member.external_attr >> 16):
                raise CheckpointError("packed model holds a link", where=path, got=member.filename)
            if member.flag_bits & _ENCRYPTED:
                raise CheckpointError("packed model is encrypted", where=path, got=member.filename)
        self._members = {member.filename: member for member in members}

    def has(self, name: str) -> bool:
        """Whether there is a member of this name."""
        return name in self._members

    def describe(self, name: str) -> str:
        """A member for messages."""
        return f"{self.path}: {name}"

    def read_yaml(self, name: str) -> dict[str, Any]:
        """A YAML mapping.

        Raises:
            CheckpointError: If the member is missing, damaged, too large or not a mapping.
        """
        with tempfile.TemporaryFile() as file:
            self._copy(name, file, _LARGEST_YAML)
            file.seek(0)
            return _mapping(file.read(), self.describe(name))

    def read_state(self, name: str) -> Any:
        """A checkpoint.

        Raises:
            CheckpointError: If it is missing or damaged, or holds more than plain data and tensors.
        """
        with tempfile.NamedTemporaryFile(suffix=".pth") as file:
            self._copy(name, file)
            file.flush()
            try:
                return read_checkpoint(file.name)
            except CheckpointError as error:
                raise CheckpointError(error.what, where=self.describe(name), got=error.got) from error

    def _copy(self, name: str, file: Any, largest: int | None = None) -> None:
        """Copy a member, held against its checksum."""
        if name not in self._members:
            raise CheckpointError("file of the source is missing", where=self.describe(name))
        size = self._members[name].file_size
        if largest is not None and size > largest:
            raise CheckpointError(
                "too large for a configuration",
                where=self.describe(name),
                expected=f"at most {largest} bytes",
                got=size,
            )
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(name) as member:
                shutil.copyfileobj(member, file)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
            raise CheckpointError(
                "packed model is damaged", where=self.describe(name), got=str(error)[:_LONGEST_REASON]
            ) from error


def check_name(name: str, where: object) -> str:
    """A file's name inside of a source.

    Raises:
        CheckpointError: If it leads out of the source.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or PureWindowsPath(name).drive:
        raise CheckpointError(
            "a file's name leads out of its directory", where=where, got=repr(name), next_step="do not trust this model"
        )
    return name


def _mapping(text: bytes, where: str) -> dict[str, Any]:
    try:
        values = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CheckpointError("not YAML", where=where, got=str(error)[:_LONGEST_REASON]) from error
    if not isinstance(values, dict):
        raise CheckpointError("not a mapping", where=where, got=type(values).__name__)
    return values
