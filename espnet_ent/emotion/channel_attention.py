"""Channel attention: every feature is weighed by what the whole utterance looks like.

Dimensions: B batch, T frames, C channels.
"""

from __future__ import annotations

from torch import Tensor, nn

from espnet_ent.emotion.pooling import masked_mean
from espnet_ent.errors import ConfigError
from espnet_ent.transducer.masks import padding_mask


class ChannelAttention(nn.Module):
    """Squeeze and excitation: mean over valid frames -> linear -> ReLU -> linear -> sigmoid, a factor for each channel.

    Source: Hu et al., "Squeeze-and-excitation networks", 2018, equations 2 and 3, over time in place of an image.

    Args:
        num_channels: C.
        reduction: The layer between is smaller by this factor.

    Raises:
        ConfigError: If nothing is left of it.
    """

    def __init__(self, num_channels: int, reduction: int = 8) -> None:
        super().__init__()
        if not 1 <= reduction <= num_channels:
            raise ConfigError("channel reduction is out of range", expected=f"1 to {num_channels}", got=reduction)
        squeezed = num_channels // reduction
        self.excitation = nn.Sequential(
            nn.Linear(num_channels, squeezed), nn.ReLU(), nn.Linear(squeezed, num_channels), nn.Sigmoid()
        )

    def weights(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Factors (B, C), each in (0, 1), of states (B, T, C) with valid frames (B,)."""
        return self.excitation(masked_mean(states, lengths))

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, C) of states (B, T, C); zero on padding."""
        valid = states.masked_fill(padding_mask(lengths, states).unsqueeze(-1), 0.0)
        return valid * self.weights(states, lengths).unsqueeze(1)
