"""Rows of a manifest as entries: every cell read, checked and brought into this package's terms."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from espnet_ent.corpora.label_map import EXCLUDED, LabelMap
from espnet_ent.corpora.manifest import Manifest, ManifestRow, is_empty
from espnet_ent.corpora.manifest_cells import (
    CellError,
    RawInterval,
    audio_path_of,
    identifier_of,
    intervals_of,
    seconds_of,
    text_of,
)
from espnet_ent.corpora.splitting import part_of
from espnet_ent.data.text import normalize_text

T = TypeVar("T")


@dataclass(frozen=True)
class EntryOptions:
    """How cells are read.

    Attributes:
        audio_root: Where relative paths begin.
        tags: What becomes of bracketed tags in transcripts: ``strip`` or ``keep``.
        text_case: ``upper`` normalises transcripts, ``keep`` leaves all but white space.
        missing_emotion: ``error``, or ``exclude`` for leaving out what has no emotion while others have one.
        speaker_from_id: Pattern that finds the speaker in the identifier: its first group, or all that it matches.
        split_map: Parts (or ``-``: left out) by the manifest's own names of them.
    """

    audio_root: Path
    tags: str = "strip"
    text_case: str = "upper"
    missing_emotion: str = "error"
    speaker_from_id: re.Pattern[str] | None = None
    split_map: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Entry:
    """A row, as far as it could be read: None stands for what it does not say or what is wrong.

    Attributes:
        line: The row's line.
        audio: Path of the audio file.
        intervals: Emotion intervals with classes of the inventory, neutral ones included; None: not known.
        excluded: Why the row is left out; None where it is used.
    """

    line: int
    utt_id: str | None = None
    speaker: str | None = None
    audio: str | None = None
    text: str | None = None
    emotion: str | None = None
    intervals: tuple[RawInterval, ...] | None = None
    split: str | None = None
    start: float | None = None
    end: float | None = None
    session: str | None = None
    dialog: str | None = None
    excluded: str | None = None


def read_entries(manifest: Manifest, labels: LabelMap, options: EntryOptions) -> list[Entry]:
    """An entry for each row; what is wrong goes to the manifest's log."""
    reader = _EntryReader(manifest, labels, options)
    entries = [reader.read(row) for row in manifest.rows]
    seen: dict[str, int] = {}
    for position, entry in enumerate(entries):
        if entry.utt_id is None:
            continue
        if entry.utt_id in seen:
            manifest.log.add(
                entry.line, "identifier occurs twice", f"{entry.utt_id!r}, first on line {seen[entry.utt_id]}"
            )
            entries[position] = replace(entry, utt_id=None)
        else:
            seen[entry.utt_id] = entry.line
    return entries


