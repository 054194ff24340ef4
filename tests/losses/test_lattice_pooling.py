"""Lattice pooling against loops over nodes, its bound, ties and padding."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from espnet_ent.errors import ConfigError, LossInputError
from espnet_ent.losses import lattice_cells
from espnet_ent.losses import lattice_pooling as module
from espnet_ent.losses.lattice_averages import AVERAGES
from espnet_ent.losses.lattice_pooling import (
    NEUTRAL_TERMS,
    POOLINGS,
    lattice_pooling_loss,
    lattice_pooling_losses,
)
from espnet_ent.transducer.states import JointTerms
from tests.amounts import amount
from tests.losses import oracles

NUM_EMOTIONS = 4


def _case(seed: int) -> tuple[JointTerms, Tensor, Tensor, Tensor, int]:
    """Random batch, its padding filled with large values: terms, emotions, lengths and neutral's index."""
    generator = torch.Generator().manual_seed(seed)

    def integers(low: int, high: int, size: int = 1) -> Tensor:
        return torch.randint(low, high, (size,), generator=generator)

    def normal(*shape: int) -> Tensor:
        return 1.5 * torch.randn(*shape, generator=generator, dtype=torch.float64)

    batch_size = int(integers(1, 4))
    enc_lengths, label_lengths = integers(1, 6, batch_size), integers(0, 4, batch_size)
    encoder, prediction = normal(batch_size, 7, 3), normal(batch_size, 5, 3)
    for b in range(batch_size):
        encoder[b, enc_lengths[b] :] = 50.0
        prediction[b, label_lengths[b] + 1 :] = -50.0
    leaves = (encoder, prediction, normal(NUM_EMOTIONS, 3), normal(NUM_EMOTIONS))
    terms = JointTerms(*(leaf.requires_grad_() for leaf in leaves))
    emotions = integers(0, NUM_EMOTIONS, batch_size)
    return terms, emotions, enc_lengths, label_lengths, int(integers(0, NUM_EMOTIONS))


