"""What a pretrained encoder gives of a batch, computed from samples or read from a feature cache.

All that is trained (layer mixes, networks on top, heads) starts from here, and does not know where it comes from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class LayerStates:
    """States of the layers, and the features of short reach below them.

    Dimensions: B batch, L layers, T frames, D state size, N rows of local features, F their size.

    Attributes:
        layers: L tensors (B, T, D), in the order in which they are mixed.
        lengths: (B,) int64, valid frames.
        local: (B, N, F) features of short reach.
        local_lengths: (B,) int64, valid rows.
    """

    layers: Sequence[Tensor]
    lengths: Tensor
    local: Tensor
    local_lengths: Tensor

    @property
    def stacked(self) -> Tensor:
        """All layers as (B, L, T, D)."""
        return torch.stack(list(self.layers), dim=1)

    @classmethod
    def from_batch(cls, batch: Mapping[str, Tensor]) -> LayerStates | None:
        """Of a batch that was read from a feature cache; None for one that was not.

        Args:
            batch: ``states`` (B, T, L, D) and ``local`` (B, N, F), with ``states_lengths`` and ``local_lengths`` (B,).
        """
        if "states" not in batch:
            return None
        return cls(batch["states"].unbind(dim=2), batch["states_lengths"], batch["local"], batch["local_lengths"])
