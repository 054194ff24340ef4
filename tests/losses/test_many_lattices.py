"""The transducer loss on many random lattices and on many wrong inputs."""

from __future__ import annotations

import random

import pytest
import torch
from torch import Tensor

from espnet_ent.emotion.intervals import LatticeIntervals
from espnet_ent.errors import LossInputError
from espnet_ent.losses import transducer as module
from espnet_ent.losses.ctc import ctc_loss
from espnet_ent.losses.known_value import KNOWN_VALUE, check_known_value
from espnet_ent.losses.language_model import language_model_loss
from espnet_ent.losses.lattice_intervals import lattice_interval_loss
from espnet_ent.losses.lattice_pooling import POOLINGS, lattice_pooling_loss
from espnet_ent.losses.transducer import rnnt_loss, transducer_loss
from espnet_ent.transducer.states import JointTerms
from tests.amounts import amount
from tests.losses.oracles import transducer_by_enumeration

pytestmark = pytest.mark.property


def _lattice(seed: int) -> tuple[JointTerms, list[int]]:
    """Joint terms of a lattice of up to 5 frames and 4 labels whose alignments can be spelled out."""
    generator = torch.Generator().manual_seed(seed)
    draw = random.Random(seed)
    num_frames, num_labels, vocab_size, size = draw.randint(1, 5), draw.randint(0, 4), draw.randint(2, 7), 3
    shapes = ((1, num_frames, size), (1, num_labels + 1, size), (vocab_size, size), (vocab_size,))
    leaves = (draw.choice((0.3, 1.0, 3.0)) * torch.randn(*shape, generator=generator) for shape in shapes)
    labels = [draw.randint(1, vocab_size - 1) for _ in range(num_labels)]
    return JointTerms(*(leaf.requires_grad_() for leaf in leaves)), labels


