"""Counts of a copy of a corpus beside the published ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from espnet_ent.corpora.reading import CorpusReading

Counts = Mapping[str, int]


def count_report(reading: CorpusReading, published: Mapping[int, Counts] | Counts) -> tuple[list[str], list[str]]:
    """A table of used utterances with the published number in brackets, and a line for each difference.

    Args:
        reading: The whole corpus.
        published: Numbers by class, or by session and class.

    Returns:
        Lines of the table, and lines that name what differs.
    """
    by_session = all(isinstance(value, Mapping) for value in published.values())
    found = Counter((entry.session, entry.utterance.emotion) for entry in reading.used)
    rows: dict[str, tuple[Counts, Counts]] = {}
    if by_session:
        for session in sorted({*published, *(session for session, _ in found)}):
            of_session = {label: number for (where, label), number in found.items() if where == session}
            rows[f"session {session}"] = (of_session, published.get(session, {}))
    totals = Counter(entry.utterance.emotion for entry in reading.used)
    expected = Counter[str]()
    for counts in published.values() if by_session else (published,):
        expected.update(counts)
    rows["all"] = (totals, expected)
    labels = list(dict.fromkeys((*expected, *totals)))
    return list(_table(rows, labels)), list(_differences(rows, labels))


def _table(rows: Mapping[str, tuple[Counts, Counts]], labels: Sequence[str]) -> Iterator[str]:
    width = max(map(len, rows))
    yield " ".join([" " * width, *(f"{label:>13}" for label in (*labels, "total"))])
    for name, (found, expected) in rows.items():
        cells = [f"{found.get(label, 0)} ({expected.get(label, 0)})" for label in labels]
        cells.append(f"{sum(found.values())} ({sum(expected.values())})")
        yield " ".join([name.ljust(width), *(f"{cell:>13}" for cell in cells)])


def _differences(rows: Mapping[str, tuple[Counts, Counts]], labels: Sequence[str]) -> Iterator[str]:
    for name, (found, expected) in rows.items():
        for label in labels:
            if found.get(label, 0) != expected.get(label, 0):
                yield f"{name}, {label}: expected {expected.get(label, 0)}, got {found.get(label, 0)}"
