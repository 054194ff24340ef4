"""The protocol ``paper``: every epoch is scored on the test set, and each metric takes its own best epoch.

The choice uses the labels that it is measured on, so all of these figures are ORACLES; they are there to be compared
with published ones that were made in the same way. The last epoch, which nobody chose, stands beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from espnet_ent.errors import ScoringError
from espnet_ent.metrics.combining import HIGHER_IS_BETTER, Combination, combine, figures, spread_of
from espnet_ent.metrics.set_counts import COUNTS, SYSTEM, SetCounts

LATEST = "latest.pth"
_SUFFIX = "epoch.pth"


@dataclass(frozen=True)
class OracleCombination:
    """One system on all folds, trained with one seed.

    Attributes:
        best: Each metric at its own best epoch of each fold; it has no intervals, for which nothing may be chosen.
        epochs: Fold -> metric -> the best epoch.
        last: The last epoch of each fold.
    """

    best: Combination
    epochs: Mapping[str, Mapping[str, int]]
    last: Combination


def last_epoch(experiment: str | Path) -> int:
    """The newest epoch of a training directory, which its link ``latest.pth`` names.

    Raises:
        ScoringError: If there is no such link.
    """
    link = Path(experiment, LATEST)
    name = link.readlink().name if link.is_symlink() else ""
    number = name.removesuffix(_SUFFIX)
    if number == name or not number.isdigit():
        raise ScoringError(
            "the last epoch is not known",
            where=link,
            expected=f"a link to <epoch>{_SUFFIX}",
            got=name or "nothing",
            next_step="rerun stage 11 (training)",
        )
    return int(number)


def epoch_directory(decoded: str | Path, epoch: int, set_name: str) -> Path:
    """Where the scores of a set at an epoch lie."""
    return Path(decoded, f"{epoch}epoch", set_name, "score")


def read_epochs(decoded: str | Path, set_name: str, num_epochs: int) -> dict[int, SetCounts]:
    """Counts of a set at each of the epochs 1 to ``num_epochs``.

    Args:
        decoded: Decoding directory with a folder ``<epoch>epoch`` an epoch.
        set_name: Name of the set.
        num_epochs: How many epochs there are.

    Raises:
        ScoringError: Naming the epochs without scores: the best of the others is not the best of all.
    """
    paths = {epoch: epoch_directory(decoded, epoch, set_name) / COUNTS for epoch in range(1, num_epochs + 1)}
    missing = [str(epoch) for epoch, path in paths.items() if not path.is_file()]
    if missing:
        raise ScoringError(
            f"epochs of set {set_name} are not scored",
            where=decoded,
            expected=f"1 to {num_epochs}",
            got=f"nothing of {' '.join(missing)}",
            next_step="rerun stages 12 and 13 with --protocol paper",
        )
    return {epoch: SetCounts.read(path) for epoch, path in paths.items()}


def best_epochs(epochs: Mapping[int, SetCounts]) -> dict[str, int]:
    """The best epoch for each metric of the system; of equal ones the earliest.

    Raises:
        ScoringError: If there is no epoch, or epochs differ in what is scored.
    """
    if not epochs:
        raise ScoringError("no epoch to choose from")
    rates = {epoch: figures(epochs[epoch])[SYSTEM] for epoch in sorted(epochs)}
    if len({frozenset(one) for one in rates.values()}) > 1:
        told = ", ".join(f"{' '.join(one)} at epoch {epoch}" for epoch, one in rates.items())
        raise ScoringError("epochs differ in what is scored", got=told)
    return {
        metric: min(rates, key=lambda epoch: -rates[epoch][metric] if is_higher_better else rates[epoch][metric])
        for metric, is_higher_better in HIGHER_IS_BETTER.items()
        if metric in next(iter(rates.values()))
    }


def combine_best_epochs(folds: Mapping[str, Mapping[int, SetCounts]]) -> OracleCombination:
    """Let each metric take its best epoch in each fold, then combine the folds.

    Args:
        folds: Fold -> epoch -> counts.

    Raises:
        ScoringError: If a fold has no epoch, or folds differ in what is scored.
    """
    epochs = {fold: best_epochs(counts) for fold, counts in folds.items()}
    last = combine({fold: counts[max(counts)] for fold, counts in folds.items()})
    by_fold = {
        fold: {SYSTEM: {metric: figures(folds[fold][epoch])[SYSTEM][metric] for metric, epoch in chosen.items()}}
        for fold, chosen in epochs.items()
    }
    pooled = {}
    for metric in next(iter(epochs.values())):
        counts = SetCounts.pool(folds[fold][epochs[fold][metric]] for fold in sorted(folds))
        pooled[metric] = figures(counts)[SYSTEM][metric]
    spread = spread_of(list(by_fold.values()))
    best = Combination(by_fold, spread.mean, spread.sd, {SYSTEM: pooled}, {}, last.counts, last.is_same_set)
    return OracleCombination(best, epochs, last)
