"""The prediction network: an autoregressive encoder of the labels emitted so far."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from espnet_ent.errors import ConfigError
from espnet_ent.transducer.masks import BLANK

PredictionState = tuple[Tensor, ...]
"""Recurrent state: tensors (num_layers, B, hidden_size); two for an LSTM, one for a GRU."""


@dataclass(frozen=True, eq=False)
class PredictionStart:
    """Where a prediction network goes on in the middle of a label sequence.

    Attributes:
        labels: (B,) int64, the label emitted last; blank at the beginning.
        state: Recurrent state before that label; of several networks one after the other.
    """

    labels: Tensor
    state: PredictionState

    def part(self, number: int, of: int) -> PredictionStart:
        """That of one of several networks."""
        size = len(self.state) // of
        return PredictionStart(self.labels, self.state[number * size : (number + 1) * size])


_CELLS = {"lstm": nn.LSTM, "gru": nn.GRU}
_STATE_TENSORS = {"lstm": 2, "gru": 1}
_CELL_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


class PredictionNetwork(nn.Module):
    """Embedding -> recurrent layers -> linear. The input is blank followed by the labels.

    Dimensions: B batch, U labels, P output size.

    Args:
        vocab_size: Number of labels, blank (index 0) included.
        embedding_size: Size of the label embedding.
        hidden_size: Size of the recurrent layers.
        output_size: P.
        num_layers: Number of recurrent layers.
        dropout: Dropout on the embedding and between recurrent layers.
        cell: ``lstm`` or ``gru``.

    Raises:
        ConfigError: If ``cell`` is unknown.
    """

    def __init__(
        self,
        vocab_size: int,
        embedding_size: int = 640,
        hidden_size: int = 640,
        output_size: int = 768,
        num_layers: int = 1,
        dropout: float = 0.0,
        cell: str = "lstm",
    ) -> None:
        super().__init__()
        if cell not in _CELLS:
            raise ConfigError("unknown cell of the prediction network", expected=sorted(_CELLS), got=cell)
        self.output_size = output_size
        self._num_state_tensors = _STATE_TENSORS[cell]
        self.embedding = nn.Embedding(vocab_size, embedding_size)
        self.dropout = nn.Dropout(dropout)
        self.recurrent = _CELLS[cell](
            embedding_size,
            hidden_size,
            num_layers,
            batch_first=True,
            dropout=dropout if num_layers > 1 else 0.0,
        )
        self.output = nn.Linear(hidden_size, output_size)

    def forward(self, labels: Tensor, start: PredictionStart | None = None) -> Tensor:
        """States of whole label sequences.

        Args:
            labels: (B, U) int64. Beyond an utterance's length any label, or -1: later labels never change
                earlier columns.
            start: Where to go on; None: at the beginning.

        Returns:
            (B, U + 1, P); column u has seen blank, or what came before, and the first u labels.
        """
        inputs = nn.functional.pad(labels.clamp(min=0), (1, 0), value=BLANK)
        state = None
        if start is not None:
            inputs[:, 0] = start.labels
            state = start.state[0] if self._num_state_tensors == 1 else start.state
        hidden, _ = self.recurrent(self.dropout(self.embedding(inputs)), state)
        return self.output(hidden)

    def initial_state(self, batch_size: int) -> PredictionState:
        """The zero state, from which the first step (on blank) starts."""
        weight = self.output.weight
        size = (self.recurrent.num_layers, batch_size, self.recurrent.hidden_size)
        return tuple(weight.new_zeros(size) for _ in range(self._num_state_tensors))

    def step(self, labels: Tensor, state: PredictionState) -> tuple[Tensor, PredictionState]:
        """One step, without dropout.

        torch's recurrent layers prepare their weights anew at each call, which takes 30 times as long as a step: the
        cells are called instead.

        Args:
            labels: (B,) int64, the label emitted last; blank at the start.
            state: State before that label.

        Returns:
            (B, P) output and the state after the label.
        """
        hidden, after = self.embedding(labels), []
        for layer in range(self.recurrent.num_layers):
            weights = [getattr(self.recurrent, f"{name}_l{layer}") for name in _CELL_WEIGHTS]
            before = [values[layer] for values in state]
            if self._num_state_tensors == 1:
                after.append((torch.gru_cell(hidden, before[0], *weights),))
            else:
                after.append(torch.lstm_cell(hidden, before, *weights))
            hidden = after[-1][0]
        return self.output(hidden), tuple(torch.stack(values) for values in zip(*after, strict=True))