def _occupancy(terms: JointTerms, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.1 + torch.rand(terms.lattice_shape[:3], generator=generator, dtype=torch.float64)


def _leaves(terms: JointTerms) -> tuple[Tensor, ...]:
    return terms.encoder, terms.prediction, terms.weight, terms.bias


def _expected(
    case: tuple,
    pooling: str,
    neutral_term: str,
    floor: float = 0.0,
    top_share: float = 0.1,
    occupancy: Tensor | None = None,
) -> Tensor:
    terms, emotions, enc_lengths, label_lengths, neutral = case
    logits = terms.logits()
    if occupancy is None:
        occupancy = torch.ones(logits.shape[:3])
    return torch.stack(
        [
            oracles.lattice_pooling(
                logits[b, :t, : u + 1],
                label,
                neutral,
                pooling,
                neutral_term,
                floor,
                top_share,
                occupancy[b, :t, : u + 1],
            )
            for b, (label, t, u) in enumerate(
                zip(emotions.tolist(), enc_lengths.tolist(), label_lengths.tolist(), strict=True)
            )
        ]
    )


@pytest.mark.parametrize("neutral_term", NEUTRAL_TERMS)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_values_and_gradients_equal_the_loops(pooling, neutral_term, figures):
    for seed in range(30):
        case = _case(seed)
        options = {"top_share": (0.1, 0.4, 1.0)[seed % 3], "occupancy": _occupancy(case[0], seed)}
        losses = lattice_pooling_losses(*case, pooling=pooling, neutral_term=neutral_term, **options)
        expected = _expected(case, pooling, neutral_term, **options)
        torch.testing.assert_close(losses, expected)
        weights = torch.arange(1.0, len(losses) + 1, dtype=torch.float64)
        gradients = torch.autograd.grad(losses @ weights, _leaves(case[0]))
        for gradient, reference in zip(
            gradients, torch.autograd.grad(expected @ weights, _leaves(case[0])), strict=True
        ):
            torch.testing.assert_close(gradient, reference)
    figures("Numerics", "lattice pooling losses and their gradients are those of loops over nodes", batches=30)


@pytest.mark.parametrize("neutral_term", NEUTRAL_TERMS)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_padding_changes_nothing_and_gets_no_gradient(pooling, neutral_term, figures):
    for seed in range(amount(50, 10)):
        terms, emotions, enc_lengths, label_lengths, neutral = _case(seed)
        occupancy = torch.rand(terms.lattice_shape[:3], dtype=torch.float64)
        options = {"pooling": pooling, "neutral_term": neutral_term}
        losses = lattice_pooling_losses(
            terms, emotions, enc_lengths, label_lengths, neutral, **options, occupancy=occupancy
        )
        gradients = torch.autograd.grad(losses.sum(), _leaves(terms))
        for b, (t, u) in enumerate(zip(enc_lengths.tolist(), label_lengths.tolist(), strict=True)):
            assert gradients[0][b, t:].abs().sum() == 0
            assert gradients[1][b, u + 1 :].abs().sum() == 0
            alone = JointTerms(
                terms.encoder[b : b + 1, :t], terms.prediction[b : b + 1, : u + 1], terms.weight, terms.bias
            )
            one = slice(b, b + 1)
            lengths = (enc_lengths[one], label_lengths[one])
            options["occupancy"] = occupancy[one, :t, : u + 1]
            loss = lattice_pooling_losses(alone, emotions[one], *lengths, neutral, **options)
            torch.testing.assert_close(loss[0], losses[b])
    figures("Numerics", "the gradient of lattice pooling is exactly 0 on padding", batches=amount(50, 10))


def test_reference_cannot_fall_below_2_ln_2_for_an_emotional_utterance():
    """Both terms pull one node: p(label) + p(neutral) <= 1 there, so -log p - log p >= 2 ln 2."""
    bound = 2 * math.log(2)
    for seed in range(60):
        terms, emotions, enc_lengths, label_lengths, neutral = _case(seed)
        losses = lattice_pooling_losses(terms, emotions, enc_lengths, label_lengths, neutral)
        assert (losses[emotions != neutral] >= bound - 1e-12).all()


def test_the_bound_is_reached_and_separating_passes_below_it():
    """Frame 0 is half emotion, half neutral at best for `reference`; a clear split satisfies `separating`."""
    emotion, neutral = 0, 1
    weight = torch.tensor([[1.0], [-1.0]], dtype=torch.float64) * 20
    bias = torch.zeros(2, dtype=torch.float64)
    prediction = torch.zeros(1, 1, 1, dtype=torch.float64)
    arguments = (torch.tensor([emotion]), torch.tensor([2]), torch.tensor([0]), neutral)

    def loss(frames: list[float], neutral_term: str) -> float:
        encoder = torch.tensor(frames, dtype=torch.float64).reshape(1, 2, 1)
        terms = JointTerms(encoder, prediction, weight, bias)
        return lattice_pooling_losses(terms, *arguments, neutral_term=neutral_term).item()

    assert loss([0.0, 0.0], "reference") == pytest.approx(2 * math.log(2))
    assert loss([3.0, -3.0], "reference") > 10
    assert loss([3.0, -3.0], "separating") == pytest.approx(0.0, abs=1e-6)
    assert loss([3.0, 3.0], "separating") > 10
    assert loss([3.0, 3.0], "none") == pytest.approx(0.0, abs=1e-6)


def test_the_first_of_equal_nodes_is_taken():
    encoder = torch.randn(1, 4, 3).requires_grad_()
    prediction = torch.randn(1, 3, 3).requires_grad_()
    terms = JointTerms(encoder, prediction, torch.zeros(NUM_EMOTIONS, 3), torch.zeros(NUM_EMOTIONS))
    assert module._extreme_nodes(torch.zeros(12, 2), False, "reference") == (0, 0)
    weight = terms.weight.requires_grad_()
    loss = lattice_pooling_loss(terms, torch.tensor([0]), torch.tensor([4]), torch.tensor([2]), 3)
    (gradient,) = torch.autograd.grad(loss, weight)
    hidden = (encoder[0, 0] + prediction[0, 0]).tanh().detach()
    # -log p(0) - log p(3) at node (0, 0) alone, with all probabilities 1/4.
    expected = torch.tensor([-0.5, 0.5, 0.5, -0.5]).unsqueeze(1) * hidden
    torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize(
    ("occupancy", "message"),
    [
        (None, "lattice_pooling: occupancy needs the alignments"),
        (torch.ones(1, 2, 2), "the occupancy does not fit the emotion lattice"),
        (torch.ones(3, 90, 2), "the occupancy does not fit the emotion lattice"),
    ],
)
def test_an_occupancy_that_is_not_there_or_does_not_fit(occupancy, message) -> None:
    case = next(case for case in map(_case, range(99)) if len(case[1]) == 3)
    with pytest.raises(LossInputError, match=message):
        lattice_pooling_losses(*case, pooling="occupancy", occupancy=occupancy)


def test_occupancy_of_a_frame_wise_lattice_is_summed_over_the_labels() -> None:
    """Its one column stands for all of them."""
    terms = JointTerms(torch.randn(1, 4, 3), torch.zeros(1, 1, 3), torch.randn(4, 3), torch.randn(4))
    occupancy = torch.rand(1, 4, 5)
    lengths = torch.tensor([4]), torch.tensor([0])
    options = {"pooling": "occupancy", "neutral_term": "none"}
    loss = lattice_pooling_losses(terms, torch.tensor([1]), *lengths, 3, **options, occupancy=occupancy)
    log_probs = terms.logits()[0, :, 0].log_softmax(-1)[:, 1]
    weights = occupancy[0].sum(1)
    torch.testing.assert_close(loss[0], -(weights * log_probs).sum() / weights.sum())


def test_the_gradient_of_the_occupancy_is_that_of_the_average() -> None:
    for seed in range(10):
        case = _case(seed)
        occupancy = (0.1 + torch.rand(case[0].lattice_shape[:3], dtype=torch.float64)).requires_grad_()
        options = {"pooling": "occupancy", "neutral_term": "none", "occupancy": occupancy}
        losses = lattice_pooling_losses(*case, **options)
        (found,) = torch.autograd.grad(losses.sum(), occupancy)
        expected = torch.zeros_like(occupancy)
        terms, emotions, frames, labels, _ = case
        for b, (label, t, u) in enumerate(zip(emotions.tolist(), frames.tolist(), labels.tolist(), strict=True)):
            values = -terms.logits()[b, :t, : u + 1].log_softmax(-1)[..., label].detach()
            weights = occupancy[b, :t, : u + 1].detach()
            mean = (weights * values).sum() / weights.sum()
            expected[b, :t, : u + 1] = (values - mean) / weights.sum()
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("rows", [1, 3, 5, 16])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_tiles_change_nothing(monkeypatch, pooling, rows):
    """Borders inside utterances, frames and columns, and where one utterance ends: still the loops' values."""
    monkeypatch.setattr(lattice_cells, "_rows_of_a_tile", lambda *_: rows)
    for seed in range(12):
        case = _case(seed)
        options = {"top_share": 0.4, "occupancy": _occupancy(case[0], seed)}
        losses = lattice_pooling_losses(*case, pooling=pooling, **options)
        expected = _expected(case, pooling, "reference", **options)
        torch.testing.assert_close(losses, expected)
        weights = torch.arange(1.0, len(losses) + 1, dtype=torch.float64)
        found, wanted = (torch.autograd.grad(value @ weights, _leaves(case[0])) for value in (losses, expected))
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("pooling", AVERAGES)
def test_averages_of_lattices_larger_than_a_tile(pooling):
    """Tiles as they are: 43,726 nodes where 32,768 fit, the border inside the second utterance."""
    generator = torch.Generator().manual_seed(0)
    frames, labels = torch.tensor([301, 260, 17]), torch.tensor([70, 84, 14])
    shapes = ((3, 301, 4), (3, 85, 4), (NUM_EMOTIONS, 4), (NUM_EMOTIONS,))
    leaves = [torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_() for shape in shapes]
    terms, emotions = JointTerms(*leaves), torch.tensor([0, 2, 1])
    occupancy = _occupancy(terms, 0)
    options = {"pooling": pooling, "neutral_term": "none", "top_share": 0.3, "occupancy": occupancy}
    cells = lattice_cells.LatticeCells([terms], frames.tolist(), (labels + 1).tolist())
    assert (cells.num_nodes, cells.rows_of_a_tile) == (43726, 32768)
    losses = lattice_pooling_losses(terms, emotions, frames, labels, 3, **options)
    expected = []
    for b, (t, u, label) in enumerate(zip(frames.tolist(), labels.tolist(), emotions.tolist(), strict=True)):
        log_p = terms.logits()[b, :t, : u + 1].log_softmax(-1)[..., label].flatten()
        weights = {
            "mean": torch.ones_like(log_p),
            "occupancy": occupancy[b, :t, : u + 1].flatten(),
            "top_k": (log_p.argsort(descending=True).argsort() < math.ceil(0.3 * len(log_p))).double(),
        }.get(pooling)
        if weights is None:
            expected.append(-(log_p.exp().square().sum() / log_p.exp().sum()).log())
        else:
            expected.append(-(weights * log_p).sum() / weights.sum())
    torch.testing.assert_close(losses, torch.stack(expected))
    found, wanted = (torch.autograd.grad(sum(values), leaves) for values in (losses, expected))
    torch.testing.assert_close(found, wanted)


def test_floor_keeps_the_value_finite_and_stops_the_gradient():
    """The published clamp at 1e-8: parity only, since it is blind where p(neutral) is smallest."""
    for seed in range(20):
        case = _case(seed)
        losses = lattice_pooling_losses(*case, pooling="frame", probability_floor=0.1)
        torch.testing.assert_close(losses, _expected(case, "frame", "reference", floor=0.1))
    encoder = torch.full((1, 1, 1), 9.0, requires_grad=True)
    terms = JointTerms(encoder, torch.zeros(1, 1, 1), torch.tensor([[60.0], [-60.0]]), torch.zeros(2))
    arguments = (torch.tensor([0]), torch.tensor([1]), torch.tensor([0]), 1)
    loss = lattice_pooling_losses(terms, *arguments, probability_floor=1e-8)
    assert loss.item() == pytest.approx(-math.log(1e-8), rel=1e-5)
    assert torch.autograd.grad(loss.sum(), encoder)[0].item() == 0
    assert lattice_pooling_losses(terms, *arguments).item() == pytest.approx(120, rel=1e-3)


def test_mean_over_the_batch_and_emotions_as_a_column():
    terms, emotions, *rest = _case(5)
    losses = lattice_pooling_losses(terms, emotions, *rest, pooling="token")
    assert torch.equal(lattice_pooling_loss(terms, emotions, *rest, pooling="token"), losses.mean())
    assert torch.equal(lattice_pooling_losses(terms, emotions.unsqueeze(1), *rest, pooling="token"), losses)


def test_half_precision_terms_give_float32_losses():
    terms, *rest = _case(5)
    half = JointTerms(*(leaf.detach().bfloat16() for leaf in _leaves(terms)))
    losses = lattice_pooling_losses(half, *rest)
    assert losses.dtype == torch.float32
    torch.testing.assert_close(losses.double(), lattice_pooling_losses(terms, *rest), rtol=0.05, atol=0.1)


def test_nan_is_not_hidden():
    terms, *rest = _case(5)
    with torch.no_grad():
        terms.encoder[0, 0, 0] = float("nan")
    assert lattice_pooling_losses(terms, *rest)[0].isnan()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pooling": "max"}, r"unknown lattice_pooling; expected node \| frame \| token \| mean \| .*; got max"),
        ({"pooling": "mean", "probability_floor": 1e-8}, "probability_floor is for lattice_pooling node, frame and"),
        ({"pooling": "top_k", "top_share": 0.0}, "top_share out of range"),
        ({"neutral_term": "no"}, r"unknown neutral_term; expected reference \| separating \| none; got no"),
        (
            {"neutral_term": "none", "probability_floor": 1e-8},
            "probability_floor is for neutral_term reference",
        ),
        ({"probability_floor": 1.0}, "probability_floor out of range"),
    ],
)
def test_unknown_options_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        lattice_pooling_losses(*_case(0), **options)


