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


def layer_numbers(layers: str | Sequence[int], num_layers: int, where: str) -> list[int]:
    """Numbers from 1 of the chosen layers.

    Args:
        layers: ``all``, ``last`` or numbers from 1.
        num_layers: How many there are.
        where: The option, for the error.

    Raises:
        ConfigError: If there are no such layers.
    """
    if layers == "all":
        return list(range(1, num_layers + 1))
    if layers == "last":
        return [num_layers]
    is_fine = isinstance(layers, (list, tuple)) and all(
        type(number) is int and 1 <= number <= num_layers for number in layers
    )
    if not is_fine or not layers or len(set(layers)) < len(layers):
        raise ConfigError(
            "no such layers",
            where=where,
            expected=f"all, last, or numbers of 1..{num_layers}, each once",
            got=repr(layers),
        )
    return list(layers)
