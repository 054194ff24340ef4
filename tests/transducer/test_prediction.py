"""The prediction network: whole sequences and steps are one computation; the future never leaks back."""

from __future__ import annotations

import pytest
import torch

from espnet_ent.errors import ConfigError
from espnet_ent.transducer.prediction import PredictionNetwork


def _network(**options: object) -> PredictionNetwork:
    torch.manual_seed(0)
    return PredictionNetwork(7, 4, 5, 3, **options).double().eval()


LABELS = torch.tensor([[3, 1, 6], [2, 2, 4]])


@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "dropout": 0.5}, {"cell": "gru"}])
def test_steps_equal_the_whole_sequence(options):
    network = _network(**options)
    whole = network(LABELS)
    assert whole.shape == (2, 4, 3)
    state = network.initial_state(2)
    for u, labels in enumerate([torch.tensor([0, 0]), *LABELS.unbind(1)]):
        g, state = network.step(labels, state)
        torch.testing.assert_close(g, whole[:, u])


def test_states_of_a_batch_are_separate():
    network = _network()
    for b in range(2):
        torch.testing.assert_close(network(LABELS[b : b + 1])[0], network(LABELS)[b])


def test_later_labels_and_padding_do_not_change_earlier_columns():
    network = _network()
    expected = network(LABELS[:, :2])
    for padding in (-1, 0, 5):
        padded = torch.nn.functional.pad(LABELS[:, :2], (0, 2), value=padding)
        torch.testing.assert_close(network(padded)[:, :3], expected)


def test_no_labels_leave_the_column_of_blank():
    network = _network()
    torch.testing.assert_close(network(LABELS[:, :0]), network(LABELS)[:, :1])


def test_dropout_acts_in_training_alone():
    network = _network(dropout=0.5)
    assert torch.equal(network(LABELS), network(LABELS))
    network.train()
    assert not torch.equal(network(LABELS), network(LABELS))


def test_an_unknown_cell_is_refused():
    with pytest.raises(ConfigError, match=r"unknown cell.*gru.*lstm.*got rnn"):
        PredictionNetwork(7, 4, 5, 3, cell="rnn")
