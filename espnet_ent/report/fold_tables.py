"""Tables of rates: one row a fold, a summary or a baseline; with a column for the epoch where epochs were chosen."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from espnet_ent.metrics.bootstrap import Interval
from espnet_ent.report.document import Table
from espnet_ent.report.figures import UNDEFINED, interval_percent

_UTTERANCE = {"wer": "WER", "cer": "CER", "wa": "WA", "ua": "UA", "macro_f1": "F1"}
_TIMELINE = {
    "eder": "EDER",
    "false_alarm": "FA",
    "missed_emotion": "missed",
    "confusion": "conf.",
    "overlap": "overlap",
    "eder_weighted": "weighted",
}
_CHOSEN_OF_TIMELINE = ("eder", "eder_weighted")  # the parts of EDER have no best epoch of their own


@dataclass(frozen=True)
class Columns:
    """The columns of one table.

    Attributes:
        about: What a row is about: ``system`` or ``timeline``.
        titles: Metric -> title.
        with_epochs: Whether each metric is followed by the epoch that it is taken from.
    """

    about: str
    titles: Mapping[str, str]
    with_epochs: bool


@dataclass(frozen=True)
class Row:
    """One row; what is absent is written as a dash.

    Attributes:
        name: First cell.
        rates: By metric.
        intervals: By metric.
        epochs: By metric.
    """

    name: str
    rates: Mapping[str, float] = field(default_factory=dict)
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    epochs: Mapping[str, int] = field(default_factory=dict)


def tables_of(metrics: Iterable[str], is_oracle: bool) -> Iterator[Columns]:
    """The tables that these metrics of a system fill.

    Args:
        metrics: What is scored.
        is_oracle: Whether each metric has an epoch of its own.
    """
    metrics = set(metrics)
    if metrics & _UTTERANCE.keys():
        yield Columns("system", _UTTERANCE, is_oracle)
    if "eder" in metrics:
        names = _CHOSEN_OF_TIMELINE if is_oracle else _TIMELINE
        yield Columns("timeline", {name: _TIMELINE[name] for name in names}, is_oracle)


def make_table(columns: Columns, rows: Sequence[Row]) -> Table:
    """Write rates in percent."""
    header = [columns.about]
    for title in columns.titles.values():
        header += [title, "epoch"] if columns.with_epochs else [title]
    return Table(tuple(header), tuple((row.name, *_cells(columns, row)) for row in rows))


def _cells(columns: Columns, row: Row) -> Iterator[str]:
    for metric in columns.titles:
        rate, interval = row.rates.get(metric), row.intervals.get(metric)
        finite = rate if rate is not None and math.isfinite(rate) else None
        yield interval_percent(finite, interval and (interval.low, interval.high))
        if columns.with_epochs:
            yield str(row.epochs.get(metric, UNDEFINED))
