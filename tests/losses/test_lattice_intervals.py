"""The supervised lattice loss against loops over nodes; padding, blocks and gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from espnet_ent.emotion.intervals import LatticeIntervals
from espnet_ent.errors import ConfigError, LossInputError
from espnet_ent.losses import lattice_cells
from espnet_ent.losses.lattice_intervals import MIXING_NODES, lattice_interval_loss, lattice_interval_losses
from espnet_ent.transducer.states import JointTerms
from tests.amounts import amount

NUM_EMOTIONS = 4


def integers(generator: torch.Generator, low: int, high: int, *shape: int) -> Tensor:
    return torch.randint(low, high, shape, generator=generator)


def make_case(seed: int, garbage: float = 40.0) -> tuple[JointTerms, LatticeIntervals, Tensor, Tensor]:
    """Random terms whose padding holds ``garbage``, with random intervals."""
    generator = torch.Generator().manual_seed(seed)
    batch_size, most = 3, 3
    enc_lengths = integers(generator, 1, 7, batch_size)
    label_lengths = integers(generator, 0, 5, batch_size)
    encoder = torch.randn(batch_size, 8, 5, generator=generator, dtype=torch.float64)
    prediction = torch.randn(batch_size, 6, 5, generator=generator, dtype=torch.float64)
    for b in range(batch_size):
        encoder[b, enc_lengths[b] :] = garbage
        prediction[b, label_lengths[b] + 1 :] = -garbage
    weight = torch.randn(NUM_EMOTIONS, 5, generator=generator, dtype=torch.float64)
    bias = torch.randn(NUM_EMOTIONS, generator=generator, dtype=torch.float64)
    terms = JointTerms(*(leaf.requires_grad_() for leaf in (encoder, prediction, weight, bias)))
    of_frame, _ = integers(generator, 0, most, batch_size, int(enc_lengths.max())).sort(dim=1)
    of_column, _ = integers(generator, 0, most, batch_size, int(label_lengths.max()) + 1).sort(dim=1)
    for b in range(batch_size):
        of_frame[b, enc_lengths[b] :] = -1
        of_column[b, label_lengths[b] + 1 :] = -1
    intervals = LatticeIntervals(of_frame, of_column, integers(generator, 0, NUM_EMOTIONS, batch_size, most))
    return terms, intervals, enc_lengths, label_lengths


def by_loops(case: tuple, mixing_nodes: str) -> Tensor:
    """Losses (B,), node by node."""
    terms, intervals, enc_lengths, label_lengths = case
    log_probs = terms.logits().log_softmax(-1)
    losses = []
    for b in range(len(enc_lengths)):
        costs: dict[int, list[Tensor]] = {}
        for t in range(int(enc_lengths[b])):
            for u in range(int(label_lengths[b]) + 1):
                frame, column = int(intervals.of_frame[b, t]), int(intervals.of_column[b, u])
                if mixing_nodes == "diagonal" and frame != column:
                    continue
                k = max(frame, column)
                costs.setdefault(k, []).append(-log_probs[b, t, u, intervals.emotions[b, k]])
        nothing = 0 * log_probs[b, 0, 0].sum()  # with a gradient, where no node counts
        total = sum((torch.stack(cost).mean() for cost in costs.values()), nothing)
        losses.append(total)
    return torch.stack(losses)


def leaves(terms: JointTerms) -> tuple[Tensor, ...]:
    return terms.encoder, terms.prediction, terms.weight, terms.bias


@pytest.mark.parametrize("mixing_nodes", MIXING_NODES)
@pytest.mark.parametrize("seed", range(amount(84, 8)))
@pytest.mark.parametrize("rows", [1 << 14, 1, 13])
def test_values_and_gradients_equal_those_of_loops(mixing_nodes, seed, rows, monkeypatch, figures):
    monkeypatch.setattr(lattice_cells, "_rows_of_a_tile", lambda *_: rows)
    case = make_case(seed)
    losses = lattice_interval_losses(*case, mixing_nodes)
    expected = by_loops(case, mixing_nodes)
    torch.testing.assert_close(losses, expected)
    weights = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    found = torch.autograd.grad((losses * weights).sum(), leaves(case[0]))
    wanted = torch.autograd.grad((expected * weights).sum(), leaves(case[0]))
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b)
    torch.testing.assert_close(lattice_interval_loss(*case, mixing_nodes), expected.mean())
    figures("Numerics", "losses of mixed intervals and their gradients are those of loops over nodes", batches=1)


@pytest.mark.parametrize("mixing_nodes", MIXING_NODES)
def test_padding_gets_no_gradient(mixing_nodes, figures):
    for seed in range(amount(250, 20)):
        case = make_case(seed)
        losses = lattice_interval_losses(*case, mixing_nodes)
        gradients = torch.autograd.grad(losses.sum(), (case[0].encoder, case[0].prediction))
        for b, (frames, labels) in enumerate(zip(case[2].tolist(), case[3].tolist(), strict=True)):
            assert gradients[0][b, frames:].abs().sum() == 0
            assert gradients[1][b, labels + 1 :].abs().sum() == 0
    figures("Numerics", "the gradient of mixed intervals is exactly 0 on padding", batches=amount(250, 20))


@pytest.mark.parametrize("garbage", [1e30, float("nan"), float("inf")])
def test_padding_changes_nothing_whatever_it_holds(garbage):
    clean, dirty = make_case(3, garbage=0.0), make_case(3, garbage=garbage)
    losses = [lattice_interval_losses(*case) for case in (clean, dirty)]
    assert torch.equal(*losses)
    gradients = [
        torch.autograd.grad(loss.sum(), leaves(case[0])) for loss, case in zip(losses, (clean, dirty), strict=True)
    ]
    for a, b in zip(*gradients, strict=True):
        assert torch.equal(a, b)


def test_one_interval_is_the_mean_over_all_nodes():
    terms, _, enc_lengths, label_lengths = make_case(1)
    of_frame = torch.zeros(3, int(enc_lengths.max()), dtype=torch.long)
    of_column = torch.zeros(3, int(label_lengths.max()) + 1, dtype=torch.long)
    for b in range(3):
        of_frame[b, enc_lengths[b] :] = -1
        of_column[b, label_lengths[b] + 1 :] = -1
    intervals = LatticeIntervals(of_frame, of_column, torch.tensor([[2], [0], [3]]))
    losses = lattice_interval_losses(terms, intervals, enc_lengths, label_lengths)
    for b, label in enumerate((2, 0, 3)):
        nodes = terms.logits()[b, : enc_lengths[b], : label_lengths[b] + 1].log_softmax(-1)[..., label]
        torch.testing.assert_close(losses[b], -nodes.mean())


def test_a_frame_wise_joint_is_supervised_in_time_alone():
    terms, intervals, enc_lengths, label_lengths = make_case(2)
    intervals = LatticeIntervals(intervals.of_frame, torch.zeros_like(intervals.of_column), intervals.emotions)
    frame_wise = JointTerms(terms.encoder, torch.zeros(3, 1, 5, dtype=torch.float64), terms.weight, terms.bias)
    losses = lattice_interval_losses(frame_wise, intervals, enc_lengths, label_lengths)
    expected = by_loops((frame_wise, intervals, enc_lengths, torch.zeros_like(label_lengths)), "later")
    torch.testing.assert_close(losses, expected)


def test_wrong_options_and_shapes():
    case = make_case(0)
    with pytest.raises(ConfigError, match=r"unknown mixing_nodes; expected later \| diagonal; got both"):
        lattice_interval_losses(*case, "both")
    terms, intervals, enc_lengths, label_lengths = case
    too_many = torch.zeros(3, 9, dtype=torch.long)
    with pytest.raises(LossInputError, match="do not fit the emotion lattice"):
        lattice_interval_losses(
            terms, LatticeIntervals(too_many, intervals.of_column, intervals.emotions), enc_lengths, label_lengths
        )
    with pytest.raises(LossInputError, match=r"emotion out of range; expected 0\.\.3; got 4"):
        lattice_interval_losses(
            terms,
            LatticeIntervals(intervals.of_frame, intervals.of_column, torch.full_like(intervals.emotions, 4)),
            enc_lengths,
            label_lengths,
        )
