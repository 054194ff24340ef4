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


def test_statistics_pooling_adds_the_deviation_of_valid_frames():
    torch.manual_seed(0)
    head = PoolingHead(4, 6, 3, statistics=True)
    h, g = _inputs(7.0)
    logits = head(h, LENGTHS, g, COLUMNS)
    for b in range(3):
        valid = h[b, : LENGTHS[b]]
        deviation = (valid.var(0, correction=0) + 1e-5).sqrt()
        pooled = torch.cat((valid.mean(0), deviation, g[b, : COLUMNS[b]].mean(0)))
        torch.testing.assert_close(logits[b], head.output(head.norm(pooled)))


def test_dropout_is_of_training_alone():
    torch.manual_seed(0)
    head = PoolingHead(4, 6, 3, dropout=0.5)
    h, g = _inputs(0.0)
    assert not torch.equal(head(h, LENGTHS, g, COLUMNS), head(h, LENGTHS, g, COLUMNS))
    head.eval()
    assert torch.equal(head(h, LENGTHS, g, COLUMNS), head(h, LENGTHS, g, COLUMNS))


@pytest.mark.parametrize("statistics", [False, True])
@pytest.mark.parametrize("garbage", [0.0, 1e30, float("nan")])
def test_padding_changes_nothing_and_gets_no_gradient(garbage, statistics):
    torch.manual_seed(0)
    head = PoolingHead(4, 6, 3, statistics)
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


def _emotions(lengths: torch.Tensor, size: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    emotions = torch.randint(0, 3, (3, size), generator=generator)
    return emotions.masked_fill(torch.arange(size) >= lengths.unsqueeze(1), -1)


@pytest.mark.parametrize("statistics", [False, True])
@pytest.mark.parametrize("garbage", [0.0, 7.0, float("nan")])
def test_stretches_of_one_emotion_are_pooled_together(garbage, statistics):
    torch.manual_seed(0)
    head = PoolingHead(4, 6, 3, statistics)
    h, g = _inputs(garbage)
    frames, columns = _emotions(LENGTHS, 5, 1), _emotions(COLUMNS, 4, 2)
    logits, present = head.by_emotion(h, frames, g, columns)
    assert logits.shape == (3, 3, 3)
    for b in range(3):
        for emotion in range(3):
            chosen = frames[b] == emotion
            assert present[b, emotion] == chosen.any()
            of_columns = g[b, columns[b] == emotion]
            mean_g = of_columns.mean(0) if len(of_columns) else torch.zeros(6)
            if chosen.any():
                of_frames = h[b, chosen]
                deviation = [(of_frames.var(0, correction=0) + 1e-5).sqrt()] if statistics else []
                pooled = torch.cat((of_frames.mean(0), *deviation, mean_g))
                torch.testing.assert_close(logits[b, emotion], head.output(head.norm(pooled)))
    logits[present].square().sum().backward()
    for b in range(3):
        assert h.grad[b, LENGTHS[b] :].abs().sum() == 0
        assert g.grad[b, COLUMNS[b] :].abs().sum() == 0


@pytest.mark.parametrize("statistics", [False, True])
def test_one_emotion_throughout_is_the_utterance(statistics):
    torch.manual_seed(0)
    head = PoolingHead(4, 6, 3, statistics)
    h, g = _inputs(0.0)
    frames = torch.zeros(3, 5, dtype=torch.long).masked_fill(torch.arange(5) >= LENGTHS.unsqueeze(1), -1)
    columns = torch.zeros(3, 4, dtype=torch.long).masked_fill(torch.arange(4) >= COLUMNS.unsqueeze(1), -1)
    logits, present = head.by_emotion(h, frames, g, columns)
    torch.testing.assert_close(logits[:, 0], head(h, LENGTHS, g, COLUMNS))
    assert present.tolist() == [[True, False, False]] * 3


def test_a_head_without_label_states_pools_frames_by_emotion():
    head = PoolingHead(4, 0, 3)
    h, g = _inputs(0.0)
    logits, _ = head.by_emotion(h, _emotions(LENGTHS, 5, 1))
    assert logits.shape == (3, 3, 3)
    with pytest.raises(ConfigError, match="do not fit"):
        head.by_emotion(h, _emotions(LENGTHS, 5, 1), g, _emotions(COLUMNS, 4, 2))
