"""Naive second implementations of the losses, in float64 and with Python loops. Blank is 0."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor


def transducer_by_enumeration(logits: Tensor, labels: list[int]) -> Tensor:
    """Cost of one utterance: log-sum over every alignment, spelled out. ``logits`` (T, U + 1, V)."""
    log_probs = logits.double().log_softmax(-1)
    num_frames, num_labels = logits.size(0), len(labels)
    alignments = []
    # An alignment is T blanks and U labels in any order, the last of them a blank.
    for label_positions in itertools.combinations(range(num_frames - 1 + num_labels), num_labels):
        t = u = 0
        total = torch.zeros((), dtype=torch.float64)
        for position in range(num_frames + num_labels):
            if position in label_positions:
                total = total + log_probs[t, u, labels[u]]
                u += 1
            else:
                total = total + log_probs[t, u, 0]
                t += 1
        assert (t, u) == (num_frames, num_labels)
        alignments.append(total)
    assert len(alignments) == math.comb(num_frames - 1 + num_labels, num_labels)
    return -torch.logsumexp(torch.stack(alignments), dim=0)


def transducer_by_recursion(logits: Tensor, labels: list[int]) -> Tensor:
    """Cost of one utterance by the forward recursion in float64. ``logits`` (T, U + 1, V)."""
    log_probs = logits.double().log_softmax(-1)
    alpha: dict[tuple[int, int], Tensor] = {(0, 0): torch.zeros((), dtype=torch.float64)}
    for t in range(logits.size(0)):
        for u in range(len(labels) + 1):
            arrivals = []
            if t > 0:
                arrivals.append(alpha[t - 1, u] + log_probs[t - 1, u, 0])
            if u > 0:
                arrivals.append(alpha[t, u - 1] + log_probs[t, u - 1, labels[u - 1]])
            if arrivals:
                alpha[t, u] = torch.logsumexp(torch.stack(arrivals), dim=0)
    last = logits.size(0) - 1, len(labels)
    return -(alpha[last] + log_probs[*last, 0])


def ctc_by_enumeration(logits: Tensor, labels: list[int]) -> Tensor:
    """CTC cost of one utterance over every path. ``logits`` (T, V)."""
    log_probs = logits.double().log_softmax(-1)
    num_frames, vocab_size = logits.shape
    paths = []
    for path in itertools.product(range(vocab_size), repeat=num_frames):
        collapsed = [label for label, _ in itertools.groupby(path) if label != 0]
        if collapsed == labels:
            paths.append(sum(log_probs[t, label] for t, label in enumerate(path)))
    if not paths:
        return torch.tensor(math.inf, dtype=torch.float64)
    return -torch.logsumexp(torch.stack(paths), dim=0)


def lattice_pooling(
    logits: Tensor,
    label: int,
    neutral: int,
    pooling: str,
    neutral_term: str,
    floor: float = 0.0,
    top_share: float = 0.1,
    occupancy: Tensor | None = None,
) -> Tensor:
    """Lattice pooling loss of one utterance without padding. ``logits`` (T, U + 1, E), ``occupancy`` (T, U + 1)."""
    log_probs = logits.log_softmax(-1)
    num_frames, num_columns, _ = logits.shape
    if pooling not in ("node", "frame", "token"):
        values = [log_probs[t, u, label] for t in range(num_frames) for u in range(num_columns)]
        total = sum(_average(values, pooling, top_share, occupancy))
        if neutral_term != "none":
            of_both = lattice_pooling(logits, label, neutral, "node", neutral_term)
            total = total + of_both - lattice_pooling(logits, label, neutral, "node", "none")
        return total
    picks = [(_extreme(log_probs, label, largest=True), label)]
    if neutral_term == "reference" or (neutral_term == "separating" and label == neutral):
        picks.append((_extreme(log_probs, neutral, largest=False), neutral))
    elif neutral_term == "separating":
        picks.append((_extreme(log_probs, neutral, largest=True), neutral))
    loss = torch.zeros((), dtype=logits.dtype)
    for (t_star, u_star), emotion in picks:
        if pooling == "node":
            nodes = [(t_star, u_star)]
        elif pooling == "frame":
            nodes = [(t_star, u) for u in range(num_columns)]
        else:
            nodes = [(t, u_star) for t in range(num_frames)]
        for t, u in nodes:
            loss = loss - log_probs[t, u, emotion].exp().clamp(min=floor).log() / len(nodes)
    return loss


def _average(values: list[Tensor], pooling: str, top_share: float, occupancy: Tensor | None) -> list[Tensor]:
    """Terms of the label's part of the loss, given the log probabilities of all nodes."""
    if pooling == "mean":
        return [-value / len(values) for value in values]
    if pooling == "top_k":
        kept = sorted(values, key=lambda value: -value.item())[: max(1, math.ceil(round(top_share * len(values), 6)))]
        return [-value / len(kept) for value in kept]
    if pooling == "occupancy":
        weights = occupancy.flatten().tolist()
        return [-value * weight / sum(weights) for value, weight in zip(values, weights, strict=True)]
    assert pooling == "linear_softmax"
    probs = [value.exp() for value in values]
    return [-(sum(p * p for p in probs) / sum(probs)).log()]


def _extreme(log_probs: Tensor, emotion: int, largest: bool) -> tuple[int, int]:
    """First node, frame by frame, with the largest or smallest probability of ``emotion``."""
    best, best_node = None, (0, 0)
    for t in range(log_probs.size(0)):
        for u in range(log_probs.size(1)):
            value = log_probs[t, u, emotion].item()
            if best is None or (value > best if largest else value < best):
                best, best_node = value, (t, u)
    return best_node
