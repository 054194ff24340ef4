"""How figures are written in reports: rates in percent with two decimals, seconds with three, a dash for no value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from espnet_ent.report.experiment import ScoredResults

UNDEFINED = "-"


def percent(rate: float | None) -> str:
    """A fraction in percent.

    >>> percent(0.12345), percent(None)
    ('12.35', '-')
    """
    return UNDEFINED if rate is None else f"{100 * rate:.2f}"


def seconds(value: float | None) -> str:
    """A time.

    >>> seconds(0.0625), seconds(None)
    ('0.062', '-')
    """
    return UNDEFINED if value is None else f"{value:.3f}"


def interval_percent(rate: float | None, interval: Sequence[float] | None) -> str:
    """A fraction in percent, with its confidence interval where there is one.

    >>> interval_percent(0.125, [0.1, 0.151])
    '12.50 [10.0, 15.1]'
    """
    if rate is None or interval is None:
        return percent(rate)
    return f"{percent(rate)} [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"


def interval_title(scored: Iterable[ScoredResults]) -> str:
    """What the brackets hold, e.g. ``[95 % CI]``."""
    levels = sorted({f"{100 * one.results['bootstrap']['level']:g}" for one in scored})
    return f"[{' / '.join(levels)} % CI]"


def count(number: int, noun: str) -> str:
    """A number and its noun.

    >>> count(1, "speaker"), count(2, "speaker")
    ('1 speaker', '2 speakers')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"
