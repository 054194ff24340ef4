import pytest
import torch

from espnet_ent.emotion.channel_attention import ChannelAttention
from espnet_ent.errors import ConfigError

LENGTHS = torch.tensor([6, 2])


def test_it_is_squeeze_and_excitation_of_the_mean_over_valid_frames():
    torch.manual_seed(0)
    attention, states = ChannelAttention(8, reduction=4), torch.randn(2, 6, 8)
    weighed = attention(states, LENGTHS)
    first, _, second, _ = attention.excitation
    assert first.out_features == 2
    for row, length in enumerate(LENGTHS.tolist()):
        squeezed = sum(states[row, frame] for frame in range(length)) / length
        factors = torch.sigmoid(second.weight @ torch.relu(first.weight @ squeezed + first.bias) + second.bias)
        torch.testing.assert_close(attention.weights(states, LENGTHS)[row], factors)
        torch.testing.assert_close(weighed[row, :length], states[row, :length] * factors)
    assert not weighed[1, 2:].any()


def test_padding_changes_nothing():
    torch.manual_seed(0)
    attention, states = ChannelAttention(8), torch.randn(2, 6, 8)
    spoilt = states.clone()
    spoilt[1, 2:] = float("nan")
    assert torch.equal(attention(states, LENGTHS), attention(spoilt, LENGTHS))


@pytest.mark.parametrize("reduction", [0, 9])
def test_a_reduction_that_leaves_nothing_is_refused(reduction):
    with pytest.raises(ConfigError, match="1 to 8"):
        ChannelAttention(8, reduction)
