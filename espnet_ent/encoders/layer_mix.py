"""The layer mix (scalar mix): one weighted sum of all layers of an encoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from espnet_ent.errors import ConfigError


class LayerMix(nn.Module):
    """Softmax-weighted sum of L layers times a learned scale.

    Starts as the plain mean: weights 0, scale 1. Source: Peters et al., "Deep contextualized word
    representations", 2018, equation 1.

    Args:
        num_layers: L.
    """

    def __init__(self, num_layers: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(num_layers))
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, layers: Sequence[Tensor]) -> Tensor:
        """Mix of ``layers``, L tensors (B, T, D), as (B, T, D).

        Raises:
            ConfigError: If the number of layers is not L.
        """
        if len(layers) != self.weights.numel():
            raise ConfigError(
                "the layer mix does not fit the encoder",
                expected=f"{self.weights.numel()} layers",
                got=len(layers),
            )
        weights = self.scale * torch.softmax(self.weights, dim=0)
        mixed = weights[0] * layers[0]
        for weight, layer in zip(weights[1:], layers[1:], strict=True):
            mixed = mixed + weight * layer
        return mixed
