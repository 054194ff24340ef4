"""Learning rates of parts of a model, relative to the scheduler's.

The scale of a group stands beside its rate, and is multiplied in for the step alone: schedulers, some of which set the
same rate for all groups, need not know of it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import nn

SCALE = "lr_scale"


def split_groups(optimizer: torch.optim.Optimizer, model: nn.Module) -> None:
    """Give parameters groups of their own where a module (``rate_scales``) says so, and take out those of scale 0.

    Args:
        optimizer: Fresh; changed in place.
        model: Where to look.
    """
    scales: dict[nn.Parameter, float] = {}
    for module in model.modules():
        if hasattr(module, "rate_scales"):
            scales.update(module.rate_scales())
    if not scales:
        return
    groups = []
    for group in optimizer.param_groups:
        members: dict[float, list[nn.Parameter]] = {}
        for parameter in group["params"]:
            members.setdefault(scales.get(parameter, 1.0), []).append(parameter)
        for scale in sorted(members.keys() - {0.0}, reverse=True):
            groups.append({**group, "params": members[scale], SCALE: scale})
    optimizer.param_groups[:] = groups


@contextlib.contextmanager
def scaled_rates(optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """Inside, rates are multiplied by their scales."""
    rates = [group["lr"] for group in optimizer.param_groups]
    for group, rate in zip(optimizer.param_groups, effective_rates(optimizer), strict=True):
        group["lr"] = rate
    try:
        yield
    finally:
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate


def effective_rates(optimizer: torch.optim.Optimizer) -> list[float]:
    """Learning rate of each group in a step."""
    return [group["lr"] * group.get(SCALE, 1.0) for group in optimizer.param_groups]
