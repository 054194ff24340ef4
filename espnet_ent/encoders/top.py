"""Small networks on top of a pretrained encoder's states.

Dimensions: B batch, T frames, D input size, O output size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class BiLSTMTop(nn.Module):
    """A bidirectional LSTM that does not see padding.

    Args:
        input_size: D.
        hidden_size: O / 2.
        num_layers: Number of layers.
        dropout: Of its input and between layers.
    """

    def __init__(self, input_size: int, hidden_size: int = 384, num_layers: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        self.output_size = 2 * hidden_size
        self.dropout = nn.Dropout(dropout)
        self.rnn = nn.LSTM(
            input_size,
            hidden_size,
            num_layers,
            batch_first=True,
            bidirectional=True,
            dropout=dropout if num_layers > 1 else 0.0,
        )

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, O) of states (B, T, D) with valid frames (B,); zero beyond them."""
        states = self.dropout(states)
        if states.device.type == "cpu":
            return self._without_packing(states, lengths.to(states.device))
        packed = pack_padded_sequence(states, lengths.cpu(), batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.rnn(packed)[0], batch_first=True, total_length=states.size(1))[0]

    def _without_packing(self, states: Tensor, lengths: Tensor) -> Tensor:
        """The same, five times as fast on a CPU, where torch takes packed frames one by one.

        Forwards padding comes last, and backwards each utterance is turned round without its padding: no state that
        counts has seen any.
        """
        frames = torch.arange(states.size(1), device=states.device)
        valid = frames < lengths.unsqueeze(1)
        turned = torch.where(valid, lengths.unsqueeze(1) - 1 - frames, frames).unsqueeze(2)
        for layer in range(self.rnn.num_layers):
            if layer > 0:
                states = F.dropout(states, self.rnn.dropout, self.training)
            forwards = self._one_way(states, f"l{layer}")
            backwards = self._one_way(states.gather(1, turned.expand_as(states)), f"l{layer}_reverse")
            states = torch.cat((forwards, backwards.gather(1, turned.expand_as(backwards))), dim=2)
        return states.masked_fill(~valid.unsqueeze(2), 0.0)

    def _one_way(self, states: Tensor, suffix: str) -> Tensor:
        """One direction of one layer: (B, T, hidden size) of (B, T, its input size)."""
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        weights = [getattr(self.rnn, f"{name}_{suffix}") for name in names]
        start = states.new_zeros(1, len(states), self.rnn.hidden_size)
        return torch.lstm(states, (start, start), weights, True, 1, 0.0, self.training, False, True)[0]


class LinearTop(nn.Module):
    """One linear layer.

    Args:
        input_size: D.
        output_size: O.
        dropout: Of its input.
    """

    def __init__(self, input_size: int, output_size: int = 768, dropout: float = 0.0) -> None:
        super().__init__()
        self.output_size = output_size
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(input_size, output_size)

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, O) of states (B, T, D); ``lengths`` are not needed."""
        return self.linear(self.dropout(states))


class NoTop(nn.Module):
    """The states as they are.

    Args:
        input_size: D.
    """

    def __init__(self, input_size: int) -> None:
        super().__init__()
        self.output_size = input_size

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """``states`` themselves."""
        return states
