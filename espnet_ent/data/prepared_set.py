"""Take over a data directory that another recipe or tool has made."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from espnet_ent.data.atomic import atomic_directory
from espnet_ent.data.datadir import read_data_dir, write_tables
from espnet_ent.errors import DataError

_PLACES = ("utt2session", "utt2dialog")


def copy_prepared_set(source: str | Path, out: str | Path) -> int:
    """Copy a data directory so that its audio is found from anywhere.

    Relative audio paths are those of the folder in which the set was made; it is taken to be the nearest folder above
    the set under which the first recording lies (or the present one). Utterances, labels, intervals, sessions and
    dialogs are kept; other files are not.

    Args:
        source: Data directory; it is not touched.
        out: Data directory to make.

    Returns:
        Number of utterances.

    Raises:
        DataError: If the directory is missing or malformed, or its audio is not found.
    """
    source = Path(source)
    utterances = read_data_dir(source)
    if not utterances:
        raise DataError("no utterance in the set", where=source)
    base = _base(source, _file_of(utterances[0].audio))
    with atomic_directory(out) as root:
        write_tables(root, [replace(utterance, audio=str(base / utterance.audio)) for utterance in utterances])
        for name in _PLACES:
            if (source / name).is_file():
                shutil.copyfile(source / name, root / name)
    return len(utterances)


def _file_of(audio: str) -> Path:
    """The file of an entry ``path`` or ``file.ark:offset``."""
    file, colon, offset = audio.rpartition(":")
    return Path(file if colon and offset.isdecimal() else audio)


def _base(source: Path, audio: Path) -> Path:
    for folder in _folders(source):
        if (folder / audio).is_file():
            return folder
    raise DataError(
        "audio of the set is not found",
        where=source / "wav.scp",
        expected="an absolute path, or one from a folder above the set",
        got=audio,
    )


def _folders(source: Path) -> Iterator[Path]:
    yield from source.resolve().parents
    yield Path.cwd()
