"""Checks of intervals: emotions in time (``emo_segments``) and in words (``emo_words``), and words in time."""

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
    for table, row in _rows(scanned, "emo_segments", "<utt> <start s> <end s> <label>"):
        has_known_label(table, row, row.fields[2], config)
        _check_seconds(scanned, table, row, intervals)
    _check_one_line_form(scanned, "utt2emo_segments", "emo_segments")


def check_emo_words(scanned: ScannedDirectory, config: ValidationConfig) -> None:
    """Spans of words lie inside the text, in order, without overlap."""
    texts = scanned.tables["text"].by_key() if "text" in scanned.tables else {}
    intervals = _Intervals()
    for table, row in _rows(scanned, "emo_words", "<utt> <first word> <last word> <label>"):
        has_known_label(table, row, row.fields[2], config)
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


def check_word_times(scanned: ScannedDirectory) -> None:
    """Words lie inside their utterance, in order, without overlap, and are those of the text."""
    table, texts = scanned.tables.get("word_times"), scanned.tables.get("text")
    if table is None:
        return
    intervals = _Intervals()
    words: dict[str, list[tuple[float, str]]] = {}
    for _, row in _rows(scanned, "word_times", "<utt> <start s> <end s> <word>"):
        if _check_seconds(scanned, table, row, intervals):
            words.setdefault(row.key, []).append((float(row.fields[0]), row.fields[2]))
    for row in texts.by_key().values() if texts else ():
        said = " ".join(word for _, word in sorted(words.get(row.key, [])))
        if said != " ".join(row.fields):
            table.add(None, f"words of {row.key!r}, {said!r}, are not those of its text, {row.value!r}", row.key)


def _check_seconds(scanned: ScannedDirectory, table: Table, row: Row, intervals: _Intervals) -> bool:
    """Whether a row starts with an interval of seconds; one that does not fit in is a defect."""
    interval = read_interval(table, row, row.fields)
    if interval is None:
        return False
    duration = scanned.duration(row.key)
    if duration is not None and interval[1] > duration + TIME_TOLERANCE:
        message = f"end {interval[1]:g} s is after the utterance's end ({duration:g} s)"
        table.add(row, message, row.key)
    intervals.add(table, row, interval)
    return True


def _rows(scanned: ScannedDirectory, name: str, expected: str) -> Iterator[tuple[Table, Row]]:
    """Rows with the right columns of a file that may be absent; checks utterances."""
    table = scanned.tables.get(name)
    known = set(scanned.utt_ids())
    for row in table.rows if table else ():
        if row.key not in known:
            table.add(row, f"unknown utterance {row.key!r}", repairable=True)
        if has_width(table, row, expected):
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
