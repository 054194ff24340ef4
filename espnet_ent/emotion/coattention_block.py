"""Co-attention of two sequences: each is read again in the light of the other.

Dimensions: B batch, N and M lengths of the sequences, D size.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from espnet_ent.errors import ConfigError
from espnet_ent.transducer.masks import padding_mask


@dataclass(frozen=True, eq=False)
class Stream:
    """A batch of sequences.

    Attributes:
        states: (B, N, D).
        padding: (B, N) bool, true where there is nothing; nowhere a whole row.
    """

    states: Tensor
    padding: Tensor

    @classmethod
    def of(cls, states: Tensor, lengths: Tensor) -> Stream:
        """A stream of states (B, N, D) with valid rows (B,); what lies beyond them is zeroed."""
        padding = padding_mask(lengths, states)
        return cls(states.masked_fill(padding.unsqueeze(-1), 0.0), padding)

    def followed_by(self, other: Stream) -> Stream:
        """Both, one after the other."""
        return Stream(torch.cat([self.states, other.states], dim=1), torch.cat([self.padding, other.padding], dim=1))


class CoattentionBlock(nn.Module):
    """Multi-head attention both ways, residual and layer norm, then a feed-forward network likewise.

    ``a' = norm(a + attention(a, b, b))``, ``a'' = norm(a' + feedforward(a'))``; the same for b with weights of its own,
    both reading what the other was before the block.

    Source: the block of Vaswani et al., "Attention is all you need", 2017, section 3, with the other sequence as keys
    and values; Lu et al., "Hierarchical question-image co-attention", 2016, for attention both ways at once (parallel).

    Args:
        size: D.
        num_heads: Attention heads.
        feedforward_size: Size inside the feed-forward network.
        dropout: Of attention weights and of what is added.

    Raises:
        ConfigError: If the heads don't share D evenly.
    """

    def __init__(self, size: int, num_heads: int, feedforward_size: int, dropout: float) -> None:
        super().__init__()
        if num_heads < 1 or size % num_heads:
            raise ConfigError(
                "attention heads don't share the size evenly", expected=f"a divisor of {size}", got=num_heads
            )
        self.sides = nn.ModuleList([_Side(size, num_heads, feedforward_size, dropout) for _ in range(2)])

    def forward(self, a: Stream, b: Stream) -> tuple[Stream, Stream]:
        """Both sequences, (B, N, D) and (B, M, D), after the block."""
        first, second = self.sides
        return first(a, b), second(b, a)


class _Side(nn.Module):
    """One direction."""

    def __init__(self, size: int, num_heads: int, feedforward_size: int, dropout: float) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(size, num_heads, dropout=dropout, batch_first=True)
        self.feedforward = nn.Sequential(
            nn.Linear(size, feedforward_size), nn.ReLU(), nn.Dropout(dropout), nn.Linear(feedforward_size, size)
        )
        self.norms = nn.ModuleList([nn.LayerNorm(size) for _ in range(2)])
        self.dropout = nn.Dropout(dropout)

    def forward(self, own: Stream, other: Stream) -> Stream:
        read, _ = self.attention(
            own.states, other.states, other.states, key_padding_mask=other.padding, need_weights=False
        )
        states = self.norms[0](own.states + self.dropout(read))
        states = self.norms[1](states + self.dropout(self.feedforward(states)))
        return Stream(states.masked_fill(own.padding.unsqueeze(-1), 0.0), own.padding)
