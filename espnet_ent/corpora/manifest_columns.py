"""Columns of a manifest: what they are called, and how a user maps other names."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence

from espnet_ent.errors import ConfigError

COLUMNS: dict[str, tuple[str, ...]] = {
    "audio": ("audio", "file", "path", "wav", "audio_path", "filename"),
    "id": ("id", "utt_id", "utterance", "utterance_id"),
    "speaker": ("speaker", "speaker_id", "spk"),
    "emotion": ("emotion", "label", "emo"),
    "transcript": ("transcript", "transcription", "text", "sentence"),
    "split": ("split", "part", "subset"),
    "start": ("start", "start_time"),
    "end": ("end", "end_time"),
    "emo_segments": ("emo_segments", "segments", "intervals"),
    "session": ("session",),
    "dialog": ("dialog", "dialogue"),
}
"""Columns that are understood, each with the names by which it is found; others are left alone."""
UNUSED = "-"
"""In a mapping: no such column, in spite of its name."""


def parse_pairs(text: str, option: str) -> dict[str, str]:
    """A mapping ``key=value,key=value`` of an option; white space separates as well as a comma.

    >>> parse_pairs("audio=file,emotion=emotion4", "--columns")
    {'audio': 'file', 'emotion': 'emotion4'}

    Raises:
        ConfigError: If a part has no ``=``, or a key occurs twice.
    """
    pairs: dict[str, str] = {}
    for part in re.split(r"[,\s]+", text.strip()) if text.strip() else ():
        key, equals, value = part.partition("=")
        if not (key and equals and value):
            raise ConfigError("not a mapping", where=f"option {option}", expected="key=value,key=value", got=repr(part))
        if key in pairs:
            raise ConfigError("key occurs twice", where=f"option {option}", got=repr(key))
        pairs[key] = value
    return pairs


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint such as ``; did you mean 'angry'?``, or nothing where no known name is near."""
    by_folded = {other.lower(): other for other in known}
    matches = difflib.get_close_matches(name.lower(), by_folded, n=1)
    return f"; did you mean {by_folded[matches[0]]!r}?" if matches else ""


def check_mapping(mapping: Mapping[str, str]) -> None:
    """Refuse a column mapping with a column that is not understood.

    Raises:
        ConfigError: On such a column; it names the nearest.
    """
    for column in mapping:
        if column not in COLUMNS:
            raise ConfigError(
                f"unknown column {column!r}{nearest(column, COLUMNS)}",
                where="option --columns",
                expected=f"one of {' '.join(COLUMNS)}",
            )


def resolve_columns(header: Sequence[str], mapping: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The header's name of each column that is there, and what is wrong with the header.

    A mapped name must be in the header. Without a mapping a column is found by its own name, or by an alias, in any
    case; several aliases of one column are ambiguous.
    """
    names: dict[str, str] = {}
    problems = []
    by_folded = {name.lower(): name for name in reversed(header)}
    taken = set(mapping.values())
    for column, aliases in COLUMNS.items():
        if column in mapping:
            if mapping[column] in header:
                names[column] = mapping[column]
            elif mapping[column] != UNUSED:
                hint = nearest(mapping[column], header)
                problems.append(f"no column {mapping[column]!r}, which --columns names as {column}{hint}")
            continue
        found = [by_folded[alias] for alias in aliases if alias in by_folded and by_folded[alias] not in taken]
        if len(found) > 1 and found[0].lower() != column:
            listed = ", ".join(map(repr, found))
            problems.append(f"columns {listed} could all be the {column}; choose with --columns {column}=NAME")
        elif found:
            names[column] = found[0]
    if "audio" not in names and "audio" not in mapping:
        problems.append(f"no audio column, expected {' | '.join(COLUMNS['audio'])}, or --columns audio=NAME")
    return names, problems
