"""The pooled utterance head against means over slices."""

from __future__ import annotations

import pytest
import torch

from espnet_ent.emotion.pooling import PoolingHead, masked_mean
from espnet_ent.errors import ConfigError

LENGTHS = torch.tensor([3, 1, 5])
COLUMNS = torch.tensor([1, 4, 2])


def _inputs(garbage: float) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    h, g = torch.randn(3, 5, 4, generator=generator), torch.randn(3, 4, 6, generator=generator)
    for b in range(3):
        h[b, LENGTHS[b] :] = garbage
        g[b, COLUMNS[b] :] = garbage
    return h.requires_grad_(), g.requires_grad_()


def test_logits_are_of_the_means_over_valid_frames_and_columns():
    torch.manual_seed(0)
    head = PoolingHead(4, 6, 3)
    h, g = _inputs(7.0)
    logits = head(h, LENGTHS, g, COLUMNS)
    for b in range(3):
        pooled = torch.cat((h[b, : LENGTHS[b]].mean(0), g[b, : COLUMNS[b]].mean(0)))
        torch.testing.assert_close(logits[b], head.output(head.norm(pooled)))


@pytest.mark.parametrize("garbage", [0.0, 1e30, float("nan")])
def test_padding_changes_nothing_and_gets_no_gradient(garbage):
    torch.manual_seed(0)
    head = PoolingHead(4, 6, 3)
    h, g = _inputs(garbage)
    logits = head(h, LENGTHS, g, COLUMNS)
    assert torch.equal(logits, head(*_with_lengths(_inputs(0.0))))
    logits.square().sum().backward()
    for b in range(3):
        assert h.grad[b, LENGTHS[b] :].abs().sum() == 0
        assert g.grad[b, COLUMNS[b] :].abs().sum() == 0
        assert h.grad[b, : LENGTHS[b]].abs().sum() > 0


def _with_lengths(inputs: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, ...]:
    return inputs[0], LENGTHS, inputs[1], COLUMNS


def test_encoder_alone():
    torch.manual_seed(0)
    head = PoolingHead(4, 0, 3)
    h, _ = _inputs(7.0)
    torch.testing.assert_close(head(h, LENGTHS)[1], head.output(head.norm(h[1, 0])))


def test_missing_or_surplus_prediction_states_are_refused():
    h, g = _inputs(0.0)
    for head, arguments in (
        (PoolingHead(4, 6, 3), (h, LENGTHS)),
        (PoolingHead(4, 6, 3), (h, LENGTHS, g)),
        (PoolingHead(4, 0, 3), (h, LENGTHS, g, COLUMNS)),
    ):
        with pytest.raises(ConfigError, match="prediction states of size"):
            head(*arguments)


def test_mean_of_nothing_is_zero():
    assert masked_mean(torch.ones(2, 3, 4), torch.tensor([0, 2])).sum(1).tolist() == [0.0, 4.0]
