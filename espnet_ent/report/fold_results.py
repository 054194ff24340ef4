"""All figures over folds and seeds as plain values, for a JSON file."""

from __future__ import annotations

from typing import Any

from espnet_ent.metrics.combining import combine_seeds
from espnet_ent.metrics.oracle_epochs import OracleCombination
from espnet_ent.report.fold_rows import Combined, have_same_folds, reported
from espnet_ent.report.fold_runs import FoldRuns


def combined_results(runs: FoldRuns) -> dict[str, Any]:
    """All figures over folds and seeds as plain values, rates as fractions.

    Raises:
        ScoringError: If folds or seeds differ in what is scored.
    """
    sets: dict[str, Any] = {}
    for name in runs.wanted.sets:
        by_seed = runs.combinations(name)
        sets[name] = {"seeds": {seed or "-": _plain(one) for seed, one in by_seed.items()}}
        if len(by_seed) > 1 and have_same_folds(by_seed):
            over_seeds = combine_seeds({seed: reported(one) for seed, one in by_seed.items()})
            for label, spread in (("mean_of_folds", over_seeds.mean_of_folds), ("pooled", over_seeds.pooled)):
                sets[name].setdefault("over_seeds", {})[label] = {"mean": spread.mean, "sd": spread.sd}
    return {
        "protocol": runs.wanted.protocol,
        "oracle": runs.is_oracle,
        "folds": list(runs.wanted.folds),
        "seeds": list(runs.wanted.seeds),
        "missing": list(runs.missing),
        "checkpoints": list(runs.checkpoints),
        "sets": sets,
    }


def _plain(one: Combined) -> dict[str, Any]:
    figures = reported(one)
    values: dict[str, Any] = {
        "folds": {fold or "-": rates for fold, rates in figures.folds.items()},
        "mean_of_folds": figures.mean,
        "sd_over_folds": figures.sd,
        "pooled": figures.pooled,
        "pooled_intervals": {name: [interval.low, interval.high] for name, interval in figures.intervals.items()},
        "num_utterances": figures.counts.total.num_utterances,
        "num_speakers": len(figures.counts.speakers),
        "is_same_set": figures.is_same_set,
    }
    if isinstance(one, OracleCombination):
        values["best_epochs"] = {fold or "-": epochs for fold, epochs in one.epochs.items()}
        values["last_epoch"] = _plain(one.last)
    return values
