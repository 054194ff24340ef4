import pytest
import torch

from espnet_ent.emotion.attention_pooling import POOLINGS, AttentionPooling
from espnet_ent.errors import ConfigError
from espnet_ent.transducer.masks import padding_mask

LENGTHS = torch.tensor([7, 3, 1])


def _states() -> torch.Tensor:
    return torch.randn(3, 7, 4, generator=torch.Generator().manual_seed(0))


def _naive(pooling: AttentionPooling, states: torch.Tensor) -> torch.Tensor:
    """One utterance without padding, frame by frame."""
    if pooling.pooling == "mean":
        weights = [1 / len(states)] * len(states)
    else:
        linear, _, vector = pooling.scores
        scores = [vector.weight[0] @ torch.tanh(linear.weight @ frame + linear.bias) for frame in states]
        total = sum(score.exp() for score in scores)
        weights = [score.exp() / total for score in scores]
    mean = sum(weight * frame for weight, frame in zip(weights, states, strict=True))
    if pooling.pooling != "attention_statistics":
        return mean
    variance = sum(weight * (frame - mean) ** 2 for weight, frame in zip(weights, states, strict=True))
    return torch.cat([mean, (variance + 1e-5).sqrt()])


@pytest.mark.parametrize("form", POOLINGS)
def test_it_is_the_naive_sum_over_the_valid_frames(form):
    torch.manual_seed(1)
    pooling, states = AttentionPooling(4, 5, form), _states()
    pooled = pooling(states, padding_mask(LENGTHS, states))
    assert pooled.shape == (3, pooling.output_size)
    for row, length in enumerate(LENGTHS.tolist()):
        torch.testing.assert_close(pooled[row], _naive(pooling, states[row, :length]))


@pytest.mark.parametrize("form", POOLINGS)
def test_what_stands_on_padding_changes_neither_the_result_nor_the_gradient(form):
    torch.manual_seed(1)
    pooling, states = AttentionPooling(4, 5, form), _states()
    padding = padding_mask(LENGTHS, states)
    spoilt = states.masked_fill(padding.unsqueeze(-1), float("nan")).requires_grad_()
    pooled = pooling(spoilt, padding)
    assert torch.equal(pooled, pooling(states, padding))
    pooled.sum().backward()
    assert not spoilt.grad[padding].any()


@pytest.mark.parametrize("form", POOLINGS)
def test_weights_are_a_distribution_over_the_valid_frames(form):
    pooling, states = AttentionPooling(4, 5, form), _states()
    padding = padding_mask(LENGTHS, states)
    weights = pooling.weights(states, padding)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(3))
    assert not weights[padding].any()


def test_gaps_in_the_middle_are_left_out():
    """Streams that follow one another leave padding between them."""
    torch.manual_seed(1)
    pooling, states = AttentionPooling(4, 5, "attention_statistics"), _states()[:1]
    padding = torch.tensor([[False, True, False, False, True, True, False]])
    torch.testing.assert_close(pooling(states, padding)[0], _naive(pooling, states[0, [0, 2, 3, 6]]))


def test_an_unknown_form_is_refused():
    with pytest.raises(ConfigError, match="attention_statistics"):
        AttentionPooling(4, 5, "max")