class _EntryReader:
    def __init__(self, manifest: Manifest, labels: LabelMap, options: EntryOptions) -> None:
        self._log = manifest.log
        self._labels = labels
        self._options = options
        self._columns = manifest.columns
        self._with_values = {column for column in manifest.columns if manifest.has_values(column)}
        self._derived: set[str] = set()

    def read(self, row: ManifestRow) -> Entry:
        """The entry of a row."""
        if not row.cells:
            return Entry(row.line)
        audio = None
        if "audio" in self._columns:
            audio = self._try(
                row, lambda: audio_path_of(text_of("audio", row.cells["audio"]), self._options.audio_root)
            )
        start, end = self._times(row)
        utt_id = self._identifier(row, audio, start, end)
        emotion, intervals, by_label = self._emotions(row)
        split, by_split = self._split(row)
        return Entry(
            line=row.line,
            utt_id=utt_id,
            speaker=self._speaker(row, utt_id),
            audio=audio,
            text=self._text(row),
            emotion=emotion,
            intervals=intervals,
            split=split,
            start=start,
            end=end,
            session=self._optional_name(row, "session"),
            dialog=self._optional_name(row, "dialog"),
            excluded=by_split or by_label,
        )

    def _try(self, row: ManifestRow, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except CellError as error:
            self._log.add(row.line, error.kind, error.detail)
            return None

    def _identifier(self, row: ManifestRow, audio: str | None, start: float | None, end: float | None) -> str | None:
        if "id" in self._with_values:
            return self._try(row, lambda: identifier_of("id", text_of("id", row.cells["id"])))
        if audio is None:
            return None
        stem, _ = os.path.splitext(os.path.relpath(audio, self._options.audio_root))
        parts = [part for part in stem.split(os.sep) if part != os.pardir]
        name = "_".join("-".join(parts).split())
        if start is not None and end is not None:
            name += f"-{round(1000 * start):07d}-{round(1000 * end):07d}"
        unique, number = name, 1
        while unique in self._derived:
            number += 1
            unique = f"{name}-{number}"
        self._derived.add(unique)
        return self._try(row, lambda: identifier_of("id", unique))

    def _speaker(self, row: ManifestRow, utt_id: str | None) -> str | None:
        if "speaker" in self._with_values:
            return self._try(row, lambda: identifier_of("speaker", text_of("speaker", row.cells["speaker"])))
        pattern = self._options.speaker_from_id
        if pattern is None or utt_id is None:
            return utt_id
        match = pattern.search(utt_id)
        found = match and (match[1] if pattern.groups else match[0])
        if not found:
            self._log.add(row.line, "no speaker in the identifier", f"{utt_id!r} does not match {pattern.pattern!r}")
            return None
        return self._try(row, lambda: identifier_of("speaker", found))

    def _optional_name(self, row: ManifestRow, column: str) -> str | None:
        if is_empty(row.cells.get(column, "")):
            return None
        return self._try(row, lambda: identifier_of(column, text_of(column, row.cells[column])))

    def _times(self, row: ManifestRow) -> tuple[float | None, float | None]:
        given = {column for column in ("start", "end") if not is_empty(row.cells.get(column, ""))}
        if not given:
            return None, None
        if len(given) == 1:
            self._log.add(row.line, "start without end" if "start" in given else "end without start")
        times = {c: self._try(row, lambda c=c: seconds_of(c, text_of(c, row.cells[c]))) for c in sorted(given)}
        start, end = times.get("start"), times.get("end")
        if start is None or end is None:
            return None, None
        if start >= end:
            self._log.add(row.line, "start is not before end", f"{start:g} to {end:g} s")
            return None, None
        return start, end

    def _text(self, row: ManifestRow) -> str | None:
        if "transcript" not in self._with_values:
            return None
        text = self._try(row, lambda: text_of("transcript", row.cells["transcript"]))
        if text is None:
            return None
        if is_empty(text):
            self._log.add(row.line, "transcript is empty")
            return None
        # Composed letters: a character is one token, however the file writes it.
        text = unicodedata.normalize("NFC", text)
        plain = normalize_text(text, self._options.tags)
        if not plain:
            self._log.add(row.line, "transcript has no words", repr(text))
            return None
        return plain if self._options.text_case == "upper" else " ".join(text.split())

    def _emotions(self, row: ManifestRow) -> tuple[str | None, tuple[RawInterval, ...] | None, str | None]:
        """Emotion, emotion intervals, and why their labels exclude the row."""
        intervals, excluded = self._intervals(row)
        if "emotion" not in self._with_values:
            return None, intervals, excluded
        if is_empty(row.cells["emotion"]):
            is_known = "emo_segments" in self._with_values and not is_empty(row.cells["emo_segments"])
            if not is_known and self._options.missing_emotion == "exclude":
                return None, intervals, "no emotion"
            if not is_known:
                self._log.add(row.line, "emotion is empty", "give one, or --missing_emotion exclude")
            return None, intervals, excluded
        label = self._try(row, lambda: text_of("emotion", row.cells["emotion"]))
        name = None if label is None else self._class_of(row, label)
        if name == EXCLUDED:
            return None, intervals, f"label {label}"
        neutral = self._labels.emotions.neutral
        labels = {interval.label for interval in intervals or ()} - {neutral}
        if "emo_segments" in self._with_values and name not in (None, neutral) and not intervals and not excluded:
            if row.cells.get("emo_segments", "") == [] or is_empty(row.cells["emo_segments"]):
                self._log.add(
                    row.line, "emotion intervals are missing", f"the emotion is {name}, and other rows have them"
                )
        elif labels and name is not None and name not in labels:
            self._log.warn(f"the emotion is {name}, but the intervals say {' '.join(sorted(labels))}", row.line)
        return name, intervals, excluded

    def _intervals(self, row: ManifestRow) -> tuple[tuple[RawInterval, ...] | None, str | None]:
        if "emo_segments" not in self._with_values:
            return None, None
        if is_empty(row.cells["emo_segments"]):
            return (), None
        intervals = self._try(row, lambda: intervals_of(row.cells["emo_segments"]))
        if intervals is None:
            return None, None
        if intervals != sorted(intervals, key=lambda interval: interval.start):
            self._log.warn("emotion intervals are not sorted", row.line)
        named = [replace(interval, label=self._class_of(row, interval.label) or "") for interval in intervals]
        excluded = [raw.label for raw, interval in zip(intervals, named, strict=True) if interval.label == EXCLUDED]
        if excluded:
            return None, f"label {excluded[0]}"
        return tuple(interval for interval in named if interval.label), None

    def _class_of(self, row: ManifestRow, label: str) -> str | None:
        """Class of a label; an unknown label is a defect."""
        name = self._labels.lookup(label)
        if name is None:
            self._log.add(row.line, "unknown emotion label", f"{label!r}{self._labels.hint(label)}")
        return name

    def _split(self, row: ManifestRow) -> tuple[str | None, str | None]:
        """Part of the row's split, and why its split excludes the row."""
        if "split" not in self._with_values:
            return None, None
        name = self._try(row, lambda: text_of("split", row.cells["split"]))
        if name is None:
            return None, None
        if is_empty(name):
            self._log.add(row.line, "split is empty")
            return None, None
        part = part_of(name, self._options.split_map or {})
        if part is None:
            self._log.add(
                row.line, "unknown split", f"{name!r}; expected train, dev or test, or --split_map {name}=PART"
            )
        if part == EXCLUDED:
            return None, f"split {name}"
        return part, None
