"""The language-model loss against a loop over labels."""

from __future__ import annotations

import pytest
import torch

from espnet_ent.losses.language_model import language_model_loss


def _logits(requires_grad: bool = False) -> torch.Tensor:
    return torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(0)).requires_grad_(requires_grad)


def test_sums_over_labels_and_averages_over_utterances():
    logits = _logits()
    labels = torch.tensor([[1, 5, 3], [2, -1, -1]])
    log_probs = logits.log_softmax(-1)
    # Column u predicts label u; output k is label k + 1.
    expected = -(log_probs[0, 0, 0] + log_probs[0, 1, 4] + log_probs[0, 2, 2] + log_probs[1, 0, 1]) / 2
    loss = language_model_loss(logits, labels, torch.tensor([3, 1]))
    torch.testing.assert_close(loss, expected)


def test_padding_and_the_last_column_get_no_gradient():
    logits = _logits(requires_grad=True)
    language_model_loss(logits, torch.tensor([[1, 5, 3], [2, -1, -1]]), torch.tensor([3, 1])).backward()
    assert logits.grad[0, 3].abs().sum() == 0
    assert logits.grad[1, 1:].abs().sum() == 0
    assert logits.grad[0, :3].abs().sum(-1).min() > 0


@pytest.mark.parametrize("width", [0, 3])
def test_no_labels_at_all_is_a_zero_with_a_gradient(width):
    logits = _logits(requires_grad=True)
    labels = torch.full((2, width), -1)
    loss = language_model_loss(logits[:, : width + 1], labels, torch.tensor([0, 0]))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad.abs().sum() == 0
