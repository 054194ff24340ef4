"""Element-wise mean of checkpoints.

ESPnet's averaging adds up in the state that it caches for the next criterion, so that with two criteria or two numbers
of best epochs the results are sums of sums; this one shares nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from espnet_ent.errors import CheckpointError
from espnet_ent.plugin.checkpoint_files import check_fit


def average_states(states: Iterable[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Mean of parameters, added up in float64; one state is held at a time.

    Integers (e.g. the batches that a normalisation has seen) are not averaged but taken from the first state.

    Args:
        states: Parameters of the same model, the best first.

    Raises:
        CheckpointError: If there is nothing to average, or names or shapes differ.
    """
    first: dict[str, Tensor] = {}
    sums: dict[str, Tensor] = {}
    count = 0
    for count, state in enumerate(states, 1):  # noqa: B007 (used after the loop)
        if not first:
            first = dict(state)
        check_fit(first, state, "averaging")
        for key, value in state.items():
            if value.is_floating_point():
                wide = value.to(torch.float64)
                sums[key] = sums[key] + wide if key in sums else wide
    if not first:
        raise CheckpointError("no checkpoint to average")
    return {key: (sums[key] / count).to(value.dtype) if key in sums else value.clone() for key, value in first.items()}
