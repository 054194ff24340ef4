"""Encoder states that see a short stretch around their frame: an emotion branch that can tell when.

An encoder with attention over the whole utterance may give every frame the emotion of the utterance: a lattice trained
with one label an utterance never tells it not to. The states of this branch cannot: they see some hundred milliseconds.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from espnet_ent.errors import ConfigError
from espnet_ent.transducer.masks import padding_mask

LAYERS = ("conv", "attention")
_OVERLAP = 3  # features that neighbouring frames share, as in ESPnet's convolutional subsampling


class LocalContext(nn.Module):
    """Layers of limited reach over features, at the frame rate of the encoder.

    Frame t sees the features from ``subsampling * (t - reach)`` to ``subsampling * (t + reach + 1) + 2``; see
    :attr:`reach`.

    Dimensions: B batch, N feature frames, F features, T encoder frames, D size.

    Args:
        input_size: F.
        output_size: D; also that of the encoder.
        subsampling: Feature frames for one encoder frame.
        layers: ``conv`` (depthwise separable convolutions) or ``attention`` (self-attention in a window).
        num_layers: Number of them; 0 leaves the frames alone.
        width: Frames that a layer sees, an odd number.
        num_heads: Attention heads.
        dropout: Of the layers' outputs.
        context_dropout: None: the branch is all there is. Otherwise the encoder's own states are added, in training
            for a share of 1 - ``context_dropout`` of the utterances: the branch has to do without them, too.

    Raises:
        ConfigError: On an unknown kind of layers or a value out of range.
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
        subsampling: int,
        layers: str = "conv",
        num_layers: int = 2,
        width: int = 5,
        num_heads: int = 4,
        dropout: float = 0.1,
        context_dropout: float | None = None,
    ) -> None:
        super().__init__()
        _check(layers, num_layers, width, context_dropout)
        self.subsampling = subsampling
        self.width, self.num_layers = width, num_layers
        self.input = nn.Conv1d(input_size, output_size, subsampling + _OVERLAP, stride=subsampling)
        if layers == "conv":
            made = [_Convolution(output_size, width, dropout) for _ in range(num_layers)]
        else:
            made = [_WindowedAttention(output_size, width, num_heads, dropout) for _ in range(num_layers)]
        self.layers = nn.ModuleList(made)
        self.norm = nn.LayerNorm(output_size)
        self.context_dropout = context_dropout
        self.context = nn.Linear(output_size, output_size) if context_dropout is not None else None

    @property
    def reach(self) -> int:
        """Encoder frames to each side that a frame sees."""
        return self.num_layers * (self.width // 2)

    def forward(self, features: Tensor, feature_lengths: Tensor, h: Tensor, lengths: Tensor) -> Tensor:
        """States (B, T, D).

        Args:
            features: (B, N, F).
            feature_lengths: (B,).
            h: (B, T, D) states of the encoder.
            lengths: (B,), their valid frames.
        """
        features = features.masked_fill(padding_mask(feature_lengths, features).unsqueeze(-1), 0.0)
        num_missing = self.subsampling * h.size(1) + _OVERLAP - features.size(1)
        x = F.pad(features, (0, 0, 0, max(0, num_missing))).transpose(1, 2)
        x = self.input(x).transpose(1, 2)[:, : h.size(1)]
        # In a padded batch ESPnet's subsampling counts frames that the utterance alone does not have.
        held = (feature_lengths.to(lengths.device) - self.subsampling - _OVERLAP) // self.subsampling + 1
        padding = padding_mask(torch.minimum(lengths, held.clamp(min=1)), x)
        for layer in self.layers:
            x = x + layer(x, padding)
        x = self.norm(x)
        if self.context is None:
            return x
        kept = h.new_ones(len(h), 1, 1)
        if self.training:
            kept = (torch.rand_like(kept) >= self.context_dropout).to(h.dtype)
        return x + kept * self.context(h)


class _Convolution(nn.Module):
    """Norm, depthwise convolution, pointwise convolution."""

    def __init__(self, size: int, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(size)
        self.depthwise = nn.Conv1d(size, size, width, padding=width // 2, groups=size)
        self.pointwise = nn.Linear(size, size)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, padding: Tensor) -> Tensor:
        x = self.norm(x).masked_fill(padding.unsqueeze(-1), 0.0)
        x = F.gelu(self.depthwise(x.transpose(1, 2)).transpose(1, 2))
        return self.dropout(self.pointwise(x))


class _WindowedAttention(nn.Module):
    """Norm, self-attention over the frames of a window."""

    def __init__(self, size: int, width: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        if size % num_heads:
            raise ConfigError("attention heads do not divide the size", expected=f"a divisor of {size}", got=num_heads)
        self.norm = nn.LayerNorm(size)
        self.attention = nn.MultiheadAttention(size, num_heads, batch_first=True)
        self.reach = width // 2
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, padding: Tensor) -> Tensor:
        x = self.norm(x).masked_fill(padding.unsqueeze(-1), 0.0)
        places = torch.arange(x.size(1), device=x.device)
        is_far = (places.unsqueeze(0) - places.unsqueeze(1)).abs() > self.reach
        is_other = (places.unsqueeze(0) != places.unsqueeze(1)).expand(len(x), -1, -1)
        # A frame always sees itself: a row without any frame would not be a number.
        is_hidden = is_far | (padding.unsqueeze(1) & is_other)
        is_hidden = is_hidden.repeat_interleave(self.attention.num_heads, dim=0)
        found, _ = self.attention(x, x, x, attn_mask=is_hidden, need_weights=False)
        return self.dropout(found)


def _check(layers: str, num_layers: int, width: int, context_dropout: float | None) -> None:
    if layers not in LAYERS:
        raise ConfigError("unknown layers", where="emotion_branch_conf", expected=" | ".join(LAYERS), got=layers)
    if num_layers < 0:
        raise ConfigError("num_layers out of range", where="emotion_branch_conf", expected="0 or more", got=num_layers)
    if width < 1 or width % 2 == 0:
        raise ConfigError("width out of range", where="emotion_branch_conf", expected="an odd number", got=width)
    if context_dropout is not None and not 0 <= context_dropout <= 1:
        raise ConfigError(
            "context_dropout out of range", where="emotion_branch_conf", expected="0..1", got=context_dropout
        )
