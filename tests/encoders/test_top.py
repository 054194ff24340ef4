import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

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


@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_bilstm_gives_what_torch_gives_for_packed_sequences_gradients_too(num_layers, dtype):
    torch.manual_seed(0)
    top = BiLSTMTop(6, 4, num_layers).to(dtype)
    states, lengths = torch.randn(3, 9, 6, dtype=dtype, requires_grad=True), torch.tensor([4, 9, 1])
    packed = pack_padded_sequence(states, lengths, batch_first=True, enforce_sorted=False)
    expected, _ = pad_packed_sequence(top.rnn(packed)[0], batch_first=True, total_length=9)
    found = top(states, lengths)
    weights = torch.randn_like(expected)
    wanted, got = (torch.autograd.grad((of * weights).sum(), [states, *top.parameters()]) for of in (expected, found))
    torch.testing.assert_close((found, *got), (expected, *wanted), atol=1e-6, rtol=1e-5)


def test_a_bilstm_drops_out_between_its_layers_in_training_alone():
    torch.manual_seed(0)
    top, states, lengths = BiLSTMTop(6, 4, 2, dropout=0.5), torch.randn(1, 9, 6), torch.tensor([9])
    assert not torch.equal(top(states, lengths), top(states, lengths))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.isfinite(top(states, lengths)).all()
    top.eval()
    assert torch.equal(top(states, lengths), top(states, lengths))


def test_sizes():
    assert BiLSTMTop(6).output_size == 768  # the reference's
    assert LinearTop(6, 10).output_size == 10
    assert NoTop(6).output_size == 6
