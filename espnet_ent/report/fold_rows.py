"""Rows of the tables over folds and seeds: which figures stand there, in which order, and what they are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from espnet_ent.metrics.combining import Combination, Spread, combine_seeds
from espnet_ent.metrics.oracle_epochs import OracleCombination
from espnet_ent.metrics.set_counts import MAJORITY, SYSTEM
from espnet_ent.metrics.trivial import ALL_NEUTRAL, GOLD_LABEL, PREDICTED_LABEL
from espnet_ent.report.figures import count
from espnet_ent.report.fold_runs import FoldRuns
from espnet_ent.report.fold_tables import Columns, Row

_BASELINES = {
    "system": {MAJORITY: "baseline: majority class"},
    "timeline": {
        PREDICTED_LABEL: "baseline: predicted label everywhere",
        ALL_NEUTRAL: "baseline: all neutral",
        GOLD_LABEL: "ORACLE: gold label everywhere",
    },
}

Combined = Combination | OracleCombination


def reported(one: Combined) -> Combination:
    """The figures to report: in an oracle those of the best epochs."""
    return one.best if isinstance(one, OracleCombination) else one


def unchosen(one: Combined) -> Combination:
    """Figures for which nothing was chosen on the test set."""
    return one.last if isinstance(one, OracleCombination) else one


def have_same_folds(by_seed: Mapping[str, Combined]) -> bool:
    """Whether the seeds can be compared."""
    return len({tuple(reported(one).folds) for one in by_seed.values()}) == 1


def fold_rows(runs: FoldRuns, one: Combined) -> Iterator[Row]:
    """Each fold, and what they come to."""
    figures, wanted = reported(one), runs.wanted.folds
    epochs = one.epochs if isinstance(one, OracleCombination) else {}
    oracle = "ORACLE " if runs.is_oracle else ""
    if not wanted:
        name = f"{oracle}best epochs" if oracle else "system"
        yield Row(name, figures.pooled[SYSTEM], figures.intervals, _epochs(one))
    for fold in wanted:
        if fold in figures.folds:
            yield Row(f"{oracle}fold {fold}", figures.folds[fold][SYSTEM], epochs=epochs.get(fold, {}))
        else:
            yield Row(f"fold {fold}: MISSING")
    if wanted:
        number = len(figures.folds)
        some = "" if number == len(wanted) else f" (INCOMPLETE: {number} of {len(wanted)})"
        yield Row(f"{oracle}mean of folds{some}", figures.mean[SYSTEM])
        yield Row(f"{oracle}sd over folds{some}", figures.sd.get(SYSTEM, {}))
        yield Row(f"{oracle}pooled{some}", figures.pooled[SYSTEM], figures.intervals)
    if isinstance(one, OracleCombination):
        yield from _summary_rows(runs, "last epoch", SYSTEM, one.last)


def baseline_rows(runs: FoldRuns, one: Combined, columns: Columns) -> Iterator[Row]:
    """What can be had without listening, on the same folds."""
    plain = unchosen(one)
    for system, title in _BASELINES[columns.about].items():
        if system in plain.pooled:
            if system == MAJORITY:
                title += f" ({', '.join(plain.counts.majority)})"
            yield from _summary_rows(runs, title, system, plain)


def _summary_rows(runs: FoldRuns, title: str, system: str, one: Combination) -> Iterator[Row]:
    if runs.wanted.folds:
        yield Row(f"{title}, mean of folds", one.mean[system])
    yield Row(f"{title}{', pooled' if runs.wanted.folds else ''}", one.pooled[system])


def seed_rows(runs: FoldRuns, by_seed: Mapping[str, Combined], columns: Columns) -> Iterator[Row]:
    """Each seed's mean of folds and pooled figures, and the spread of either over the seeds."""
    figures = {seed: reported(one) for seed, one in by_seed.items()}
    oracle = "ORACLE " if runs.is_oracle else ""
    number = count(len(figures), "seed")
    over_seeds = combine_seeds(figures)
    if runs.wanted.folds:
        for seed, one in figures.items():
            yield Row(f"{oracle}mean of folds, seed {seed}", one.mean[SYSTEM])
        yield from _spread_rows(f"{oracle}mean of folds", over_seeds.mean_of_folds, number)
    pooled = f"{oracle}pooled" if runs.wanted.folds else f"{oracle}best epochs" if oracle else "system"
    for seed, one in figures.items():
        epochs = {} if runs.wanted.folds else _epochs(by_seed[seed])
        yield Row(f"{pooled}, seed {seed}", one.pooled[SYSTEM], one.intervals, epochs)
    yield from _spread_rows(pooled, over_seeds.pooled, number)
    if not runs.wanted.folds:
        plain = combine_seeds({seed: unchosen(one) for seed, one in by_seed.items()}).pooled.mean
        names = {**({SYSTEM: "last epoch"} if oracle else {}), **_BASELINES[columns.about]}
        for system, name in names.items():
            if system in plain:
                yield Row(f"{name}: mean over {number}", plain[system])


def _epochs(one: Combined) -> Mapping[str, int]:
    return next(iter(one.epochs.values())) if isinstance(one, OracleCombination) else {}


def _spread_rows(title: str, spread: Spread, number: str) -> Iterator[Row]:
    yield Row(f"{title}: mean over {number}", spread.mean[SYSTEM])
    yield Row(f"{title}: sd over {number}", spread.sd[SYSTEM])
