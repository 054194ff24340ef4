"""The guarded transducer loss against every alignment spelled out, and its refusals."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from espnet_ent.errors import ConfigError, LossInputError
from espnet_ent.losses.known_value import KNOWN_VALUE, check_known_value
from espnet_ent.losses.transducer import TransducerLossConfig, rnnt_loss, transducer_loss
from espnet_ent.transducer.states import JointTerms
from tests.losses.oracles import transducer_by_enumeration, transducer_by_recursion

TINY = [(t, u, v) for t in (1, 2, 3, 4) for u in (0, 1, 2, 3) for v in (2, 3, 4)]


def _random(seed: int, *shape: int, scale: float = 2.0) -> Tensor:
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _labels(seed: int, size: tuple[int, ...], vocab_size: int) -> Tensor:
    return torch.randint(1, vocab_size, size, generator=torch.Generator().manual_seed(seed))


def _lengths(*values: int) -> Tensor:
    return torch.tensor(values, dtype=torch.int64)


@pytest.mark.parametrize(("num_frames", "num_labels", "vocab_size"), TINY)
def test_value_and_gradient_equal_the_enumeration_of_all_alignments(num_frames, num_labels, vocab_size):
    seed = 100 * num_frames + 10 * num_labels + vocab_size
    logits = _random(seed, 1, num_frames, num_labels + 1, vocab_size).requires_grad_()
    labels = _labels(seed, (1, num_labels), vocab_size)
    loss = rnnt_loss(logits, labels, _lengths(num_frames), _lengths(num_labels))
    expected = transducer_by_enumeration(logits[0], labels[0].tolist())
    torch.testing.assert_close(loss.double(), expected, rtol=1e-5, atol=1e-5)
    (gradient,) = torch.autograd.grad(loss, logits)
    (expected_gradient,) = torch.autograd.grad(expected, logits)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-4, atol=1e-5)


def test_recursion_equals_enumeration():
    logits = _random(0, 4, 4, 5).double()
    labels = [3, 1, 1]
    torch.testing.assert_close(transducer_by_recursion(logits, labels), transducer_by_enumeration(logits, labels))


@pytest.mark.parametrize("seed", range(3))
def test_longer_lattices_equal_the_float64_recursion(seed):
    num_frames, num_labels, vocab_size = 30, 12, 8
    logits = _random(seed, 1, num_frames, num_labels + 1, vocab_size).requires_grad_()
    labels = _labels(seed, (1, num_labels), vocab_size)
    loss = rnnt_loss(logits, labels, _lengths(num_frames), _lengths(num_labels))
    expected = transducer_by_recursion(logits[0], labels[0].tolist())
    torch.testing.assert_close(loss.double(), expected, rtol=1e-5, atol=0)
    torch.testing.assert_close(
        torch.autograd.grad(loss, logits)[0], torch.autograd.grad(expected, logits)[0], rtol=0, atol=5e-4
    )


def test_known_value():
    assert check_known_value() == pytest.approx(KNOWN_VALUE, abs=2e-6)


def test_labels_of_a_frame_sum_to_one_over_all_outputs():
    """With T = 1 the label sequences and their extensions partition all outcomes."""
    logits = _random(7, 1, 1, 3, 3)
    total = 0.0
    for sequence in ([], [1], [2]):
        labels = torch.tensor([sequence], dtype=torch.int64)
        total += rnnt_loss(logits, labels, _lengths(1), _lengths(len(sequence))).neg().exp().item()
    log_probs = logits[0, 0].log_softmax(-1).exp()
    longer = sum((log_probs[0, a] * log_probs[1, b]).item() for a in (1, 2) for b in (1, 2))
    assert total + longer == pytest.approx(1.0, abs=1e-6)


class TestBatch:
    """Three utterances of different lengths, padded with garbage."""

    enc_lengths = _lengths(5, 2, 3)
    label_lengths = _lengths(1, 3, 0)
    vocab_size = 6

    def _batch(self) -> tuple[Tensor, Tensor]:
        logits = _random(1, 3, 5, 4, self.vocab_size)
        labels = _labels(2, (3, 3), self.vocab_size)
        for b in range(3):
            logits[b, self.enc_lengths[b] :] = 1e3
            logits[b, :, self.label_lengths[b] + 1 :] = -1e3
            labels[b, self.label_lengths[b] :] = -1
        return logits, labels

    def _alone(self, logits: Tensor, labels: Tensor, b: int) -> Tensor:
        t, u = int(self.enc_lengths[b]), int(self.label_lengths[b])
        return transducer_by_enumeration(logits[b, :t, : u + 1], labels[b, :u].tolist())

    def test_each_utterance_is_as_alone(self):
        logits, labels = self._batch()
        costs = rnnt_loss(logits, labels, self.enc_lengths, self.label_lengths, reduction="none")
        expected = torch.stack([self._alone(logits, labels, b) for b in range(3)])
        torch.testing.assert_close(costs.double(), expected, rtol=1e-5, atol=1e-5)

    def test_reductions(self):
        logits, labels = self._batch()
        arguments = (logits, labels, self.enc_lengths, self.label_lengths)
        costs = rnnt_loss(*arguments, reduction="none")
        torch.testing.assert_close(rnnt_loss(*arguments, reduction="sum"), costs.sum())
        torch.testing.assert_close(rnnt_loss(*arguments), costs.mean())
        with pytest.raises(ConfigError, match=r"unknown reduction; expected .*mean.*; got median"):
            rnnt_loss(*arguments, reduction="median")

    def test_gradient_on_padding_is_exactly_zero(self):
        logits, labels = self._batch()
        logits.requires_grad_()
        rnnt_loss(logits, labels, self.enc_lengths, self.label_lengths).backward()
        for b in range(3):
            t, u = int(self.enc_lengths[b]), int(self.label_lengths[b])
            assert logits.grad[b, t:].abs().sum() == 0
            assert logits.grad[b, :, u + 1 :].abs().sum() == 0
            assert logits.grad[b, :t, : u + 1].abs().sum() > 0

    def test_wider_padding_changes_nothing(self):
        logits, labels = self._batch()
        wide = torch.nn.functional.pad(logits, (0, 0, 0, 2, 0, 4), value=3.0)
        wide_labels = torch.nn.functional.pad(labels, (0, 2), value=-1)
        costs = rnnt_loss(wide, wide_labels, self.enc_lengths, self.label_lengths, reduction="none")
        expected = rnnt_loss(logits, labels, self.enc_lengths, self.label_lengths, reduction="none")
        assert torch.equal(costs, expected)

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    def test_half_precision_is_computed_in_float32(self, dtype):
        logits, labels = self._batch()
        half = logits.to(dtype)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            costs = rnnt_loss(half, labels, self.enc_lengths, self.label_lengths, reduction="none")
        expected = rnnt_loss(half.float(), labels, self.enc_lengths, self.label_lengths, reduction="none")
        assert costs.dtype == torch.float32
        assert torch.equal(costs, expected)

    def test_a_non_finite_logit_shows_in_its_utterance_alone(self):
        logits, labels = self._batch()
        logits[1, 0, 2, 4] = float("nan")
        costs = rnnt_loss(logits, labels, self.enc_lengths, self.label_lengths, reduction="none")
        assert torch.isfinite(costs).tolist() == [True, False, True]


class TestRefusals:
    """The kernel would return a plausible number, or crash, for each of these."""

    utt_ids = ("spk1-a", "spk1-b")

    def _inputs(self, **changes: object) -> dict[str, object]:
        inputs: dict[str, object] = {
            "logits": torch.zeros(2, 4, 3, 5),
            "labels": torch.tensor([[1, 4], [2, -1]]),
            "enc_lengths": _lengths(4, 3),
            "label_lengths": _lengths(2, 1),
            "utt_ids": self.utt_ids,
        }
        return {**inputs, **changes}

    def test_the_unchanged_inputs_pass(self):
        assert torch.isfinite(rnnt_loss(**self._inputs()))

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            (
                {"labels": torch.tensor([[1, 4], [5, -1]])},
                r"spk1-b: labels out of range; expected 1\.\.4 .*got 5",
            ),
            ({"labels": torch.tensor([[1, 0], [2, -1]])}, r"spk1-a: labels out of range.*got 0"),
            ({"labels": torch.tensor([[-1, 3], [2, -1]])}, r"spk1-a: labels out of range.*got -1"),
            (
                {"enc_lengths": _lengths(4, 0)},
                r"spk1-b: encoder lengths out of range; expected 1\.\.4; got 0",
            ),
            ({"enc_lengths": _lengths(5, 3)}, r"spk1-a: encoder lengths out of range.*got 5"),
            (
                {"label_lengths": _lengths(3, 1)},
                r"spk1-a: label lengths out of range; expected 0\.\.2; got 3",
            ),
            ({"label_lengths": _lengths(-1, -2)}, r"spk1-a, spk1-b: label lengths out of range.*got -1, -2"),
            ({"logits": torch.zeros(2, 4, 3)}, r"logits have a wrong shape"),
            ({"logits": torch.zeros(2, 4, 2, 5)}, r"logits and labels do not fit"),
            ({"logits": torch.zeros(3, 4, 3, 5)}, r"logits and labels do not fit"),
            ({"logits": torch.zeros(2, 4, 3, 5).double()}, r"logits have a wrong type.*got torch.float64"),
            ({"labels": torch.tensor([1, 4])}, r"labels have a wrong shape"),
            ({"labels": torch.ones(2, 2)}, r"labels have a wrong type; expected integers"),
            ({"enc_lengths": _lengths(4)}, r"encoder lengths have a wrong shape"),
            ({"label_lengths": torch.tensor([2.0, 1.0])}, r"label lengths have a wrong type"),
            ({"utt_ids": ("only",)}, r"wrong number of utterance ids; expected 2; got 1"),
        ],
    )
    def test_names_the_utterance(self, changes, message):
        with pytest.raises(LossInputError, match=message):
            rnnt_loss(**self._inputs(**changes))

    def test_positions_stand_in_for_names_and_long_lists_are_cut(self):
        labels = torch.full((8, 1), 9)
        with pytest.raises(LossInputError, match=r"number 0 of the batch.*number 4 of the batch and 3 more"):
            rnnt_loss(torch.zeros(8, 1, 2, 5), labels, _lengths(*[1] * 8), _lengths(*[1] * 8))

    def test_2_to_the_31_logits_are_refused_before_they_are_computed(self):
        lengths = {"enc_lengths": _lengths(2**11), "label_lengths": _lengths(2**10 - 1)}
        labels = torch.ones(1, 2**10 - 1, dtype=torch.int64)
        logits = torch.zeros(()).expand(1, 2**11, 2**10, 2**10)
        with pytest.raises(LossInputError, match=r"too many logits in one batch.*= 2147483648"):
            rnnt_loss(logits, labels, **lengths)
        terms = JointTerms(
            torch.zeros(1, 2**11, 1), torch.zeros(1, 2**10, 1), torch.zeros(2**10, 1), torch.zeros(2**10)
        )
        with pytest.raises(
            LossInputError, match="next: lower batch_size or batch_bins, or use transducer_backend: fused"
        ):
            transducer_loss((terms,), labels, **lengths, config=TransducerLossConfig(backend="torchaudio"))


def _terms(seed: int, num_outputs: int) -> JointTerms:
    return JointTerms(
        _random(seed, 2, 6, 3, scale=1.0).requires_grad_(),
        _random(seed + 1, 2, 5, 3, scale=1.0).requires_grad_(),
        _random(seed + 2, num_outputs, 3, scale=1.0).requires_grad_(),
        _random(seed + 3, num_outputs, scale=1.0).requires_grad_(),
    )


@pytest.mark.parametrize("sizes", [(5,), (1, 4)])
def test_loss_of_joint_terms_equals_the_enumeration(sizes):
    """Standard and factorized: one softmax over the heads' logits, padding trimmed or not."""
    heads = tuple(_terms(10 * i, size) for i, size in enumerate(sizes))
    labels = torch.tensor([[1, 2, 4, -1], [3, -1, -1, -1]])
    enc_lengths, label_lengths = _lengths(3, 4), _lengths(3, 1)
    loss = transducer_loss(heads, labels, enc_lengths, label_lengths)
    logits = torch.cat([head.logits() for head in heads], dim=-1)
    expected = 0.5 * sum(
        transducer_by_enumeration(logits[b, :t, : u + 1], labels[b, :u].tolist())
        for b, (t, u) in enumerate([(3, 3), (4, 1)])
    )
    torch.testing.assert_close(loss.double(), expected, rtol=1e-5, atol=1e-5)
    leaves = [leaf for head in heads for leaf in (head.encoder, head.prediction, head.weight, head.bias)]
    for gradient, reference in zip(
        torch.autograd.grad(loss, leaves), torch.autograd.grad(expected, leaves), strict=True
    ):
        torch.testing.assert_close(gradient, reference, rtol=1e-4, atol=1e-5)


def test_a_label_in_the_padding_is_nobodys():
    heads = (_terms(3, 5),)
    lengths = (_lengths(3, 4), _lengths(3, 1))
    labels = torch.tensor([[1, 2, 4, 7], [3, 99, -5, 0]])
    clean = torch.tensor([[1, 2, 4, 0], [3, 0, 0, 0]])
    assert torch.equal(transducer_loss(heads, labels, *lengths), transducer_loss(heads, clean, *lengths))
