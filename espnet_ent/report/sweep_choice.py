"""Which setting of a sweep, with which checkpoint: by the EDER of the development set, at a bounded cost.

Localising must not be paid for in words or in the emotion of the utterance: a setting may cost at most
:data:`ALLOWED_LOSS` points of word error rate (WER), and as many of unweighted accuracy (UA), against its baseline.
Each setting names its own: systems of another kind (a factorized transducer, another encoder) have other WER and UA
before anything localises, and are held against what they would be without it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from espnet_ent.report.sweep_scores import Row

ALLOWED_LOSS = 2.0
"""Points of WER or UA that localising may cost."""


def best_checkpoints(rows: Sequence[Row], num_seeds: int, dev: str) -> list[Row]:
    """One row a setting, in their order: with the checkpoint that is best of those with the most seeds.

    Best is what :func:`chosen` would take of them; where it would take none, the smallest mean EDER.
    """
    of_setting: dict[str, list[Row]] = {}
    for row in rows:
        of_setting.setdefault(row.setting.name, []).append(row)
    best = {name: min(candidates, key=lambda row: _order(row, dev)) for name, candidates in of_setting.items()}
    found = []
    for candidates in of_setting.values():
        setting = candidates[0].setting
        baseline = None if setting.is_supervised else best.get(setting.baseline)
        allowed = [row for row in candidates if baseline and _is_allowed(row, baseline, num_seeds, dev)]
        found.append(min(allowed or candidates, key=lambda row: _order(row, dev)))
    return found


def chosen(rows: Sequence[Row], num_seeds: int, dev: str) -> Row | None:
    """The row with the smallest mean EDER of development that costs little enough; None if there is none.

    Supervised rows are left out, and so are rows that lack a seed, or whose baseline does: means over other seeds do
    not compare.

    Args:
        rows: One a setting.
        num_seeds: Seeds of the sweep.
        dev: The development set.
    """
    baselines = {row.setting.name: row for row in rows}
    allowed = [
        row
        for row in rows
        if not row.setting.is_supervised
        and row.setting.baseline in baselines
        and _is_allowed(row, baselines[row.setting.baseline], num_seeds, dev)
    ]
    return min(allowed, key=lambda row: _order(row, dev), default=None)


def _is_allowed(row: Row, baseline: Row, num_seeds: int, dev: str) -> bool:
    return (
        min(row.num_seeds(dev), baseline.num_seeds(dev)) >= num_seeds
        and math.isfinite(row.mean(dev, "eder"))
        and row.mean(dev, "wer") <= baseline.mean(dev, "wer") + ALLOWED_LOSS
        and row.mean(dev, "ua") >= baseline.mean(dev, "ua") - ALLOWED_LOSS
    )


def _order(row: Row, dev: str) -> tuple[int, float]:
    """Most seeds first, then the smallest EDER; the first of equal ones."""
    eder = row.mean(dev, "eder")
    return -row.num_seeds(dev), math.inf if math.isnan(eder) else eder
