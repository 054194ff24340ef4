"""What a command is to transcribe: files, folders, patterns, wav.scp, manifests, standard input."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from espnet_ent.corpora.manifest import ManifestRow, is_empty, read_manifest
from espnet_ent.corpora.manifest_cells import CellError, audio_path_of, seconds_of, text_of
from espnet_ent.data.datadir import read_segments, read_table
from espnet_ent.data.recordings import recording_names
from espnet_ent.errors import DataError, EntError

STANDARD_INPUT = "-"
AUDIO_SUFFIXES = (
    *(".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".aifc", ".au", ".snd", ".caf"),
    *(".w64", ".rf64", ".sph", ".nist", ".voc"),
)
"""What a folder is searched for; a file that is named is read whatever it is called."""
_MANIFESTS = frozenset((".tsv", ".csv", ".jsonl", ".ndjson"))


@dataclass(frozen=True)
class AudioInput:
    """A recording to transcribe.

    Attributes:
        name: A name, unique among the inputs of a command.
        audio: A path, an entry ``file.ark:offset``, or the content of a file.
        start: Where to start in seconds; None: at the beginning.
        end: Where to end in seconds; None: at the end.
        where: What the user called it.
    """

    name: str
    audio: str | bytes
    start: float | None = None
    end: float | None = None
    where: str = ""


@dataclass(frozen=True)
class FoundInputs:
    """What the arguments of a command stand for.

    Attributes:
        inputs: Recordings, in the order of the arguments.
        errors: Arguments, lines and rows that can't be used.
        tables: Files that were read to find recordings.
    """

    inputs: tuple[AudioInput, ...]
    errors: tuple[EntError, ...]
    tables: tuple[Path, ...]


def find_inputs(arguments: Sequence[str], standard_input: Callable[[], bytes]) -> FoundInputs:
    """Recordings that arguments stand for.

    - ``-``: an audio file on standard input;
    - a data directory (with ``wav.scp`` and perhaps ``segments``), or a ``*.scp`` file;
    - another directory: all audio files in it and below it, but hidden ones;
    - a manifest (``.tsv``, ``.csv``, ``.jsonl``) with a column of audio and, if there are, of identifiers and times;
    - a pattern with ``*``, ``?``, ``[...]`` or ``**`` that is not the name of a file;
    - anything else: an audio file, which need not be there yet: reading it will tell.

    A file that is named several times is taken once. Names are identifiers of tables, or stems of files, with folders
    or numbers added where these are not unique.

    Args:
        arguments: Arguments.
        standard_input: Reads all of it; called at most once.
    """
    found: list[AudioInput] = []
    errors: list[EntError] = []
    tables: list[Path] = []
    for argument in dict.fromkeys(arguments):
        try:
            if argument == STANDARD_INPUT:
                found.append(AudioInput("stdin", standard_input(), where="standard input"))
                continue
            path = Path(argument)
            if (path / "wav.scp").is_file():
                found += _of_data_dir(path)
            elif path.is_file() and path.suffix.lower() == ".scp":
                tables.append(path)
                found += _of_scp(path)
            elif path.is_file() and path.suffix.lower() in _MANIFESTS:
                tables.append(path)
                found += _of_manifest(path, errors)
            else:
                found += [AudioInput("", file, where=file) for file in _files(argument)]
        except EntError as error:
            errors.append(error)
    return FoundInputs(tuple(_named(found)), tuple(errors), tuple(tables))


def _files(argument: str) -> list[str]:
    """Audio files of a directory or pattern, or the argument itself."""
    if os.path.isdir(argument):
        below = sorted(Path(argument).rglob("*"))
        files = [str(path) for path in below if _is_audio(path.relative_to(argument)) and path.is_file()]
        if not files:
            raise DataError("no audio file in the directory", where=argument, expected=" ".join(sorted(AUDIO_SUFFIXES)))
        return files
    if os.path.isfile(argument) or not glob.has_magic(argument):
        return [argument]
    matches = sorted(glob.glob(argument, recursive=True))
    files = [match for match in matches if os.path.isfile(match)]
    if not files:
        raise DataError("the pattern matches no file", where=argument)
    return files


def _is_audio(path: Path) -> bool:
    return path.suffix.lower() in AUDIO_SUFFIXES and not any(part.startswith(".") for part in path.parts)


def _of_scp(path: Path) -> list[AudioInput]:
    return [AudioInput(name, file, where=f"{path}: {name}") for name, file in read_table(path).items()]


def _of_data_dir(path: Path) -> Iterator[AudioInput]:
    """Recordings, or the segments that are cut from them."""
    if not (path / "segments").is_file():
        yield from _of_scp(path / "wav.scp")
        return
    recordings = read_table(path / "wav.scp")
    for name, (recording, start, end) in read_segments(path / "segments").items():
        if recording not in recordings:
            raise DataError("recording is not in wav.scp", where=f"{path / 'segments'}: {name}", got=recording)
        yield AudioInput(name, recordings[recording], start, end, where=f"{path / 'segments'}: {name}")


def _of_manifest(path: Path, errors: list[EntError]) -> list[AudioInput]:
    manifest = read_manifest(path)
    errors += [
        DataError(defect.message, where=f"{path}:{defect.line}" if defect.line else path)
        for defect in manifest.log.defects
        if not defect.warning
    ]
    found = []
    for row in manifest.rows:
        if row.cells:
            try:
                found.append(_of_row(row, path))
            except CellError as error:
                detail = f": {error.detail}" if error.detail else ""
                errors.append(DataError(error.kind + detail, where=f"{path}:{row.line}"))
    return found


def _of_row(row: ManifestRow, path: Path) -> AudioInput:
    cells = {column: value for column, value in row.cells.items() if not is_empty(value)}
    if "audio" not in cells:
        raise CellError("no audio is named")
    audio = audio_path_of(text_of("audio", cells["audio"]), path.parent)
    name = text_of("id", cells["id"]) if "id" in cells else ""
    start, end = (seconds_of(c, text_of(c, cells[c])) if c in cells else None for c in ("start", "end"))
    return AudioInput(name, audio, start, end, where=f"{path}:{row.line}: {audio}")


def _named(found: Sequence[AudioInput]) -> Iterator[AudioInput]:
    """Inputs with unique names, each file of the command line once."""
    stems = recording_names(one.audio for one in found if not one.name and isinstance(one.audio, str))
    taken = {one.name for one in found if one.name}
    seen: set[tuple[str, float | None, float | None]] = set()
    given: set[str] = set()
    for one in found:
        name = one.name
        if not name:
            assert isinstance(one.audio, str)
            identity = (os.path.realpath(one.audio), one.start, one.end)
            if identity in seen:
                continue
            seen.add(identity)
            name = stems[one.audio]
        unique, number = name, 1
        while unique in given or (unique in taken and not one.name):
            number += 1
            unique = f"{name}-{number}"
        given.add(unique)
        # A file name need not be UTF-8, output is.
        yield replace(one, name=os.fsencode(unique).decode("utf-8", errors="replace"))
