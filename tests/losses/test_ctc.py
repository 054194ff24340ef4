"""The CTC loss against every path spelled out, and its refusals."""

from __future__ import annotations

import pytest
import torch

from espnet_ent.errors import LossInputError
from espnet_ent.losses.ctc import ctc_loss
from tests.losses.oracles import ctc_by_enumeration


def _logits(requires_grad: bool = False) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return (2 * torch.randn(3, 5, 4, generator=generator)).requires_grad_(requires_grad)


LABELS = torch.tensor([[1, 1, 3], [2, -1, -1], [-1, -1, -1]])
ENC_LENGTHS = torch.tensor([5, 3, 4])
LABEL_LENGTHS = torch.tensor([3, 1, 0])


def test_value_and_gradient_equal_the_enumeration():
    logits = _logits(requires_grad=True)
    loss = ctc_loss(logits, LABELS, ENC_LENGTHS, LABEL_LENGTHS)
    expected = torch.stack(
        [ctc_by_enumeration(logits[b, : ENC_LENGTHS[b]], LABELS[b, : LABEL_LENGTHS[b]].tolist()) for b in range(3)]
    ).mean()
    torch.testing.assert_close(loss.double(), expected, rtol=1e-5, atol=1e-5)
    (gradient,) = torch.autograd.grad(loss, logits)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, logits)[0], rtol=1e-4, atol=1e-5)
    assert gradient[1, 3:].abs().sum() == 0


def test_fewer_frames_than_labels_and_repeats_is_infinite():
    loss = ctc_loss(_logits()[:1, :3], LABELS[:1], torch.tensor([3]), torch.tensor([3]))
    assert loss.item() == float("inf")
    assert ctc_by_enumeration(_logits()[0, :3], [1, 1, 3]).item() == float("inf")


def test_half_precision_is_computed_in_float32():
    half = _logits().bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = ctc_loss(half, LABELS, ENC_LENGTHS, LABEL_LENGTHS)
    assert torch.equal(loss, ctc_loss(half.float(), LABELS, ENC_LENGTHS, LABEL_LENGTHS))


def test_a_label_outside_the_vocabulary_names_its_utterance():
    labels = torch.tensor([[1, 1, 3], [4, -1, -1], [-1, -1, -1]])
    with pytest.raises(LossInputError, match="b: labels out of range"):
        ctc_loss(_logits(), labels, ENC_LENGTHS, LABEL_LENGTHS, ["a", "b", "c"])