def _difference(found: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> float:
    return max(float((a.double() - b.double()).abs().max()) for a, b in zip(found, expected, strict=True))


def test_values_and_gradients_are_those_of_all_alignments(figures) -> None:
    """Both backends."""
    worst_value = worst_gradient = 0.0
    for seed in range(amount(500, 25)):
        terms, labels = _lattice(seed)
        leaves = (terms.encoder, terms.prediction, terms.weight, terms.bias)
        logits = terms.logits()
        expected = transducer_by_enumeration(logits[0], labels)
        wanted = torch.autograd.grad(expected, leaves, retain_graph=True)
        inputs = torch.tensor([labels], dtype=torch.long), torch.tensor([logits.size(1)]), torch.tensor([len(labels)])
        for loss in (transducer_loss((terms,), *inputs), rnnt_loss(logits, *inputs)):
            got = torch.autograd.grad(loss, leaves, retain_graph=True)
            worst_value = max(worst_value, abs(loss.item() - expected.item()) / max(1.0, expected.item()))
            worst_gradient = max(worst_gradient, _difference(got, wanted))
    assert worst_value < 1e-5
    assert worst_gradient < 1e-4
    figures(
        "Numerics",
        "transducer loss, both backends: that of all alignments spelled out (1e-5), its gradients too (1e-4)",
        lattices=amount(500, 25),
        largest_difference=worst_value,
        largest_difference_of_a_gradient=worst_gradient,
        known_value_4_495666_off_by=abs(check_known_value() - KNOWN_VALUE),
    )


def _wrong_inputs(draw: random.Random) -> tuple[dict[str, Tensor], str]:
    """Inputs of three utterances of which one value is wrong, and what names it."""
    num_frames, width, vocab_size = draw.randint(2, 6), draw.randint(1, 4), draw.randint(3, 9)
    labels = torch.tensor([[draw.randint(1, vocab_size - 1) for _ in range(width)] for _ in range(3)])
    frames = torch.tensor([draw.randint(1, num_frames) for _ in range(3)])
    label_lengths = torch.tensor([draw.randint(1, width) for _ in range(3)])
    row = draw.randrange(3)
    match draw.randrange(6):
        case 0:
            labels[row, draw.randrange(int(label_lengths[row]))] = draw.choice((0, -1, vocab_size, 10**6, -(2**40)))
            what = "labels out of range"
        case 1:
            frames[row] = draw.choice((0, -1, num_frames + 1, 2**40))
            what = "encoder lengths out of range"
        case 2:
            label_lengths[row] = draw.choice((-1, width + 1, 2**40))
            what = "label lengths out of range"
        case 3:
            labels, what, row = labels.to(draw.choice((torch.float32, torch.bool))), "labels have a wrong type", None
        case 4:
            frames, what, row = frames[: draw.randrange(3)], "encoder lengths have a wrong shape", None
        case _:
            label_lengths, what, row = label_lengths.double(), "label lengths have a wrong type", None
    inputs = {"labels": labels, "enc_lengths": frames, "label_lengths": label_lengths}
    name = "" if row is None else f"utterance utt-{'abc'[row]}: "
    return {"logits": torch.zeros(3, num_frames, width + 1, vocab_size), **inputs}, name + what


def test_wrong_inputs_are_named_before_the_kernel_sees_them(monkeypatch: pytest.MonkeyPatch, figures) -> None:
    def kernel(*_: object, **__: object) -> None:
        pytest.fail("the kernel was called")

    monkeypatch.setattr(module, "_kernel", kernel)
    monkeypatch.setattr(module, "fused_costs", kernel)
    draw = random.Random(0)
    utt_ids = ("utt-a", "utt-b", "utt-c")
    for _ in range(amount(200, 40)):
        inputs, message = _wrong_inputs(draw)
        batch, frames, columns, vocab_size = inputs["logits"].shape
        terms = JointTerms(
            torch.zeros(batch, frames, 2),
            torch.zeros(batch, columns, 2),
            torch.zeros(vocab_size, 2),
            torch.zeros(vocab_size),
        )
        with pytest.raises(LossInputError, match=message):
            rnnt_loss(**inputs, utt_ids=utt_ids)
        del inputs["logits"]
        with pytest.raises(LossInputError, match=message):
            transducer_loss((terms,), **inputs, utt_ids=utt_ids)
    figures("Numerics", "wrong inputs of the transducer loss are named before the kernel runs", inputs=amount(200, 40))


LENGTHS = (torch.tensor([30, 17]), torch.tensor([8, 5]))
OTHER_LOSSES = (*POOLINGS, "intervals", "ctc", "language model")


def _other_losses(generator: torch.Generator, name: str) -> Tensor:
    """A loss other than the transducer's, of random states through a linear layer."""
    encoder, prediction, weight, bias, linear = (
        torch.randn(*shape, generator=generator) for shape in ((2, 30, 16), (2, 9, 16), (20, 16), (20,), (16, 16))
    )
    labels = torch.randint(1, 20, (2, 8), generator=generator)
    emotions = torch.randint(0, 4, (2, 2), generator=generator)
    occupancy = 0.1 + torch.rand(2, 30, 9, generator=generator)
    encoder, prediction = encoder @ linear / 4, prediction @ linear / 4  # in half precision under autocast
    if name == "ctc":
        return ctc_loss(encoder @ weight.T, labels, *LENGTHS)
    if name == "language model":
        return language_model_loss((prediction @ weight.T)[..., 1:], labels, LENGTHS[1])
    terms = JointTerms(encoder, prediction, weight[:4], bias[:4])
    if name == "intervals":
        halves = [(torch.arange(size) >= size // 3).long().repeat(2, 1) for size in (30, 9)]
        for half, lengths in zip(halves, (LENGTHS[0], LENGTHS[1] + 1), strict=True):
            half.masked_fill_(torch.arange(half.size(1)) >= lengths.unsqueeze(1), -1)
        return lattice_interval_loss(terms, LatticeIntervals(*halves, emotions), *LENGTHS)
    return lattice_pooling_loss(terms, emotions[:, 0], *LENGTHS, 3, pooling=name, occupancy=occupancy)


@pytest.mark.parametrize(("dtype", "bound"), [(torch.bfloat16, 2e-2), (torch.float16, 5e-3)])
def test_half_precision_stays_within_its_bound(dtype: torch.dtype, bound: float, figures) -> None:
    """Relative to float32, under autocast on the CPU; docs/RELIABILITY.md tells the largest difference found."""
    worst = 0.0
    for seed in range(amount(200, 10)):
        generator = torch.Generator().manual_seed(seed)
        shapes = ((2, 30, 16), (2, 9, 16), (20, 16), (20,))
        terms = JointTerms(*(torch.randn(*shape, generator=generator) for shape in shapes))
        labels = torch.randint(1, 20, (2, 8), generator=generator)
        exact = transducer_loss((terms,), labels, *LENGTHS)
        with torch.autocast("cpu", dtype=dtype):
            half = transducer_loss((terms,), labels, *LENGTHS)
        worst = max(worst, abs(half.item() / exact.item() - 1))
    assert worst < bound
    name = str(dtype).removeprefix("torch.")
    promise = f"transducer loss under autocast of {name}: within {bound:g} of that of float32"
    figures("Numerics", promise, batches=amount(200, 10), largest_relative_difference=worst)


BY_ROWS = ("frame", "token")
"""Pooling over the one row of nodes that holds the best: rounding may choose another where two are nearly as good."""


@pytest.mark.parametrize(
    ("names", "dtype", "bound"),
    [
        (tuple(name for name in OTHER_LOSSES if name not in BY_ROWS), torch.bfloat16, 1e-2),
        (BY_ROWS, torch.bfloat16, 1e-1),
        (OTHER_LOSSES, torch.float16, 5e-3),
    ],
)
def test_other_losses_in_half_precision_stay_within_their_bound(
    names: tuple[str, ...], dtype: torch.dtype, bound: float, figures
) -> None:
    """As above, relative to 1 where a loss is below it."""
    worst, batches = 0.0, amount(200, 5)
    for name in names:
        for seed in range(batches):
            exact = _other_losses(torch.Generator().manual_seed(seed), name)
            with torch.autocast("cpu", dtype=dtype):
                half = _other_losses(torch.Generator().manual_seed(seed), name)
            assert half.dtype == torch.float32
            worst = max(worst, abs(half.item() - exact.item()) / max(1.0, exact.item()))
    assert worst < bound
    rest = "interval, CTC, language model and other lattice pooling losses"
    known = {BY_ROWS: "lattice pooling over a row of nodes", OTHER_LOSSES: "all losses but the transducer's"}
    of = known.get(names, rest)
    promise = f"{of} under autocast of {str(dtype).removeprefix('torch.')}: within {bound:g} of float32"
    figures("Numerics", promise, batches=batches * len(names), largest_relative_difference=worst)
