"""A data directory read in full, sound or not, and what it is expected to be like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from espnet_ent.data.tables import Defect, Row, Table
from espnet_ent.frames import samples_to_seconds
from espnet_ent.labels import EmotionInventory

REQUIRED = ("wav.scp", "utt2spk", "spk2utt", "text", "utt2emo")
OPTIONAL = (
    "segments",
    "utt2num_samples",
    "emo_segments",
    "emo_words",
    "word_times",
    "utt2emo_segments",
    "utt2emo_words",
    "untranscribed",
)
SEVERAL_ROWS = ("emo_segments", "emo_words", "word_times")
TIME_TOLERANCE = 1e-4
"""Seconds by which a written time may pass the end of its audio: times have four decimals."""


@dataclass(frozen=True)
class ValidationConfig:
    """What a data directory must be like.

    Attributes:
        emotions: Emotions that labels may name; None: any.
        sample_rate: Rate of all audio in Hz; None: any.
        required: Files that must be there.
        audio: ``decode`` reads all audio, ``header`` looks at lengths and rates, ``none`` skips it.
        empty_text_is_error: Whether an utterance without text is a defect rather than a warning.
        nj: Processes that look at audio.
    """

    emotions: EmotionInventory | None = None
    sample_rate: int | None = None
    required: tuple[str, ...] = REQUIRED
    audio: str = "decode"
    empty_text_is_error: bool = False
    nj: int = 1


@dataclass
class ScannedDirectory:
    """A data directory with all that is wrong in it.

    Attributes:
        path: The directory.
        tables: The files that exist, by name.
        lengths: (num_samples, sample_rate) of the utterances whose audio is sound.
        missing: Defects that belong to no existing file.
    """

    path: Path
    tables: dict[str, Table]
    lengths: dict[str, tuple[int, int]]
    missing: list[Defect]

    @property
    def defects(self) -> list[Defect]:
        """All defects, by file and line."""
        found = [*self.missing, *(defect for table in self.tables.values() for defect in table.defects)]
        return sorted(found, key=lambda defect: (defect.path.name, defect.line or 0))

    @property
    def utterance_tables(self) -> dict[str, Table]:
        """The files with one line an utterance."""
        names = {"utt2spk", "text", "utt2emo", "utt2num_samples", "utt2emo_segments", "utt2emo_words"}
        names.add("segments" if "segments" in self.tables else "wav.scp")
        return {name: table for name, table in self.tables.items() if name in names}

    def duration(self, utt_id: str) -> float | None:
        """Length in seconds; None where the audio is not sound or was not looked at."""
        return samples_to_seconds(*self.lengths[utt_id]) if utt_id in self.lengths else None

    def utt_ids(self) -> list[str]:
        """Every utterance that some file names, sorted."""
        keys = {row.key for table in self.utterance_tables.values() for row in table.rows}
        return sorted(keys, key=str.encode)


def has_width(table: Table, row: Row, expected: str) -> bool:
    """Whether a row has the columns of ``expected``, e.g. ``<utt> <speaker>``; if not, that is a defect."""
    columns = expected.count("<")
    if len(row.fields) + 1 == columns:
        return True
    table.add(row, f"{len(row.fields) + 1} columns, expected {expected}", row.key)
    return False


def has_known_label(table: Table, row: Row, label: str, config: ValidationConfig) -> bool:
    """Whether the inventory knows a label; if not, that is a defect."""
    if config.emotions is None or label in config.emotions:
        return True
    names = " ".join(config.emotions.names)
    table.add(row, f"unknown emotion label {label!r}, expected one of {names}", row.key)
    return False


def read_interval(table: Table, row: Row, fields: Sequence[str]) -> tuple[float, float] | None:
    """Start and end in seconds; None, with a defect, unless ``0 <= start < end``."""
    try:
        start, end = float(fields[0]), float(fields[1])
    except ValueError:
        table.add(row, f"not a number in {' '.join(fields[:2])!r}", row.key)
        return None
    if 0 <= start < end < float("inf"):
        return start, end
    table.add(row, f"empty, reversed or negative interval {fields[0]} {fields[1]}", row.key)
    return None
