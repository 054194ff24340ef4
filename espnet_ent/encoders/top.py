"""Small networks on top of a pretrained encoder's states.

Dimensions: B batch, T frames, D input size, O output size.
"""

from __future__ import annotations

from torch import Tensor, nn

from espnet_ent.encoders.padded_rnn import run_padded


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
        return run_padded(self.rnn, self.dropout(states), lengths)


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
