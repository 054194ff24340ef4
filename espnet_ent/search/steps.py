"""Steps of the prediction networks in a search, with everything done beforehand that does not depend on the labels.

torch's recurrent layers prepare their weights anew at each call, which takes thirty times as long as the step itself.
Here weights are laid out once for the matrix products, and a label's part in the first recurrent layer is looked up.

Dimensions: B batch, J joint size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from espnet_ent.transducer.masks import BLANK
from espnet_ent.transducer.prediction import PredictionNetwork, PredictionStart
from espnet_ent.transducer.products import product

_MOST_LABELS_IN_A_TABLE = 256

SearchState = tuple[Tensor, ...]
"""Recurrent state of all prediction networks: tensors (num_layers, B, hidden_size)."""


class HasPredictors(Protocol):
    """A transducer."""

    def predictors(self) -> tuple[tuple[PredictionNetwork, nn.Linear], ...]: ...


class SearchSteps:
    """The prediction networks of a transducer, with their projections into the joint networks.

    Holds copies of the weights: to be made after the last change to them.

    Args:
        transducer: A transducer.
    """

    @torch.no_grad()
    def __init__(self, transducer: HasPredictors) -> None:
        self._networks = [_Network(*predictor) for predictor in transducer.predictors()]

    def start(self, batch_size: int) -> PredictionStart:
        """Before any label."""
        zeros = tuple(values for network in self._networks for values in network.zeros(batch_size))
        return PredictionStart(torch.full((batch_size,), BLANK, device=zeros[0].device), zeros)

    def after(self, start: PredictionStart, labels: Sequence[int]) -> PredictionStart:
        """Where to go on after ``labels`` of the only sequence of ``start``."""
        for label in labels:
            _, state, _ = self(start.labels, start.state)
            start = PredictionStart(start.labels.new_full((1,), label), state)
        return start

    @torch.no_grad()
    def __call__(self, labels: Tensor, state: SearchState) -> tuple[tuple[Tensor, ...], SearchState, Tensor]:
        """One step.

        Args:
            labels: (B,) int64, the label emitted last.
            state: State before that label.

        Returns:
            Projected states (B, J) for each joint network, the state after the label, and the states (B, P) that the
            emotion branches see: those of the first network.
        """
        size = len(state) // len(self._networks)
        projected, after, outputs = [], [], []
        for number, network in enumerate(self._networks):
            output, new = network.step(labels, state[number * size : (number + 1) * size])
            outputs.append(output)
            projected.append(network.projection(output))
            after += new
        return tuple(projected), tuple(after), outputs[0]


class _Matrix:
    """A linear layer whose weight is laid out for products with few rows."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.transposed, self.bias = weight.detach().t().contiguous(), None if bias is None else bias.detach()

    def __call__(self, values: Tensor) -> Tensor:
        return product(values, self.transposed.t(), self.bias)


class _Network:
    """One prediction network."""

    def __init__(self, network: PredictionNetwork, projection: nn.Linear) -> None:
        recurrent = network.recurrent
        self.size = (recurrent.num_layers, recurrent.hidden_size)
        self.cell, self.num_states = (_lstm, 2) if isinstance(recurrent, nn.LSTM) else (_gru, 1)
        self.layers = []
        for layer in range(recurrent.num_layers):
            named = (
                getattr(recurrent, f"{kind}_{part}_l{layer}") for part in ("ih", "hh") for kind in ("weight", "bias")
            )
            of_input, bias_of_input, of_state, bias_of_state = named
            self.layers.append((_Matrix(of_input, bias_of_input), _Matrix(of_state, bias_of_state)))
        self.embedding = network.embedding.weight.detach()
        small = len(self.embedding) <= _MOST_LABELS_IN_A_TABLE
        self.table = self.layers[0][0](self.embedding) if small else None
        self.output = _Matrix(network.output.weight, network.output.bias)
        self.projection = _Matrix(projection.weight, projection.bias)

    def zeros(self, batch_size: int) -> tuple[Tensor, ...]:
        num_layers, hidden_size = self.size
        return tuple(self.embedding.new_zeros(num_layers, batch_size, hidden_size) for _ in range(self.num_states))

    def step(self, labels: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, list[Tensor]]:
        hidden, after = self.embedding[labels] if self.table is None else None, []
        for layer, (of_input, of_state) in enumerate(self.layers):
            inputs = self.table[labels] if hidden is None else of_input(hidden)
            before = [values[layer] for values in state]
            after.append(self.cell(inputs, of_state(before[0]), before))
            hidden = after[-1][0]
        new = [
            values[0].unsqueeze(0) if len(values) == 1 else torch.stack(values) for values in zip(*after, strict=True)
        ]
        return self.output(hidden), new


def _lstm(inputs: Tensor, of_state: Tensor, before: list[Tensor]) -> tuple[Tensor, Tensor]:
    gates = inputs + of_state
    i, f, g, o = gates.chunk(4, dim=1)
    cell = f.sigmoid().mul_(before[1]).addcmul_(i.sigmoid(), g.tanh())
    return o.sigmoid().mul_(cell.tanh()), cell


def _gru(inputs: Tensor, of_state: Tensor, before: list[Tensor]) -> tuple[Tensor]:
    (r, z, n), (r_state, z_state, n_state) = inputs.chunk(3, dim=1), of_state.chunk(3, dim=1)
    n = (n + (r + r_state).sigmoid() * n_state).tanh()
    return (torch.lerp(n, before[0], (z + z_state).sigmoid()),)
