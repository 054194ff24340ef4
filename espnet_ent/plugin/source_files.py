"""The files of a model that somebody else made: an archive or a directory, read without trust.

Archives are not unpacked: nothing in them can land outside of a directory. One that tries is refused all the same.
"""

from __future__ import annotations

import io
import shutil
import tempfile
from pathlib import Path
from typing import Any, Protocol

from espnet_ent.data.yaml_files import parse_untrusted_yaml
from espnet_ent.errors import CheckpointError
from espnet_ent.plugin.archives import Archive
from espnet_ent.plugin.checkpoint_files import read_checkpoint

_LARGEST_YAML = 1 << 24  # bytes; that of a model with 100,000 tokens has 2 MB


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

    def copy(self, name: str, target: Path) -> None:
        """Copy a file as it is."""


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
        return parse_untrusted_yaml((self.root / name).read_bytes(), self.describe(name))

    def read_state(self, name: str) -> Any:
        """A checkpoint.

        Raises:
            CheckpointError: If it is missing or damaged, or holds more than plain data and tensors.
        """
        return read_checkpoint(self.root / name)

    def copy(self, name: str, target: Path) -> None:
        """Copy a file as it is; errors as :meth:`read_yaml`."""
        if not self.has(name):
            raise CheckpointError("file of the source is missing", where=self.describe(name))
        shutil.copyfile(self.root / name, target)


class SourceArchive:
    """Members of a zip or tar file, which is not unpacked.

    Args:
        path: The file.

    Raises:
        CheckpointError: If it is damaged, or holds what no packed model holds (see :mod:`espnet_ent.plugin.archives`).
    """

    def __init__(self, path: Path) -> None:
        self._archive = Archive(path)

    def has(self, name: str) -> bool:
        """Whether there is a member of this name."""
        return name in self._archive

    def describe(self, name: str) -> str:
        """A member for messages."""
        return self._archive.describe(name)

    def read_yaml(self, name: str) -> dict[str, Any]:
        """A YAML mapping.

        Raises:
            CheckpointError: If the member is missing, damaged, too large or not a mapping.
        """
        size = self._archive.sizes.get(name, 0)
        if size > _LARGEST_YAML:
            raise CheckpointError(
                "too large for a configuration",
                where=self.describe(name),
                expected=f"at most {_LARGEST_YAML} bytes",
                got=size,
            )
        file = io.BytesIO()
        self._archive.copy(name, file)
        return parse_untrusted_yaml(file.getvalue(), self.describe(name))

    def read_state(self, name: str) -> Any:
        """A checkpoint.

        Raises:
            CheckpointError: If it is missing or damaged, or holds more than plain data and tensors.
        """
        with tempfile.NamedTemporaryFile(suffix=".pth") as file:
            self._archive.copy(name, file)
            file.flush()
            try:
                return read_checkpoint(file.name)
            except CheckpointError as error:
                raise CheckpointError(error.what, where=self.describe(name), got=error.got) from error

    def copy(self, name: str, target: Path) -> None:
        """Copy a file as it is; errors as :meth:`read_yaml`."""
        with target.open("xb") as file:
            self._archive.copy(name, file)
