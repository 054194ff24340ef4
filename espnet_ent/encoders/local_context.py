"""Encoder states that see a short stretch around their frame: an emotion branch that can tell when.

An encoder with attention over the whole utterance may give every frame the emotion of the utterance: a lattice trained
with one label an utterance never tells it not to. The states of this branch cannot: they see some hundred milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from espnet_ent.errors import ConfigError
from espnet_ent.transducer.masks import padding_mask

LAYERS = ("conv", "attention")
_OVERLAP = 3  # features that neighbouring frames share, as in ESPnet's convolutional subsampling


@dataclass(frozen=True)
class LocalContextOptions:
    """``emotion_branch_conf`` of ``emotion_branch: local_context``.

    Attributes:
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

    layers: str = "conv"
    num_layers: int = 2
    width: int = 5
    num_heads: int = 4
    dropout: float = 0.1
    context_dropout: float | None = None

    def __post_init__(self) -> None:
        if self.layers not in LAYERS:
            _refuse("unknown layers", " | ".join(LAYERS), self.layers)
        if self.num_layers < 0:
            _refuse("num_layers out of range", "0 or more", self.num_layers)
        if self.width < 1 or self.width % 2 == 0:
            _refuse("width out of range", "an odd number", self.width)
        if self.num_heads < 1:
            _refuse("num_heads out of range", "1 or more", self.num_heads)
        if not 0 <= self.dropout < 1:
            _refuse("dropout out of range", "0 or more, below 1", self.dropout)
        if self.context_dropout is not None and not 0 <= self.context_dropout <= 1:
            _refuse("context_dropout out of range", "0..1", self.context_dropout)

    @property
    def reach(self) -> int:
        """Encoder frames to each side that a frame sees."""
        return self.num_layers * (self.width // 2)


class LocalContext(nn.Module):
    """Layers of limited reach over features, at the frame rate of the encoder.

    Frame t sees the features from ``subsampling * (t - reach)`` to ``subsampling * (t + reach + 1) + 2``, with the
    reach of its options. How much speech that is depends on the features. Log-mel features with fixed statistics
    (``global_mvn``) see a window of the Fourier transform. Others know a few numbers of the whole utterance:
    ``utterance_mvn`` the mean of each feature, ``fbank_pitch`` level and mean F0, SSL models with normalised input its
    mean and variance, those with group normalisation (the base models) mean and variance of each channel of their
    first convolution, Whisper the loudest value of its 30 s.

    Dimensions: B batch, N feature frames, F features, T encoder frames, D size.

    Args:
        input_size: F.
        output_size: D; also that of the encoder.
        subsampling: Feature frames for one encoder frame.
        options: Layers.

    Raises:
        ConfigError: If attention heads don't divide D.
    """

    def __init__(
        self, input_size: int, output_size: int, subsampling: int, options: LocalContextOptions | None = None
    ) -> None:
        super().__init__()
        self.options = options = options or LocalContextOptions()
        self.subsampling = subsampling
        self.input = nn.Conv1d(input_size, output_size, subsampling + _OVERLAP, stride=subsampling)
        make = _Convolution if options.layers == "conv" else _WindowedAttention
        self.layers = nn.ModuleList(make(output_size, options) for _ in range(options.num_layers))
        self.norm = nn.LayerNorm(output_size)
        self.context = nn.Linear(output_size, output_size) if options.context_dropout is not None else None

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
            kept = (torch.rand_like(kept) >= self.options.context_dropout).to(h.dtype)
        return x + kept * self.context(h)


class _Convolution(nn.Module):
    """Norm, depthwise convolution, pointwise convolution."""

    def __init__(self, size: int, options: LocalContextOptions) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(size)
        self.depthwise = nn.Conv1d(size, size, options.width, padding=options.width // 2, groups=size)
        self.pointwise = nn.Linear(size, size)
        self.dropout = nn.Dropout(options.dropout)

    def forward(self, x: Tensor, padding: Tensor) -> Tensor:
        x = self.norm(x).masked_fill(padding.unsqueeze(-1), 0.0)
        x = F.gelu(self.depthwise(x.transpose(1, 2)).transpose(1, 2))
        return self.dropout(self.pointwise(x))


class _WindowedAttention(nn.Module):
    """Norm, self-attention over the frames of a window."""

    def __init__(self, size: int, options: LocalContextOptions) -> None:
        super().__init__()
        if size % options.num_heads:
            _refuse("attention heads do not divide the size", f"a divisor of {size}", options.num_heads)
        self.norm = nn.LayerNorm(size)
        self.attention = nn.MultiheadAttention(size, options.num_heads, batch_first=True)
        self.reach = options.width // 2
        self.dropout = nn.Dropout(options.dropout)

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


def _refuse(what: str, expected: str, got: object) -> None:
    raise ConfigError(what, where="emotion_branch_conf", expected=expected, got=got)
