"""What an output was made from, so that a finished stage is recognised and left alone."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from espnet_ent.data.atomic import atomic_write_text
from espnet_ent.data.audio import MISSING_AUDIO
from espnet_ent.errors import AudioError

PROVENANCE = "made_from.json"
GIVEN_TEXT = "emotion_text"
"""Key of the text that the utterance head of a decoding was given in place of the recognised one."""
_HOLDS = "holds"
_ARK_OFFSET = re.compile(r"(?<=\.ark):\d+$")


def digest_files(paths: Iterable[Path]) -> str:
    """SHA-256 over names and contents of files, in sorted order; what is not a file is left out."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        if path.is_file():
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def digest_data_dir(directory: str | Path) -> str:
    """SHA-256 over the tables of a data directory (not its audio)."""
    directory = Path(directory)
    return digest_files(directory.iterdir()) if directory.is_dir() else ""


def digest_audio(sources: Iterable[str]) -> str:
    """SHA-256 over the content of audio files, or of the arks that hold entries ``file.ark:offset``.

    Raises:
        AudioError: If a file is missing.
    """
    digest = hashlib.sha256()
    for path in dict.fromkeys(_ARK_OFFSET.sub("", source) for source in sources):
        if path.endswith("|"):
            continue  # for the audio reader to refuse
        try:
            with open(path, "rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        except OSError:
            raise AudioError("audio file is missing", where=path, next_step=MISSING_AUDIO) from None
    return digest.hexdigest()


def write_provenance(directory: Path, made_from: Mapping[str, object], holds: Iterable[Path] | None = None) -> None:
    """Record inside a directory what it was made from, and which files it must hold (default: all that it has)."""
    paths = directory.rglob("*") if holds is None else holds
    names = sorted(str(path.relative_to(directory)) for path in paths if path.is_file() and path.name != PROVENANCE)
    text = json.dumps({**made_from, _HOLDS: names}, indent=2, sort_keys=True) + "\n"
    atomic_write_text(directory / PROVENANCE, text)


def is_made_from(directory: str | Path, made_from: Mapping[str, object]) -> bool:
    """Whether a finished directory was made from exactly this, and still holds all of its files."""
    record = read_provenance(directory)
    if record is None:
        return False
    names = record.pop(_HOLDS, [])
    return record == made_from and all(Path(directory, name).is_file() for name in names)


def read_provenance(directory: str | Path) -> dict[str, Any] | None:
    """What a finished directory says that it was made from; None if it does not tell, or the file is damaged."""
    path = Path(directory, PROVENANCE)
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
