"""Which epochs are the best: criteria, their order, and early stopping."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence

from espnet_ent.errors import ConfigError

Criterion = tuple[str, str, str]
"""Phase, statistic and ``min`` or ``max``, e.g. ("valid", "loss", "min")."""

Stats = Mapping[int, Mapping[str, Mapping[str, float]]]
"""Epoch -> phase -> statistic -> value."""

NONFINITE = "nonfinite_batches"
"""The statistic that counts skipped batches; its epochs come last."""

_NOT_STATISTICS = ("time", "total_count")


def parse_criteria(values: Iterable[Sequence[str]], option: str) -> list[Criterion]:
    """Criteria as an option gives them.

    Raises:
        ConfigError: If one is not a phase, a statistic and ``min`` or ``max``, or there is none.
    """
    criteria = []
    for value in values:
        fine = not isinstance(value, str) and len(value) == 3 and all(isinstance(part, str) for part in value)
        if not fine or value[0] not in ("train", "valid") or value[2] not in ("min", "max"):
            raise ConfigError("malformed criterion", where=option, expected="train|valid,<name>,min|max", got=value)
        criteria.append(tuple(value))
    if not criteria:
        raise ConfigError("no criterion is given", where=option, expected="train|valid,<name>,min|max")
    return criteria


def check_statistic(stats: Stats, epoch: int, phase: str, name: str, option: str) -> None:
    """Check that an epoch has a statistic.

    Raises:
        ConfigError: Naming the nearest known statistics.
    """
    known = [(p, n) for p, values in stats[epoch].items() for n in values if n not in _NOT_STATISTICS]
    if (phase, name) in known:
        return
    names = [" ".join(pair) for pair in known]
    nearest = difflib.get_close_matches(f"{phase} {name}", names, n=3, cutoff=0.3) or names[:3]
    raise ConfigError(
        f"{option} names no statistic", expected=f"for example {', '.join(nearest)}", got=f"{phase} {name}"
    )


def rank_epochs(stats: Stats, criterion: Criterion) -> list[int]:
    """Epochs from best to worst; of equals the earlier one is better.

    Epochs whose statistic leaves out batches that were not finite come last: what is averaged over the rest does not
    compare. Epochs without the statistic are left out.
    """
    phase, name, mode = criterion
    sign = 1 if mode == "min" else -1

    def key(epoch: int) -> tuple[bool, float, int]:
        values = stats[epoch][phase]
        doubtful = values.get(NONFINITE, 0) > 0 or not math.isfinite(values[name])
        return doubtful, sign * values[name] if math.isfinite(values[name]) else 0.0, epoch

    return sorted((epoch for epoch in stats if name in stats[epoch].get(phase, {})), key=key)


def is_patience_over(stats: Stats, epoch: int, patience: int, criterion: Criterion) -> bool:
    """Whether the best epoch lies more than ``patience`` epochs back."""
    return epoch - rank_epochs(stats, criterion)[0] > patience