@pytest.mark.parametrize(
    ("position", "value", "message"),
    [
        (
            1,
            torch.tensor([0, 4]),
            r"utterance number 1 of the batch: emotion out of range; expected 0\.\.3; got 4",
        ),
        (1, torch.tensor([-1, 0]), r"utterance number 0 of the batch: emotion out of range"),
        (1, torch.tensor([0]), r"do not fit the emotion lattice; expected 2 each; got 1, 2, 2"),
        (2, torch.tensor([3, 0]), r"utterance number 1 of the batch: lengths out of range"),
        (2, torch.tensor([5, 1]), r"utterance number 0 of the batch: lengths out of range"),
        (3, torch.tensor([0, 3]), r"got 2 frames, 3 labels"),
        (4, 4, r"neutral out of range"),
    ],
)
def test_values_out_of_range_are_refused(position, value, message):
    terms = JointTerms(
        torch.zeros(2, 4, 3), torch.zeros(2, 3, 3), torch.zeros(NUM_EMOTIONS, 3), torch.zeros(NUM_EMOTIONS)
    )
    arguments: list = [terms, torch.tensor([0, 1]), torch.tensor([4, 2]), torch.tensor([2, 1]), 3]
    arguments[position] = value
    with pytest.raises(LossInputError, match=message):
        lattice_pooling_losses(*arguments)
