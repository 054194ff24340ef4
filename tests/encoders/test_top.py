import pytest
import torch

from espnet_ent.encoders.top import BiLSTMTop, LinearTop, NoTop


@pytest.mark.parametrize("make", [lambda: BiLSTMTop(6, 4, num_layers=2), lambda: LinearTop(6, 8), lambda: NoTop(6)])
def test_padding_changes_nothing(make):
    torch.manual_seed(0)
    top = make().eval()
    states, lengths = torch.randn(2, 9, 6), torch.tensor([9, 5])
    found = top(states, lengths)
    assert found.shape == (2, 9, top.output_size)
    torch.testing.assert_close(found[1:, :5], top(states[1:, :5], lengths[1:]))
    states[1, 5:] = 100.0
    torch.testing.assert_close(top(states, lengths)[1, :5], found[1, :5])


def test_sizes():
    assert BiLSTMTop(6).output_size == 768  # the reference's
    assert LinearTop(6, 10).output_size == 10
    assert NoTop(6).output_size == 6
