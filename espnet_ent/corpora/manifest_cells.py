"""Values of a manifest's cells: each function tells what is wrong rather than stop."""

from __future__ import annotations

import math
import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

_INTERVAL = re.compile(r"\s*([^\s:|-][^\s:|]*?)-([^\s:|]+):([^:|]*)")
_LABEL_KEYS = ("emotion", "label", "emo")
_WHITE_SPACE = "\t\n\r"
MAX_ID_BYTES = 200
"""Stage 3 names audio files after identifiers; file systems allow 255 bytes."""


class CellError(Exception):
    """A cell is not as it should be.

    Args:
        kind: What is wrong, without particulars.
        detail: Particulars.
    """

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(kind)
        self.kind = kind
        self.detail = detail


@dataclass(frozen=True)
class RawInterval:
    """An emotion interval as the manifest says it, in seconds from the utterance's start."""

    start: float
    end: float
    label: str


def text_of(column: str, value: Any) -> str:
    """A cell as text without surrounding white space; numbers of JSON in digits.

    Raises:
        CellError: If the value is of another type, or holds control characters (white space in transcripts aside).
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise CellError("value of the wrong type", f"column {column}: expected a text, got {_type_name(value)}")
    if column in ("audio", "transcript", "split") and not isinstance(value, str):
        raise CellError("value of the wrong type", f"column {column}: expected a text, got the number {value}")
    text = str(value)
    allowed = _WHITE_SPACE if column == "transcript" else ""
    control = sorted({c for c in text if unicodedata.category(c) in ("Cc", "Zl", "Zp") and c not in allowed})
    if control:
        named = " ".join(f"U+{ord(character):04X}" for character in control)
        raise CellError("control character", f"{named} in column {column}")
    return text.strip()


def seconds_of(column: str, text: str) -> float:
    """A time.

    Raises:
        CellError: If it is no number, not finite, or negative.
    """
    try:
        seconds = float(text)
    except ValueError:
        raise CellError("not a number", f"column {column}: expected seconds, got {text!r}") from None
    if not math.isfinite(seconds):
        raise CellError("time is not finite", f"column {column}: {text}")
    if seconds < 0:
        raise CellError("negative time", f"column {column}: {text}")
    return seconds


def intervals_of(value: Any) -> list[RawInterval]:
    """Emotion intervals: a list of ``{"start": s, "end": s, "emotion": label}``, or ``s-e:label|s-e:label``.

    >>> intervals_of("0.5-1:ang")
    [RawInterval(start=0.5, end=1.0, label='ang')]

    Raises:
        CellError: If an interval is malformed, empty, reversed, or overlaps another.
    """
    if isinstance(value, str):
        parts: Sequence[Any] = text_of("emo_segments", value).split("|")
    elif isinstance(value, list):
        parts = value
    else:
        detail = f"column emo_segments: expected a list or a text, got {_type_name(value)}"
        raise CellError("value of the wrong type", detail)
    intervals = [_interval(part) for part in parts]
    ordered = sorted(intervals, key=lambda interval: interval.start)
    for previous, following in pairwise(ordered):
        if following.start < previous.end:
            raise CellError("emotion intervals overlap", f"{_shown(previous)} and {_shown(following)}")
    return intervals


def _interval(part: Any) -> RawInterval:
    if isinstance(part, str):
        match = _INTERVAL.fullmatch(part)
        found = match.groups() if match else None
    elif isinstance(part, Mapping):
        label = next((part[key] for key in _LABEL_KEYS if key in part), None)
        found = (part.get("start"), part.get("end"), label)
    else:
        found = None
    if found is None or not isinstance(found[2], str) or not found[2].strip():
        raise CellError("malformed emotion interval", f"expected start, end and emotion, got {part!r}")
    try:
        start, end = (seconds_of("emo_segments", text_of("emo_segments", time)) for time in found[:2])
    except CellError as error:
        raise CellError("malformed emotion interval", f"{error.kind}: {part!r}") from None
    if start >= end:
        raise CellError("empty or reversed emotion interval", f"{start:g} to {end:g} s")
    return RawInterval(start, end, text_of("emo_segments", found[2]))


def identifier_of(column: str, text: str) -> str:
    """A name of an utterance, speaker, session or dialog.

    Raises:
        CellError: If it holds white space, or is no file name where it is an utterance's.
    """
    kind = "identifier" if column == "id" else column
    if text in ("", "-"):
        raise CellError(f"{kind} is empty")
    if len(text.split()) > 1:
        raise CellError(f"{kind} with white space", repr(text))
    if column == "id" and "/" in text:
        raise CellError(f"{kind} with a slash", repr(text))
    if len(text.encode()) > MAX_ID_BYTES:
        raise CellError(f"{kind} is too long", f"{len(text.encode())} bytes, at most {MAX_ID_BYTES}")
    return text


def audio_path_of(text: str, root: Path) -> str:
    """Path of an audio file; a relative one is below ``root``.

    Raises:
        CellError: If there is no path, it is a command, leads out of the root, or leads to no file.
    """
    if text in ("", "-"):
        raise CellError("audio is empty", "expected a path")
    if text.endswith("|"):
        raise CellError("a command in place of a file", f"{text}; run it once and name the file it makes")
    if not os.path.isabs(text) and os.path.normpath(text).split(os.sep)[0] == os.pardir:
        raise CellError("path leads out of the audio root", f"{text}; give an absolute path, or another --audio_root")
    path = os.path.normpath(root / text)
    if os.path.isdir(path):
        raise CellError("audio is a directory", path)
    if not os.path.isfile(path):
        raise CellError("audio file is missing", path)
    return path


def _shown(interval: RawInterval) -> str:
    return f"{interval.start:g}-{interval.end:g}:{interval.label}"


def _type_name(value: Any) -> str:
    names = {
        bool: "true or false",
        list: "a list",
        dict: "an object",
        int: "a number",
        float: "a number",
        str: "a text",
    }
    return names.get(type(value), "null")
