"""Temporal attention: frames are pooled by weights that are learned.

Dimensions: B batch, T frames, D size, A size of the attention.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from espnet_ent.errors import ConfigError

POOLINGS = ("attention", "attention_statistics", "mean")
_LEAST_VARIANCE = 1e-5


def additive_scores(size: int, attention_size: int) -> nn.Sequential:
    """``v . tanh(W h + b)``, a score (..., 1) of states (..., size)."""
    return nn.Sequential(nn.Linear(size, attention_size), nn.Tanh(), nn.Linear(attention_size, 1, bias=False))


class AttentionPooling(nn.Module):
    """Masked attentive pooling over time.

    ``attention``: the weights are the softmax over the valid frames of ``v . tanh(W h_t + b)``, the result is the
    weighted mean. ``attention_statistics``: the weighted standard deviation besides. ``mean``: all frames weigh
    the same.

    Source: Lin et al., "A structured self-attentive sentence embedding", 2017, equations 1 and 2 (one hop); Okabe et
    al., "Attentive statistics pooling for deep speaker embedding", 2018, equations 3 to 6.

    Args:
        size: D.
        attention_size: A.
        pooling: ``attention | attention_statistics | mean``.

    Raises:
        ConfigError: On an unknown form.
    """

    def __init__(self, size: int, attention_size: int = 64, pooling: str = "attention") -> None:
        super().__init__()
        if pooling not in POOLINGS:
            raise ConfigError("unknown pooling over time", expected=" | ".join(POOLINGS), got=repr(pooling))
        self.pooling = pooling
        self.output_size = 2 * size if pooling == "attention_statistics" else size
        self.scores = None
        if pooling != "mean":
            self.scores = additive_scores(size, attention_size)

    def weights(self, states: Tensor, padding: Tensor) -> Tensor:
        """Weights (B, T) of states (B, T, D): 0 where ``padding`` (B, T) is true, 1 in all."""
        if self.scores is None:
            valid = (~padding).to(states)
            return valid / valid.sum(dim=1, keepdim=True)
        scores = self.scores(states.masked_fill(padding.unsqueeze(-1), 0.0)).squeeze(-1)
        return scores.masked_fill(padding, float("-inf")).softmax(dim=-1)

    def forward(self, states: Tensor, padding: Tensor) -> Tensor:
        """Pooled states.

        Args:
            states: (B, T, D).
            padding: (B, T) bool, true where there is nothing; nowhere a whole row.

        Returns:
            (B, output_size).
        """
        weights = self.weights(states, padding).unsqueeze(-1)
        valid = states.masked_fill(padding.unsqueeze(-1), 0.0)
        mean = (weights * valid).sum(dim=1)
        if self.pooling != "attention_statistics":
            return mean
        variance = (weights * (valid - mean.unsqueeze(1)).square()).sum(dim=1)
        return torch.cat([mean, (variance + _LEAST_VARIANCE).sqrt()], dim=-1)
