"""Steps of a search against those of the networks themselves."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from espnet_ent.search import steps as module
from espnet_ent.search.steps import SearchSteps
from espnet_ent.transducer.prediction import PredictionNetwork


class _TwoPredictors:
    """As a factorized transducer has them."""

    def __init__(self, dtype: torch.dtype, **options: object) -> None:
        torch.manual_seed(0)
        self.parts = [
            (PredictionNetwork(7, 4, 5, 3, **options).to(dtype).eval(), nn.Linear(3, 6, bias=False).to(dtype))
            for _ in range(2)
        ]

    def predictors(self) -> tuple[tuple[PredictionNetwork, nn.Linear], ...]:
        return tuple(self.parts)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("most_in_a_table", [0, 256])
@pytest.mark.parametrize("options", [{}, {"num_layers": 2}, {"cell": "gru"}, {"cell": "gru", "num_layers": 3}])
def test_steps_equal_whole_sequences(options, most_in_a_table, dtype, monkeypatch) -> None:
    monkeypatch.setattr(module, "_MOST_LABELS_IN_A_TABLE", most_in_a_table)
    transducer = _TwoPredictors(dtype, **options)
    labels = torch.tensor([[3, 1, 6], [2, 2, 4], [5, 0, 1]])
    whole = [projection(network(labels)) for network, projection in transducer.parts]
    outputs = transducer.parts[0][0](labels)
    steps = SearchSteps(transducer)
    start = steps.start(3)
    projected, state, g = steps(start.labels, start.state)
    for u in range(4):
        if u:
            projected, state, g = steps(labels[:, u - 1], state)
        torch.testing.assert_close(g, outputs[:, u].detach())
        for found, expected in zip(projected, whole, strict=True):
            torch.testing.assert_close(found, expected[:, u])
            assert not found.requires_grad


def test_a_sequence_goes_on_where_another_ended() -> None:
    transducer = _TwoPredictors(torch.float64)
    steps = SearchSteps(transducer)
    labels = [3, 1, 6, 2]
    for cut in range(5):
        start = steps.after(steps.start(1), labels[:cut])
        for number, (network, _) in enumerate(transducer.parts):
            whole = network(torch.tensor([labels]))
            rest = network(torch.tensor([labels[cut:]], dtype=torch.long), start.part(number, of=2))
            torch.testing.assert_close(rest, whole[:, cut:])
