"""Scores over folds and over seeds.

Three summaries of folds, which are never mixed: the unweighted mean of the folds' rates, the sample standard deviation
(n - 1) of these rates, and the pooled rate, for which the counts of all folds are added, then divided. Over seeds, the
first and the last have a mean and a sample standard deviation of their own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from espnet_ent.errors import ScoringError
from espnet_ent.metrics.bootstrap import Interval, SpeakerBootstrap
from espnet_ent.metrics.classification import macro_f1, unweighted_average_recall, weighted_accuracy
from espnet_ent.metrics.set_counts import SYSTEM, EderSums, SetCounts

Figures = Mapping[str, Mapping[str, float]]
"""System (``system`` or a baseline) -> metric -> rate; what is not scored is absent."""

HIGHER_IS_BETTER = {
    "wer": False,
    "cer": False,
    "wa": True,
    "ua": True,
    "macro_f1": True,
    "eder": False,
    "eder_weighted": False,
}
"""The metrics, and whether more is better; EDER has parts besides."""


@dataclass(frozen=True)
class Combination:
    """One system on all folds, trained with one seed.

    Attributes:
        folds: Figures of each fold.
        mean: Unweighted mean over the folds.
        sd: Sample standard deviation over the folds; empty of fewer than two.
        pooled: Figures of the added counts.
        intervals: Bootstrap over the speakers of all folds, by metric, of the system's pooled figures; a metric without
            an interval is absent.
        counts: The added counts.
        is_same_set: Whether all folds are scored on the same utterances (another corpus), so that pooling counts
            each of them once a fold.
    """

    folds: Mapping[str, Figures]
    mean: Figures
    sd: Figures
    pooled: Figures
    intervals: Mapping[str, Interval]
    counts: SetCounts
    is_same_set: bool


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation of figures; ``sd`` is empty of fewer than two."""

    mean: Figures
    sd: Figures


@dataclass(frozen=True)
class SeedCombination:
    """A system over seeds: the spread of its mean of folds, and that of its pooled figures."""

    mean_of_folds: Spread
    pooled: Spread


def figures(counts: SetCounts) -> dict[str, dict[str, float]]:
    """All rates of a set, or of several that were pooled."""
    total = counts.total
    rates: dict[str, dict[str, float]] = {SYSTEM: {}}
    if total.num_transcribed:
        rates[SYSTEM] |= {"wer": total.words.rate, "cer": total.characters.rate}
    for name, confusion in total.confusions.items():
        rates.setdefault(name, {}).update(
            wa=weighted_accuracy(confusion), ua=unweighted_average_recall(confusion), macro_f1=macro_f1(confusion)
        )
    for name, sums in total.timelines.items():
        rates.setdefault(name, {}).update(_eder_rates(sums, total.num_utterances))
    return rates


def speaker_intervals(counts: SetCounts) -> dict[str, Interval]:
    """Bootstrap intervals over speakers of the system's figures: WER, UA and both EDERs."""
    speakers, kinds = counts.speakers, counts.kinds
    intervals: dict[str, Interval | None] = {}
    if kinds["words"]:
        spoken = {name: one.words for name, one in speakers.items() if one.num_transcribed}
        bootstrap = SpeakerBootstrap(list(spoken))
        intervals["wer"] = bootstrap.ratio(
            [words.errors for words in spoken.values()], [words.reference_length for words in spoken.values()]
        )
    if kinds["emotions"]:
        intervals["ua"] = _recall_interval({name: one.confusions[SYSTEM] for name, one in speakers.items()})
    if kinds["timelines"]:
        sums = [one.timelines[SYSTEM] for one in speakers.values()]
        bootstrap = SpeakerBootstrap(list(speakers))
        sizes = [one.num_utterances for one in speakers.values()]
        intervals["eder"] = bootstrap.ratio([one.rates.eder for one in sums], sizes)
        intervals["eder_weighted"] = bootstrap.ratio(
            [one.seconds.errors for one in sums], [one.seconds.duration for one in sums]
        )
    return {name: interval for name, interval in intervals.items() if interval is not None}


def combine(folds: Mapping[str, SetCounts]) -> Combination:
    """Combine the folds of one system; their order does not matter.

    Raises:
        ScoringError: If there is none, or they differ in what is scored.
    """
    pooled = SetCounts.pool(folds[name] for name in sorted(folds))
    by_fold = {name: figures(counts) for name, counts in folds.items()}
    spread = spread_of(list(by_fold.values()))
    sizes = {tuple((name, one.num_utterances) for name, one in counts.speakers.items()) for counts in folds.values()}
    return Combination(
        by_fold,
        spread.mean,
        spread.sd,
        figures(pooled),
        speaker_intervals(pooled),
        pooled,
        is_same_set=len(folds) > 1 and len(sizes) == 1,
    )


def combine_seeds(seeds: Mapping[str, Combination]) -> SeedCombination:
    """Combine the seeds of one system.

    Raises:
        ScoringError: If there is none, or not all of them have the same folds.
    """
    folds = {tuple(sorted(combination.folds)) for combination in seeds.values()}
    if len(folds) > 1:
        raise ScoringError("seeds have different folds", got=" | ".join(" ".join(names) for names in sorted(folds)))
    return SeedCombination(
        mean_of_folds=spread_of([combination.mean for combination in seeds.values()]),
        pooled=spread_of([combination.pooled for combination in seeds.values()]),
    )


def spread_of(values: Sequence[Figures]) -> Spread:
    """Mean and sample standard deviation of each figure.

    Raises:
        ScoringError: If there are no figures, or they are not of the same metrics.
    """
    if len({tuple(_names(one)) for one in values}) != 1:
        raise ScoringError("figures to be averaged are missing or not of the same metrics", got=len(values))
    mean: dict[str, dict[str, float]] = {}
    sd: dict[str, dict[str, float]] = {}
    for system, metric in _names(values[0]):
        rates = [one[system][metric] for one in values]
        centre = math.fsum(rates) / len(rates) if np.isfinite(rates).all() else math.nan
        mean.setdefault(system, {})[metric] = centre
        if len(rates) > 1:
            squares = math.fsum((rate - centre) ** 2 for rate in rates)
            sd.setdefault(system, {})[metric] = math.sqrt(squares / (len(rates) - 1))
    return Spread(mean, sd)


def _names(values: Figures) -> list[tuple[str, str]]:
    return sorted((system, metric) for system in values for metric in values[system])


def _eder_rates(sums: EderSums, num_utterances: int) -> dict[str, float]:
    rates = {name: value / num_utterances for name, value in asdict(sums.rates).items()}
    return {**rates, "eder_weighted": sums.seconds.rates.eder}


def _recall_interval(confusions: Mapping[str, np.ndarray]) -> Interval | None:
    """Spell the confusion matrices out as pairs of classes again."""
    speakers: list[str] = []
    reference: list[int] = []
    hypothesis: list[int] = []
    for name, confusion in confusions.items():
        for (row, column), number in np.ndenumerate(confusion):
            speakers += [name] * int(number)
            reference += [row] * int(number)
            hypothesis += [column] * int(number)
    size = len(next(iter(confusions.values())))
    return SpeakerBootstrap(speakers).unweighted_average_recall(reference, hypothesis, size)
