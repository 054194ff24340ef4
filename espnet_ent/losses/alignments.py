"""Forward-backward over the alignment lattice: the cost, and how often each arc is taken.

The recursion runs in float64 whatever its input is. On the CPU it is compiled by numba where that is installed;
elsewhere it goes over the anti-diagonals of all utterances at once.

Source: Graves, "Sequence transduction with recurrent neural networks", 2012, equations 16-20.
Dimensions: B batch, T frames, U labels (the lattice has U + 1 columns), N = T + U anti-diagonals.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Alignments:
    """Posteriors of all alignments of a batch.

    Attributes:
        costs: (B,) float64, negative log probability of the labels in nats.
        blank: (B, T, U + 1), probability that an alignment takes blank at a node; 0 in the padding.
        label: (B, T, U + 1), probability that it takes the next label there.
    """

    costs: Tensor
    blank: Tensor
    label: Tensor


def alignments(log_blank: Tensor, log_label: Tensor, num_frames: list[int], num_columns: list[int]) -> Alignments:
    """Sum over all alignments of each utterance.

    Args:
        log_blank: (B, T, U + 1), float32 or float64, log probability of blank at each node; anything in the padding.
        log_label: (B, T, U + 1), log probability of the next label; anything in the last column and the padding.
        num_frames: Valid frames of each utterance, at least 1.
        num_columns: Valid columns (labels + 1) of each utterance.

    Returns:
        Costs and posteriors, the latter of the input's type; they have no gradient.
    """
    with torch.no_grad():
        kernel = _kernel() if log_blank.device.type == "cpu" else None
        if kernel is None:
            return by_diagonals(log_blank, log_label, num_frames, num_columns)
        return _by_kernel(kernel, log_blank, log_label, num_frames, num_columns)


_STEP = 1e-4  # of the logarithm of a whole alignment: a central difference is then within 1e-8 of the derivative


def posterior_gradients(
    log_probs: tuple[Tensor, Tensor],
    d_posteriors: tuple[Tensor, Tensor],
    num_frames: list[int],
    num_columns: list[int],
) -> tuple[Tensor, Tensor]:
    """Gradients of the log probabilities of the arcs, given those of their posteriors.

    A posterior is the derivative of the logarithm of the alignments' sum by the arc's log probability. Its own
    derivatives are the second ones of that logarithm, which are symmetric: the gradient is what the posteriors change
    by when the log probabilities move along ``d_posteriors``, taken as a central difference in float64.

    Args:
        log_probs: Of blank and of the next label, each (B, T, U + 1).
        d_posteriors: Gradients of both posteriors, each (B, T, U + 1).
        num_frames: As for :func:`alignments`.
        num_columns: As for :func:`alignments`.
    """
    lengths = (num_frames, num_columns)
    moves = torch.stack(d_posteriors).double()
    arcs = torch.tensor([f + c for f, c in zip(num_frames, num_columns, strict=True)], device=moves.device)
    scale = (moves.abs().amax(dim=(0, 2, 3)) * arcs / _STEP).view(-1, 1, 1)
    moves = torch.where(scale > 0, moves / scale, 0.0)
    ahead, behind = (
        alignments(*(values.double() + sign * move for values, move in zip(log_probs, moves, strict=True)), *lengths)
        for sign in (1, -1)
    )
    pairs = ((ahead.blank, behind.blank), (ahead.label, behind.label))
    blank, label = ((after - before) * (scale / 2) for after, before in pairs)
    return blank, label


@functools.cache
def _kernel() -> Callable | None:
    try:
        from espnet_ent.losses.alignment_kernel import posteriors
    except ImportError:
        return None
    return posteriors


def _by_kernel(
    kernel: Callable, log_blank: Tensor, log_label: Tensor, num_frames: list[int], num_columns: list[int]
) -> Alignments:
    blank, label = torch.zeros_like(log_blank), torch.zeros_like(log_blank)
    costs = []
    for b, (frames, columns) in enumerate(zip(num_frames, num_columns, strict=True)):
        node = (b, slice(frames), slice(columns))
        arrays = [values[node].numpy() for values in (log_blank, log_label)]
        alpha = torch.empty(frames, columns, dtype=torch.float64).numpy()
        costs.append(kernel(*arrays, alpha, blank[node].numpy(), label[node].numpy()))
    return Alignments(torch.tensor(costs, dtype=torch.float64), blank, label)


@torch.no_grad()
def by_diagonals(log_blank: Tensor, log_label: Tensor, num_frames: list[int], num_columns: list[int]) -> Alignments:
    """As :func:`alignments`, anti-diagonal by anti-diagonal."""
    device = log_blank.device
    batch_size, width, columns = log_blank.shape
    frames = torch.tensor(num_frames, device=device)
    lasts = torch.tensor(num_columns, device=device) - 1
    u = torch.arange(columns, device=device)
    num_diagonals = width + columns - 1
    t = torch.arange(num_diagonals, device=device).unsqueeze(1) - u  # (N, U + 1), frame of each node
    valid = (t >= 0) & (t < frames.view(-1, 1, 1)) & (u <= lasts.view(-1, 1, 1))  # (B, N, U + 1)
    at_label = valid & (u < lasts.view(-1, 1, 1))
    skewed_blank = _skew(log_blank, t, valid)
    skewed_label = _skew(log_label, t, at_label)
    alpha = _forward(skewed_blank, skewed_label, valid)
    ends = (frames + lasts - 1, lasts)
    utterance = torch.arange(batch_size, device=device)
    total = alpha[utterance, *ends] + skewed_blank[utterance, *ends]
    beta = _backward(skewed_blank, skewed_label, valid, ends)
    by_blank, by_label = _after(beta, skewed_blank, skewed_label, ends)
    shape = (log_blank, t, valid)
    return Alignments(
        -total,
        _straight((alpha + by_blank - total.view(-1, 1, 1)).exp(), *shape),
        _straight((alpha + by_label - total.view(-1, 1, 1)).exp(), *shape),
    )


def _skew(values: Tensor, t: Tensor, valid: Tensor) -> Tensor:
    """Values (B, T, U + 1) by anti-diagonal (B, N, U + 1) in float64; -inf where they are not valid."""
    index = t.clamp(0, values.size(1) - 1).expand(values.size(0), -1, -1)
    return values.double().gather(1, index).masked_fill(~valid, -torch.inf)


def _straight(values: Tensor, like: Tensor, t: Tensor, valid: Tensor) -> Tensor:
    """Undo :func:`_skew`; 0 in the padding."""
    kept = values.masked_fill(~valid, 0.0).to(like.dtype)
    index = t.clamp(0, like.size(1) - 1).expand(like.size(0), -1, -1)
    return torch.zeros_like(like).scatter_add_(1, index, kept)


def _forward(blank: Tensor, label: Tensor, valid: Tensor) -> Tensor:
    alpha = torch.full_like(blank, -torch.inf)
    alpha[:, 0, 0] = 0.0
    for n in range(1, blank.size(1)):
        by_blank = alpha[:, n - 1] + blank[:, n - 1]
        by_label = torch.roll(alpha[:, n - 1] + label[:, n - 1], 1, dims=1)
        by_label[:, 0] = -torch.inf
        alpha[:, n] = torch.logaddexp(by_blank, by_label).masked_fill(~valid[:, n], -torch.inf)
    return alpha


def _backward(blank: Tensor, label: Tensor, valid: Tensor, ends: tuple[Tensor, Tensor]) -> Tensor:
    beta = torch.full_like(blank, -torch.inf)
    columns = torch.arange(blank.size(2), device=blank.device)
    for n in range(blank.size(1) - 1, -1, -1):
        if n + 1 < blank.size(1):
            by_label = torch.roll(beta[:, n + 1], -1, dims=1)
            by_label[:, -1] = -torch.inf
            beta[:, n] = torch.logaddexp(beta[:, n + 1] + blank[:, n], by_label + label[:, n])
        is_end = (ends[0] == n).unsqueeze(1) & (columns == ends[1].unsqueeze(1))
        beta[:, n] = torch.where(is_end, blank[:, n], beta[:, n]).masked_fill(~valid[:, n], -torch.inf)
    return beta


def _after(beta: Tensor, blank: Tensor, label: Tensor, ends: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Log probability of the rest of the labels after taking blank, and after taking the label, at each node."""
    following = torch.full_like(beta, -torch.inf)
    following[:, :-1] = beta[:, 1:]
    by_label = torch.full_like(beta, -torch.inf)
    by_label[:, :, :-1] = following[:, :, 1:]
    following[torch.arange(beta.size(0), device=beta.device), *ends] = 0.0
    return following + blank, by_label + label
