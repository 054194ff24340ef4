"""Values that are not finite, anywhere in a run: skipped, counted, named, and never saved."""

from __future__ import annotations

import logging
import random
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from espnet_ent.plugin.checkpoints import read_checkpoint
from tests.amounts import amount
from tests.plugin.training import statistics, train

EPOCHS, BATCHES = 2, 4


def _tensors(state: Any) -> list[torch.Tensor]:
    if isinstance(state, torch.Tensor):
        return [state]
    values = state.values() if isinstance(state, dict) else state if isinstance(state, (list, tuple)) else ()
    return [tensor for value in values for tensor in _tensors(value)]


def _poisoned(model: nn.Module, calls: set[int], value: float) -> nn.Module:
    """A model of which the gradient of some calls holds one value that is not finite."""
    count = iter(range(10**6))

    def spoil(gradient: torch.Tensor) -> torch.Tensor:
        if next(count) not in calls:
            return gradient
        spoilt = gradient.clone()
        spoilt.view(-1)[-1] = value
        return spoilt

    model.linear.weight.register_hook(spoil)
    return model


def test_whatever_is_not_finite_is_skipped_counted_named_and_not_saved(
    tmp_path: Path, figures, caplog: pytest.LogCaptureFixture
) -> None:
    draw, injected, saved = random.Random(0), 0, 0
    for number in range(amount(50, 5)):
        places = [(epoch, position) for epoch in range(1, EPOCHS + 1) for position in range(BATCHES)]
        faults = {place: draw.choice(("nan", "inf")) for place in draw.sample(places, draw.randint(1, 2))}
        steps = EPOCHS * BATCHES - len(faults)  # only batches whose loss is finite have a gradient
        poisoned = set(draw.sample(range(steps), draw.randint(0, 1)))  # one batch of each epoch stays
        value, run = draw.choice((float("nan"), float("inf"), float("-inf"))), tmp_path / str(number)
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            train(
                run,
                faults=faults,
                prepare=lambda model, poisoned=poisoned, value=value: _poisoned(model, poisoned, value),
                max_epoch=EPOCHS,
                max_nonfinite_batches=BATCHES,
            )
        skipped = [record.message for record in caplog.records if "batch skipped" in record.message]
        assert len(skipped) == len(faults) + len(poisoned)
        assert all(len(re.findall(r"utt\d[abcd]", message)) == 4 for message in skipped)
        counted = sum(statistics(run, epoch, "train")["nonfinite_batches"] for epoch in range(1, EPOCHS + 1))
        assert counted == len(skipped)
        for path in run.glob("*.pth"):
            assert all(torch.isfinite(tensor).all() for tensor in _tensors(read_checkpoint(path))), path.name
            saved += 1
        injected += len(skipped)
    promise = "batches and gradients that are not finite are skipped, counted and named; none of it is ever saved"
    figures("Training", promise, batches_injected=injected, checkpoints_looked_at=saved)
