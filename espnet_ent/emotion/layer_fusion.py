"""One sequence from the layers of an encoder.

Dimensions: B batch, L layers, T frames, D size of a layer, O output size.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from espnet_ent.emotion.attention_pooling import additive_scores
from espnet_ent.emotion.pooling import masked_mean
from espnet_ent.encoders.layer_mix import LayerMix, layer_numbers
from espnet_ent.errors import ConfigError

FUSIONS = ("attention", "mix", "concatenate")


class LayerFusion(nn.Module):
    """Chosen layers, each normalised, made one.

    ``attention``: a weighted sum; the weights are the softmax over the layers of ``v . tanh(W mean_t(h) + b)`` and so
    belong to the utterance. ``mix``: a weighted sum whose weights are parameters (:class:`LayerMix`). ``concatenate``:
    side by side. One layer is left as it is. How the published system puts its layers together we could not read: these
    forms are our choice.

    Args:
        num_layers: Layers that there are.
        size: D.
        layers: ``all``, ``last`` or numbers from 1.
        fusion: ``attention | mix | concatenate``.
        attention_size: Size inside the attention.

    Raises:
        ConfigError: On an unknown form, or if there are no such layers.
    """

    def __init__(
        self,
        num_layers: int,
        size: int,
        layers: str | Sequence[int] = "all",
        fusion: str = "attention",
        attention_size: int = 64,
    ) -> None:
        super().__init__()
        if fusion not in FUSIONS:
            raise ConfigError("unknown fusion of layers", expected=" | ".join(FUSIONS), got=repr(fusion))
        self.indices = [number - 1 for number in layer_numbers(layers, num_layers, "utterance_head_conf.layers")]
        count = len(self.indices)
        self.norms = nn.ModuleList([nn.LayerNorm(size) for _ in range(count)])
        self.fusion = fusion if count > 1 else None
        self.output_size = size * count if self.fusion == "concatenate" else size
        self.mix = LayerMix(count) if self.fusion == "mix" else None
        self.scores = None
        if self.fusion == "attention":
            self.scores = additive_scores(size, attention_size)

    def weights(self, layers: Sequence[Tensor], lengths: Tensor) -> Tensor:
        """Attention weights (B, L) of the chosen, normalised layers (B, T, D); they add up to 1."""
        means = torch.stack([masked_mean(layer, lengths) for layer in layers], dim=1)
        return self.scores(means).squeeze(-1).softmax(dim=-1)

    def normalised(self, states: Tensor) -> list[Tensor]:
        """The chosen layers, each (B, T, D), of all layers (B, L, T, D)."""
        return [norm(states[:, index]) for norm, index in zip(self.norms, self.indices, strict=True)]

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, O) of all layers (B, L, T, D), with valid frames (B,)."""
        layers = self.normalised(states)
        if self.fusion is None:
            return layers[0]
        if self.fusion == "concatenate":
            return torch.cat(layers, dim=-1)
        if self.mix is not None:
            return self.mix(layers)
        return torch.einsum("bl,lbtd->btd", self.weights(layers, lengths), torch.stack(layers))
