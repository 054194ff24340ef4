"""The fused transducer loss against the dense form in float64: values, gradients, memory, options."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from espnet_ent.errors import ConfigError
from espnet_ent.losses import fused_transducer, lattice_cells
from espnet_ent.losses.transducer import (
    TransducerLossConfig,
    transducer_alignments,
    transducer_loss,
    transducer_loss_and_alignments,
)
from espnet_ent.transducer import products
from espnet_ent.transducer.states import JointTerms
from tests.losses.oracles import transducer_by_recursion

Inputs = tuple[tuple[JointTerms, ...], Tensor, Tensor, Tensor]


def make_inputs(
    lattices: list[tuple[int, int]],
    heads: tuple[int, ...],
    seed: int = 0,
    size: int = 5,
    dtype: torch.dtype = torch.float64,
    scale: float = 1.0,
) -> Inputs:
    """Terms whose padding is not finite, labels, frames and label lengths; ``lattices`` holds (frames, labels)."""
    generator = torch.Generator().manual_seed(seed)
    frames, labels = (torch.tensor(values) for values in zip(*lattices, strict=True))
    terms = []
    for num_outputs in heads:
        encoder = scale * torch.randn(len(lattices), int(frames.max()) + 1, size, generator=generator, dtype=dtype)
        prediction = scale * torch.randn(len(lattices), int(labels.max()) + 1, size, generator=generator, dtype=dtype)
        for b, (t, u) in enumerate(lattices):
            encoder[b, t:], prediction[b, u + 1 :] = torch.nan, torch.inf
        weight = torch.randn(num_outputs, size, generator=generator, dtype=dtype)
        bias = torch.randn(num_outputs, generator=generator, dtype=dtype)
        terms.append(JointTerms(*(leaf.requires_grad_() for leaf in (encoder, prediction, weight, bias))))
    shape = (len(lattices), int(labels.max()))
    return tuple(terms), torch.randint(1, sum(heads), shape, generator=generator), frames, labels


def leaves(terms: tuple[JointTerms, ...]) -> list[Tensor]:
    return [leaf for term in terms for leaf in (term.encoder, term.prediction, term.weight, term.bias)]


def by_recursion(inputs: Inputs) -> Tensor:
    """Costs (B,) of the dense logits, in float64."""
    terms, labels, frames, label_lengths = inputs
    costs = []
    for b, (t, u) in enumerate(zip(frames.tolist(), label_lengths.tolist(), strict=True)):
        one = [JointTerms(x.encoder[b : b + 1, :t], x.prediction[b : b + 1, : u + 1], x.weight, x.bias) for x in terms]
        logits = torch.cat([x.logits()[0] for x in one], dim=-1)
        costs.append(transducer_by_recursion(logits, labels[b, :u].tolist()))
    return torch.stack(costs)


def gradients(costs: Tensor, terms: tuple[JointTerms, ...]) -> tuple[Tensor, ...]:
    weights = torch.linspace(0.5, 2.0, len(costs), dtype=costs.dtype)
    return torch.autograd.grad((costs * weights).sum(), leaves(terms))


def assert_same(found: tuple[Tensor, ...], wanted: tuple[Tensor, ...], relative: float) -> None:
    """Differences are measured by the largest value of each tensor."""
    for ours, theirs in zip(found, wanted, strict=True):
        assert (ours - theirs).abs().max() <= relative * theirs.abs().max() + 1e-300


lattices = st.lists(st.tuples(st.integers(1, 7), st.integers(0, 9)), min_size=1, max_size=3)
heads = st.sampled_from([(2,), (5,), (1, 1), (1, 4), (1, 70), (16,), (3, 2)])


@settings(max_examples=60, deadline=None)
@given(lattices, heads, st.integers(0, 99), st.sampled_from([1.0, 400.0]))
def test_values_and_gradients_equal_the_dense_form(sizes, num_outputs, seed, scale) -> None:
    """Any shape, U = 0, T = 1 and T < U among them; a scale of 400 needs the hyperbolic tangent itself."""
    inputs = make_inputs(sizes, num_outputs, seed, scale=scale)
    costs, expected = transducer_loss(*inputs, reduction="none"), by_recursion(inputs)
    torch.testing.assert_close(costs, expected, rtol=1e-9, atol=1e-9)
    assert_same(gradients(costs, inputs[0]), gradients(expected, inputs[0]), 1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("num_outputs", [(31,), (1, 30), (3, 2)])
def test_the_slow_ways_agree_with_the_fast_ones(num_outputs, dtype, monkeypatch) -> None:
    """Without compiled loops and without oneDNN, as on other devices."""
    inputs = make_inputs([(40, 12), (25, 17)], num_outputs, size=24, dtype=dtype)
    fast = transducer_loss(*inputs, reduction="none")
    fast_gradients = gradients(fast, inputs[0])
    assert lattice_cells._kernel() is not None
    monkeypatch.setattr(lattice_cells, "_kernel", lambda: None)
    monkeypatch.setattr(products, "_onednn_linear", lambda: None)
    slow = transducer_loss(*inputs, reduction="none")
    close = 1e-5 if dtype == torch.float32 else 1e-12
    torch.testing.assert_close(fast, slow, rtol=close, atol=0)
    assert_same(fast_gradients, gradients(slow, inputs[0]), close)


def test_two_backward_passes_give_the_same() -> None:
    inputs = make_inputs([(6, 3), (4, 1)], (1, 4))
    cost = transducer_loss(*inputs)
    first = torch.autograd.grad(cost, leaves(inputs[0]), retain_graph=True)
    for one, other in zip(first, torch.autograd.grad(cost, leaves(inputs[0])), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


@pytest.mark.parametrize("num_outputs", [(4,), (1, 3)])
def test_gradcheck(num_outputs) -> None:
    terms, labels, frames, label_lengths = make_inputs([(4, 3), (2, 1)], num_outputs, size=3)
    clean = [torch.nan_to_num(leaf.detach(), 0.0, 0.0).requires_grad_() for leaf in leaves(terms)]

    def costs(*tensors: Tensor) -> Tensor:
        heads = tuple(JointTerms(*tensors[i : i + 4]) for i in range(0, len(tensors), 4))
        return transducer_loss(heads, labels, frames, label_lengths, reduction="none")

    assert torch.autograd.gradcheck(costs, clean)


@pytest.mark.parametrize("num_outputs", [(31,), (1, 30), (1, 99)])
@pytest.mark.parametrize("rows", [1, 30, 1 << 14])
def test_float32_is_within_its_rounding_whatever_the_tiles(num_outputs, rows, monkeypatch) -> None:
    monkeypatch.setattr(lattice_cells, "_rows_of_a_tile", lambda *_: rows)
    inputs = make_inputs([(40, 12), (25, 17)], num_outputs, size=24, dtype=torch.float32)
    exact = make_inputs([(40, 12), (25, 17)], num_outputs, size=24, dtype=torch.float32)
    double = tuple(
        JointTerms(*(leaf.detach().double().requires_grad_() for leaf in leaves((term,)))) for term in exact[0]
    )
    costs, expected = transducer_loss(*inputs, reduction="none"), by_recursion((double, *exact[1:]))
    torch.testing.assert_close(costs.double(), expected, rtol=1e-5, atol=0)
    assert_same([g.double() for g in gradients(costs, inputs[0])], gradients(expected, double), 1e-5)


def test_a_small_occupancy_leaves_out_nodes_and_changes_next_to_nothing(monkeypatch) -> None:
    inputs = make_inputs([(60, 20)], (1, 30), size=16, dtype=torch.float32, scale=3.0)
    exact = gradients(transducer_loss(*inputs, reduction="none"), inputs[0])
    computed = []
    original = lattice_cells.LatticeCells.accumulate

    def counting(self, tile, d_logits):
        computed.append(tile.num_nodes)
        original(self, tile, d_logits)

    monkeypatch.setattr(lattice_cells.LatticeCells, "accumulate", counting)
    sparse = TransducerLossConfig(occupancy_eps=1e-6)
    found = gradients(transducer_loss(*inputs, reduction="none", config=sparse), inputs[0])
    assert 0 < sum(computed) < 0.5 * 60 * 21
    assert_same(found, exact, 1e-5)


def test_logits_of_a_large_vocabulary_are_not_kept(monkeypatch) -> None:
    inputs = make_inputs([(5, 3)], (7,))
    kept = gradients(transducer_loss(*inputs, reduction="none"), inputs[0])
    monkeypatch.setattr(fused_transducer, "_KEPT_VOCABULARY", 3)
    assert_same(gradients(transducer_loss(*inputs, reduction="none"), inputs[0]), kept, 1e-12)


def test_fastemit_raises_the_gradients_of_labels_alone() -> None:
    """Against the dense form with the gradients of log probabilities spelled out."""
    inputs = make_inputs([(5, 3)], (4,))
    (term,), labels, frames, label_lengths = inputs
    posteriors = transducer_alignments(*inputs)
    log_probs = JointTerms(term.encoder[:, :5], term.prediction, term.weight, term.bias).logits().log_softmax(-1)
    of_labels = log_probs[0, :, :3].gather(2, labels[0].view(1, 3, 1).expand(5, 3, 1)).squeeze(2)
    surrogate = (
        -(posteriors.blank[0, :5] * log_probs[0, :, :, 0]).sum()
        - 1.25 * (posteriors.label[0, :5, :3] * of_labels).sum()
    )
    wanted = torch.autograd.grad(surrogate, leaves((term,)))
    config = TransducerLossConfig(fastemit=0.25)
    cost = transducer_loss((term,), labels, frames, label_lengths, config=config)
    assert cost == transducer_loss((term,), labels, frames, label_lengths)
    assert_same(torch.autograd.grad(cost, leaves((term,))), wanted, 1e-9)


def test_both_backends_agree() -> None:
    inputs = make_inputs([(6, 3), (4, 0)], (1, 4), dtype=torch.float32)
    clean = tuple(
        JointTerms(*(torch.nan_to_num(leaf.detach(), 0.0, 0.0).requires_grad_() for leaf in leaves((term,))))
        for term in inputs[0]
    )
    costs = [
        transducer_loss(clean, *inputs[1:], reduction="none", config=TransducerLossConfig(backend=backend))
        for backend in ("fused", "torchaudio")
    ]
    torch.testing.assert_close(*costs, rtol=1e-5, atol=1e-5)
    assert_same(gradients(costs[0], clean), gradients(costs[1], clean), 1e-3)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_of_products_stays_near_and_sums_in_float32(dtype) -> None:
    inputs = make_inputs([(20, 6)], (1, 30), size=32, dtype=torch.float32)
    exact = transducer_loss(*inputs)
    with torch.autocast("cpu", dtype=dtype):
        half = transducer_loss(*inputs)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, exact, rtol=5e-3, atol=0)
    wanted = torch.autograd.grad(exact, leaves(inputs[0]))
    assert_same(torch.autograd.grad(half, leaves(inputs[0])), wanted, 3e-2)


def test_terms_of_half_precision_get_gradients_of_their_type() -> None:
    inputs = make_inputs([(6, 3)], (5,), dtype=torch.float32)
    halves = tuple(JointTerms(*(leaf.detach().bfloat16().requires_grad_() for leaf in leaves((x,)))) for x in inputs[0])
    cost = transducer_loss(halves, *inputs[1:])
    assert cost.dtype == torch.float32
    assert {g.dtype for g in torch.autograd.grad(cost, leaves(halves))} == {torch.bfloat16}


class _LargestTensor(TorchDispatchMode):
    """Records the number of values of the largest tensor that any operation returns."""

    largest = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for value in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(value, Tensor):
                self.largest = max(self.largest, value.numel())
        return result


@pytest.mark.parametrize("num_outputs", [(31,), (1, 30), (1, 499)])
def test_no_tensor_is_as_large_as_the_dense_lattice(num_outputs, monkeypatch) -> None:
    monkeypatch.setattr(lattice_cells, "_rows_of_a_tile", lambda *_: 64)
    inputs = make_inputs([(100, 30), (80, 25)], num_outputs, size=256, dtype=torch.float32)
    with _LargestTensor() as seen:
        torch.autograd.grad(transducer_loss(*inputs), leaves(inputs[0]))
    terms = max(leaf.numel() for leaf in leaves(inputs[0]))
    assert seen.largest <= max(terms, 2 * 100 * 31 * 48, 2 * (1 << 14))
    assert seen.largest < 0.2 * 2 * 100 * 31 * 256


@pytest.mark.parametrize("num_outputs", [(4,), (1, 3)])
def test_posteriors_are_differentiable_where_that_is_asked_for(num_outputs) -> None:
    """Against numerical derivatives, beside the loss's own gradient."""
    inputs = make_inputs([(4, 3), (3, 1), (1, 0)], num_outputs, size=3)
    terms, labels, *lengths = inputs
    clean = [torch.nan_to_num(leaf.detach(), 0.0, 0.0, 0.0).requires_grad_() for leaf in leaves(terms)]
    weights = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def found(*tensors: Tensor) -> Tensor:
        heads = tuple(JointTerms(*tensors[i : i + 4]) for i in range(0, len(tensors), 4))
        cost, posteriors = transducer_loss_and_alignments(heads, labels, *lengths, posterior_gradient=True)
        return cost + (weights[0] * posteriors.blank).sum() + (weights[1] * posteriors.label).sum()

    assert torch.autograd.gradcheck(found, clean)
    _, plain = transducer_loss_and_alignments(terms, labels, *lengths)
    assert not plain.blank.requires_grad


def test_alignments_of_terms_are_those_of_their_log_probabilities() -> None:
    inputs = make_inputs([(6, 3), (4, 1)], (1, 4))
    found = transducer_alignments(*inputs)
    torch.testing.assert_close(found.costs, by_recursion(inputs))
    torch.testing.assert_close(found.blank[1, :4].sum(1), torch.ones(4, dtype=torch.float64))
    assert not found.blank.requires_grad


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (TransducerLossConfig(backend="k2"), "unknown transducer_backend"),
        (TransducerLossConfig(occupancy_eps=1.0), "occupancy_eps out of range"),
        (TransducerLossConfig(occupancy_eps=float("nan")), "occupancy_eps out of range"),
        (TransducerLossConfig(fastemit=-0.1), "fastemit out of range"),
        (TransducerLossConfig("torchaudio", fastemit=0.1), "use transducer_backend: fused"),
    ],
)
def test_options_that_make_no_sense(config: TransducerLossConfig, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        transducer_loss(*make_inputs([(2, 1)], (3,)), config=config)
