"""What a fusion of modalities starts from: acoustic features, ASR hidden states and ASR text, each at the same size.

Dimensions: B batch, N acoustic rows, T frames, U labels, F acoustic features, D encoder size, P prediction size,
V vocabulary, S size of all streams.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from espnet_ent.emotion.coattention_block import Stream
from espnet_ent.encoders.padded_rnn import run_padded
from espnet_ent.transducer.masks import BLANK, mask_labels, padding_mask

_KERNEL = 5


class AcousticStream(nn.Module):
    """Strided convolutions, then a bidirectional LSTM.

    Args:
        input_size: F.
        size: S, an even number.
        num_halvings: Convolutions, each of which leaves every second row.
        dropout: Of what the LSTM reads.
    """

    def __init__(self, input_size: int, size: int, num_halvings: int, dropout: float) -> None:
        super().__init__()
        sizes = [input_size] + [size] * num_halvings
        self.convolutions = nn.ModuleList(
            [nn.Conv1d(a, b, _KERNEL, stride=2, padding=_KERNEL // 2) for a, b in pairwise(sizes)]
        )
        self.rnn = nn.LSTM(sizes[-1], size // 2, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(size)

    def forward(self, features: Tensor, lengths: Tensor) -> Stream:
        """(B, N', S) of features (B, N, F) with valid rows (B,), 1 or more; padding changes nothing."""
        states = features
        for convolution in self.convolutions:
            valid = states.masked_fill(padding_mask(lengths, states).unsqueeze(-1), 0.0)
            states = convolution(valid.transpose(1, 2)).transpose(1, 2).relu()
            lengths = (lengths + 1) // 2
        return Stream.of(self.norm(run_padded(self.rnn, self.dropout(states), lengths)), lengths)


class StateStream(nn.Module):
    """States that know their context already: linear, layer norm.

    Args:
        input_size: D or P.
        size: S.
        dropout: Of what is read.
    """

    def __init__(self, input_size: int, size: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(input_size, size)
        self.norm = nn.LayerNorm(size)

    def forward(self, states: Tensor, lengths: Tensor) -> Stream:
        """(B, N, S) of states (B, N, input size) with valid rows (B,)."""
        return Stream.of(self.norm(self.linear(self.dropout(states))), lengths)


class TokenStream(nn.Module):
    """Token embeddings, read both ways by an LSTM; blank stands before the first, so that there always is one.

    Args:
        vocab_size: V.
        size: S, an even number.
        unknown: Index of the unknown token.
        token_dropout: In training, the share of tokens that the unknown one replaces.
        dropout: Of the embeddings.
    """

    def __init__(self, vocab_size: int, size: int, unknown: int, token_dropout: float, dropout: float) -> None:
        super().__init__()
        self.unknown, self.token_dropout = unknown, token_dropout
        self.embedding = nn.Embedding(vocab_size, size)
        self.rnn = nn.LSTM(size, size // 2, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(size)

    def forward(self, labels: Tensor, label_lengths: Tensor) -> Stream:
        """(B, U + 1, S) of labels (B, U), of which (B,) are valid."""
        labels = mask_labels(labels, label_lengths)
        if self.training and self.token_dropout > 0:
            dropped = torch.rand(labels.shape, device=labels.device) < self.token_dropout
            labels = labels.masked_fill(dropped, self.unknown)
        labels = torch.cat([labels.new_full((len(labels), 1), BLANK), labels], dim=1)
        lengths = label_lengths.to(labels.device) + 1
        embedded = self.dropout(self.embedding(labels))
        return Stream.of(self.norm(run_padded(self.rnn, embedded, lengths)), lengths)
