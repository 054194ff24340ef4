"""Checks of emotion intervals: in time (``emo_segments``) and in words (``emo_words``)."""

from __future__ import annotations

from collections.abc import Iterator

from espnet_ent.data.scanning import (
    TIME_TOLERANCE,
    ScannedDirectory,
    ValidationConfig,
    has_known_label,
    has_width,
    read_interval,
)
from espnet_ent.data.tables import Row, Table


def check_emo_segments(scanned: ScannedDirectory, config: ValidationConfig) -> None:
    """Intervals lie inside their utterance, in order, without overlap."""
    intervals = _Intervals()
    for table, row in _rows(scanned, "emo_segments", "<utt> <start s> <end s> <label>", config):
        interval = read_interval(table, row, row.fields)
        if interval is None:
            continue
        duration = scanned.duration(row.key)
        if duration is not None and interval[1] > duration + TIME_TOLERANCE:
            message = f"end {interval[1]:g} s is after the utterance's end ({duration:g} s)"
            table.add(row, message, row.key)
        intervals.add(table, row, interval)
    _check_one_line_form(scanned, "utt2emo_segments", "emo_segments")


def check_emo_words(scanned: ScannedDirectory, config: ValidationConfig) -> None:
    """Spans of words lie inside the text, in order, without overlap."""
    texts = scanned.tables["text"].by_key() if "text" in scanned.tables else {}
    intervals = _Intervals()
    for table, row in _rows(scanned, "emo_words", "<utt> <first word> <last word> <label>", config):
        if not (row.fields[0].isdecimal() and row.fields[1].isdecimal()):
            table.add(row, f"not the numbers of words: {row.fields[0]} {row.fields[1]}", row.key)
            continue
        first, last = int(row.fields[0]), int(row.fields[1])
        if first > last:
            table.add(row, f"reversed span of words {first} {last}", row.key)
            continue
        if row.key in texts and last >= len(texts[row.key].fields):
            message = f"word {last} is after the text's last word ({len(texts[row.key].fields) - 1})"
            table.add(row, message, row.key)
        intervals.add(table, row, (first, last + 1))
    _check_one_line_form(scanned, "utt2emo_words", "emo_words")


def _rows(scanned: ScannedDirectory, name: str, expected: str, config: ValidationConfig) -> Iterator[tuple[Table, Row]]:
    """Rows with the right columns of a file that may be absent; checks utterances and labels."""
    table = scanned.tables.get(name)
    known = set(scanned.utt_ids())
    for row in table.rows if table else ():
        if row.key not in known:
            table.add(row, f"unknown utterance {row.key!r}", repairable=True)
        if has_width(table, row, expected):
            has_known_label(table, row, row.fields[2], config)
            yield table, row


class _Intervals:
    """Half-open intervals of each utterance, in the order of the file."""

    def __init__(self) -> None:
        self._seen: dict[str, list[tuple[float, float]]] = {}

    def add(self, table: Table, row: Row, interval: tuple[float, float]) -> None:
        """Record an interval, and as defects what it overlaps or should stand before."""
        seen = self._seen.setdefault(row.key, [])
        overlapping = [other for other in seen if interval[0] < other[1] and other[0] < interval[1]]
        for start, end in overlapping:
            table.add(row, f"overlaps the interval {start:g} {end:g}", row.key)
        if seen and not overlapping and interval < seen[-1]:
            table.add(row, f"not sorted: starts before {seen[-1][0]:g}", row.key, repairable=True)
        seen.append(interval)


def _check_one_line_form(scanned: ScannedDirectory, name: str, source: str) -> None:
    """The one-line form for ESPnet's loader says what the file with one line an interval says."""
    table, intervals = scanned.tables.get(name), scanned.tables.get(source)
    if table is None:
        return
    if intervals is None:
        table.add(None, f"{source}, from which it is made, is missing")
        return
    lines: dict[str, list[str]] = {}
    for row in intervals.rows:
        lines.setdefault(row.key, []).append(row.value)
    for row in table.rows:
        expected = " ".join(lines.get(row.key, ["none"]))
        if row.value != expected:
            table.add(row, f"{row.value!r} differs from {source}: {expected!r}", row.key, repairable=True)
