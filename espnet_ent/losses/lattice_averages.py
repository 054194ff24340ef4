"""Lattice poolings that many nodes take part in: an utterance's emotion spread over its emotion lattice.

With p a node's probability of the utterance's emotion, and averages over the valid nodes of the utterance:

- ``mean``: -log p, averaged;
- ``occupancy``: -log p, averaged with the probability that an alignment passes through the node: the mean over the
  nodes of an alignment, expected over all alignments; where the occupancy has a gradient, alignments are drawn to
  nodes that show the emotion;
- ``top_k``: -log p, averaged over the share of the nodes where p is largest;
- ``linear_softmax``: -log of the average of p weighted by p itself, sum p^2 / sum p (Wang, Li and Metze, "A comparison
  of five multiple instance learning pooling functions for sound event detection with weak labeling", 2019).

All are weighted sums of -log p, or have gradients that are: nodes are computed in tiles, and again in the backward
pass.

Dimensions: B batch, T frames, U labels (the lattice has U + 1 columns), N valid nodes.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from espnet_ent.errors import LossInputError
from espnet_ent.losses.fused_nodes import node_costs
from espnet_ent.losses.lattice_cells import LatticeCells
from espnet_ent.transducer.states import JointTerms

AVERAGES = ("mean", "occupancy", "top_k", "linear_softmax")


def average_losses(
    terms: JointTerms,
    log_probs: Tensor,
    labels: Tensor,
    num_frames: list[int],
    num_columns: list[int],
    pooling: str,
    top_share: float,
    occupancy: Tensor | None,
) -> Tensor:
    """Losses (B,) of the utterances' emotions, in nats, of checked inputs.

    Args:
        terms: Emotion joint terms of B utterances.
        log_probs: (N,) log probability of the utterance's emotion at each packed node, without gradient.
        labels: (B,) class indices.
        num_frames: Valid frames of each utterance.
        num_columns: Valid columns of each utterance.
        pooling: One of :data:`AVERAGES`.
        top_share: Share of the nodes for ``top_k``; one node at least.
        occupancy: (B, T, U + 1), at least 0, for ``occupancy``; its scale does not matter; may have a gradient.

    Raises:
        LossInputError: If ``occupancy`` is missing or does not fit.
    """
    cells = LatticeCells([terms], num_frames, num_columns)
    parts = cells.by_utterance(log_probs)
    if pooling == "mean":
        weights = [part.new_full(part.shape, 1.0 / len(part)) for part in parts]
    elif pooling == "top_k":
        weights = [_of_largest(part, top_share) for part in parts]
    elif pooling == "linear_softmax":
        weights = [_of_linear_softmax(part) for part in parts]
    else:
        weights = [part / part.sum() for part in cells.by_utterance(cells.packed(_checked(occupancy, terms)))]
        drawn = torch.stack([-(w - w.detach()) @ part.to(w.dtype) for w, part in zip(weights, parts, strict=True)])
        weights = [part.detach() for part in weights]
    targets = labels.view(-1, 1, 1).expand(terms.lattice_shape[:3])
    spread = cells.spread(torch.cat(weights).to(log_probs.dtype))
    costs = node_costs(terms, targets, spread, num_frames, num_columns)
    if pooling == "linear_softmax":  # the weights are right for the gradient alone
        values = [torch.logsumexp(part, 0) - torch.logsumexp(2 * part, 0) for part in parts]
        return costs - costs.detach() + torch.stack(values)
    return costs + drawn if pooling == "occupancy" else costs


def _of_largest(log_probs: Tensor, share: float) -> Tensor:
    """Equal weights for the largest values; the first of equal ones."""
    order = torch.argsort(log_probs, descending=True, stable=True)
    chosen = order[: max(1, math.ceil(share * len(order) - 1e-9))]
    return torch.zeros_like(log_probs).index_fill_(0, chosen, 1.0 / len(chosen))


def _of_linear_softmax(log_probs: Tensor) -> Tensor:
    """Derivatives of -log(sum p^2 / sum p) by -log p: 2 p^2 / sum p^2 - p / sum p."""
    return 2 * torch.softmax(2 * log_probs, dim=0) - torch.softmax(log_probs, dim=0)


def _checked(occupancy: Tensor | None, terms: JointTerms) -> Tensor:
    """The occupancy over the columns of the emotion lattice: of all columns where that has one column."""
    if occupancy is None:
        raise LossInputError(
            "lattice_pooling: occupancy needs the alignments", next_step="give transducer_weight a value"
        )
    if terms.lattice_shape[2] == 1:
        occupancy = occupancy.sum(dim=2, keepdim=True)
    fits = all(given <= whole for given, whole in zip(occupancy.shape, terms.lattice_shape[:3], strict=True))
    if not fits or len(occupancy) != len(terms.encoder):
        raise LossInputError(
            "the occupancy does not fit the emotion lattice",
            expected=tuple(terms.lattice_shape[:3]),
            got=tuple(occupancy.shape),
        )
    return occupancy
