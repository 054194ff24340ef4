"""The forward-backward recursion: gradients of the cost are its posteriors, which sum to what they must."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from espnet_ent.losses import alignments as module
from espnet_ent.losses.alignments import Alignments, alignments, by_diagonals

Case = tuple[Tensor, Tensor, list[int], list[int]]


def _case(seed: int, num_frames: list[int], num_columns: list[int], scale: float = 1.0) -> Case:
    """Log probabilities of padded lattices; the padding holds numbers that must not matter."""
    generator = torch.Generator().manual_seed(seed)
    shape = (len(num_frames), max(num_frames) + 1, max(num_columns) + 1)
    blank = -scale * torch.rand(shape, generator=generator, dtype=torch.float64) - 0.01
    label = -scale * torch.rand(shape, generator=generator, dtype=torch.float64) - 0.01
    for b, (frames, columns) in enumerate(zip(num_frames, num_columns, strict=True)):
        blank[b, frames:], label[b, frames:] = 7.0, 7.0
        blank[b, :, columns:], label[b, :, columns - 1 :] = 7.0, 7.0
    return blank, label, num_frames, num_columns


def _cost(blank: Tensor, label: Tensor) -> Tensor:
    """Cost of one lattice without padding, by autograd through the forward recursion."""
    alpha: dict[tuple[int, int], Tensor] = {}
    num_frames, num_columns = blank.shape
    for t in range(num_frames):
        for u in range(num_columns):
            arrivals = [alpha[t - 1, u] + blank[t - 1, u]] if t else []
            arrivals += [alpha[t, u - 1] + label[t, u - 1]] if u else []
            alpha[t, u] = torch.logsumexp(torch.stack(arrivals), 0) if arrivals else blank.new_zeros(())
    return -(alpha[num_frames - 1, num_columns - 1] + blank[-1, -1])


sizes = st.lists(st.tuples(st.integers(1, 6), st.integers(1, 5)), min_size=1, max_size=3)


@pytest.mark.parametrize("implementation", [alignments, by_diagonals])
@settings(max_examples=40, deadline=None)
@given(sizes, st.integers(0, 99), st.sampled_from([0.5, 5.0, 200.0]))
def test_posteriors_are_minus_the_gradients_of_the_costs(implementation, lattices, seed, scale) -> None:
    blank, label, num_frames, num_columns = _case(seed, *map(list, zip(*lattices, strict=True)), scale)
    found: Alignments = implementation(blank, label, num_frames, num_columns)
    for b, (frames, columns) in enumerate(lattices):
        ours = [values[b, :frames, :columns].clone().requires_grad_() for values in (blank, label)]
        cost = _cost(*ours)
        torch.testing.assert_close(found.costs[b], cost)
        wanted = torch.autograd.grad(cost, ours, allow_unused=True)
        for posterior, gradient in zip((found.blank[b], found.label[b]), wanted, strict=True):
            gradient = torch.zeros(frames, columns, dtype=torch.float64) if gradient is None else gradient
            torch.testing.assert_close(posterior[:frames, :columns], -gradient)
            assert posterior[frames:].abs().sum() == posterior[:, columns:].abs().sum() == 0


@pytest.mark.parametrize("implementation", [alignments, by_diagonals])
def test_every_frame_has_one_blank_and_every_label_is_emitted_once(implementation) -> None:
    found = implementation(*_case(3, [9, 2, 5], [4, 6, 1]))
    for b, (frames, columns) in enumerate([(9, 4), (2, 6), (5, 1)]):
        torch.testing.assert_close(found.blank[b, :frames].sum(1), torch.ones(frames, dtype=torch.float64))
        torch.testing.assert_close(found.label[b].sum(0)[: columns - 1], torch.ones(columns - 1, dtype=torch.float64))


@pytest.mark.parametrize("implementation", [alignments, by_diagonals])
def test_what_is_not_a_number_stays_in_its_utterance(implementation) -> None:
    case = _case(1, [4, 4], [3, 3])
    clean = implementation(*case)
    case[0][0, 1, 1] = torch.nan
    found = implementation(*case)
    assert found.costs[0].isnan()
    assert torch.equal(found.costs[1], clean.costs[1])
    assert torch.equal(found.blank[1], clean.blank[1])


def test_float32_is_summed_in_float64() -> None:
    blank, label, *lengths = _case(2, [400], [120], 3.0)
    single = alignments(blank.float(), label.float(), *lengths)
    exact = alignments(blank.float().double(), label.float().double(), *lengths)
    assert single.blank.dtype == torch.float32
    torch.testing.assert_close(single.costs, exact.costs, rtol=1e-12, atol=0)
    torch.testing.assert_close(single.blank.double(), exact.blank, rtol=1e-6, atol=1e-9)


def test_without_numba_the_diagonals_take_over(monkeypatch: pytest.MonkeyPatch) -> None:
    case = _case(4, [5, 3], [4, 2])
    compiled = alignments(*case)
    monkeypatch.setattr(module, "_kernel", lambda: None)
    found = alignments(*case)
    torch.testing.assert_close(found.costs, compiled.costs)
    torch.testing.assert_close(found.label, compiled.label)
