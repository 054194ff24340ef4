"""Transcripts into files: one a recording and format, or one for all, or standard output."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from espnet_ent.data.atomic import atomic_file, atomic_write_text
from espnet_ent.errors import ConfigError
from espnet_ent.export.format import Transcribed, TranscriptFormat

JOINED = "transcripts"
"""Stem of the files that hold all recordings."""
_LONGEST_STEM = 180  # bytes; file systems allow 255 for a name


def file_stem(name: str) -> str:
    """A stem for the files of a recording: its name, without what file systems and shells trip over.

    >>> file_stem("-day/1"), file_stem("..")
    ('_day_1', '_.')
    """
    stem = re.sub(r"^[-.]", "_", "".join("_" if c in "/\\" or not c.isprintable() else c for c in name)) or "_"
    data = stem.encode()
    if len(data) > _LONGEST_STEM:
        digest = hashlib.sha256(data).hexdigest()[:12]
        stem = f"{data[:_LONGEST_STEM].decode(errors='ignore')}-{digest}"
    return stem


class TranscriptWriter:
    """Writes recordings as they come, each file whole or not at all; to be used in a ``with`` statement.

    ``<name><suffix>`` in a directory, and ``transcripts<suffix>`` for formats that hold all recordings, which appears
    when all are written. Names that would meet, in letters of any case, or replace a file that is read, are numbered.

    Args:
        directory: Where to write.
        formats: Formats by name.
        protected: Files not to replace.

    Raises:
        ConfigError: If a file that holds all recordings would replace one of these.
    """

    def __init__(
        self, directory: str | Path, formats: Mapping[str, TranscriptFormat], protected: Iterable[str | Path] = ()
    ) -> None:
        self._directory = Path(directory)
        self._formats = formats
        self._taken = {_folded(Path(os.path.realpath(path))) for path in protected}
        self._joined: dict[str, BinaryIO] = {}
        self._stack = contextlib.ExitStack()
        for format_ in formats.values():
            path = self._path(JOINED, format_)
            if format_.is_joined and _folded(path) in self._taken:
                raise ConfigError("the output would replace an input", where=path, next_step="--out another_directory")
        self._taken |= {_folded(self._path(JOINED, one)) for one in formats.values() if one.is_joined}

    def __enter__(self) -> TranscriptWriter:
        self._stack.__enter__()
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            for name, format_ in self._formats.items():
                if format_.is_joined:
                    file = self._stack.enter_context(atomic_file(self._path(JOINED, format_)))
                    file.write(format_.header.encode())
                    self._joined[name] = file
        except OSError as error:
            raise ConfigError("can't write here", where=self._directory, got=error.strerror) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._stack.__exit__(kind, error, trace)

    def write(self, item: Transcribed) -> None:
        """Write a recording in all formats."""
        alone = {name: one for name, one in self._formats.items() if not one.is_joined}
        stem = self._free_stem(file_stem(item.name), alone.values())
        for format_ in alone.values():
            atomic_write_text(self._path(stem, format_), format_.header + format_.render(item))
        for name, file in self._joined.items():
            file.write(self._formats[name].render(item).encode())

    def _free_stem(self, stem: str, formats: Iterable[TranscriptFormat]) -> str:
        unique, number = stem, 1
        while True:
            paths = {_folded(self._path(unique, format_)) for format_ in formats}
            if not paths & self._taken:
                self._taken |= paths
                return unique
            number += 1
            unique = f"{stem}-{number}"

    def _path(self, stem: str, format_: TranscriptFormat) -> Path:
        return Path(os.path.realpath(self._directory)) / f"{stem}{format_.suffix}"


def _folded(path: Path) -> str:
    """A path as file systems that ignore case and normalise Unicode see it."""
    return unicodedata.normalize("NFC", str(path)).casefold()


class StreamWriter:
    """Writes recordings in one format to a stream, as they come.

    Raises:
        ConfigError: If there are several formats, or several recordings in a format that holds one.
    """

    def __init__(self, stream: BinaryIO, formats: Mapping[str, TranscriptFormat], number: int) -> None:
        if len(formats) != 1:
            raise ConfigError("standard output takes one format", where="--format", got=",".join(formats))
        ((name, self._format),) = formats.items()
        if number > 1 and not self._format.can_be_joined:
            raise ConfigError(
                f"{number} recordings can't be told apart in one stream of {name}",
                where="--out -",
                next_step="--format jsonl, rttm, ctm or csv, or --out directory",
            )
        self._stream = stream

    def __enter__(self) -> StreamWriter:
        self._stream.write(self._format.header.encode())
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.flush()

    def write(self, item: Transcribed) -> None:
        """Write a recording."""
        self._stream.write(self._format.render(item).encode())
        self._stream.flush()
