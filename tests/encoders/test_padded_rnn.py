import itertools

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from espnet_ent.encoders.padded_rnn import run_padded

LENGTHS = torch.tensor([4, 7, 1])
FORMS = list(itertools.product((nn.LSTM, nn.GRU), (1, 2), (True, False)))


@pytest.mark.parametrize(("kind", "num_layers", "bidirectional"), FORMS)
def test_values_and_gradients_are_those_of_packed_sequences(kind, num_layers, bidirectional):
    torch.manual_seed(0)
    rnn = kind(3, 5, num_layers, batch_first=True, bidirectional=bidirectional).double()
    states = torch.randn(3, 9, 3, dtype=torch.float64, requires_grad=True)
    packed = pack_padded_sequence(states, LENGTHS, batch_first=True, enforce_sorted=False)
    expected = pad_packed_sequence(rnn(packed)[0], batch_first=True, total_length=9)[0]
    found = run_padded(rnn, states, LENGTHS)
    torch.testing.assert_close(found, expected)
    weights = torch.randn_like(expected)
    inputs = [states, *rnn.parameters()]
    for got, wanted in zip(
        torch.autograd.grad((found * weights).sum(), inputs),
        torch.autograd.grad((expected * weights).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(got, wanted)


def test_dropout_between_layers_works_in_training_alone():
    torch.manual_seed(0)
    rnn = nn.GRU(3, 5, 2, batch_first=True, dropout=0.9)
    states = torch.randn(1, 4, 3)
    first, second = (run_padded(rnn, states, torch.tensor([4])) for _ in range(2))
    assert not torch.equal(first, second)
    rnn.eval()
    assert torch.equal(run_padded(rnn, states, torch.tensor([4])), run_padded(rnn, states, torch.tensor([4])))
