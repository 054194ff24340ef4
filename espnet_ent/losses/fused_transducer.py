"""The transducer loss straight from joint terms: no B x T x U x V tensor, gradients where the alignments go.

Forward: logits tile by tile; kept are two log probabilities a node, blank's and the next label's. Their gradients are
minus the posteriors of the arcs, so the backward pass computes again only nodes that alignments pass through.

Dimensions: B batch, T frames, U labels, V vocabulary with blank = 0, N valid nodes of the
batch, R nodes of a tile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from espnet_ent.losses.alignments import Alignments, alignments, posterior_gradients
from espnet_ent.losses.lattice_cells import LatticeCells, Tile, log_normalizer
from espnet_ent.transducer.masks import BLANK
from espnet_ent.transducer.states import JointTerms

_KEPT_VOCABULARY = 64  # logits of a small vocabulary are kept: memory of V floats a node for a third of the time


@dataclass(frozen=True)
class FusedOptions:
    """How to compute.

    Attributes:
        occupancy_eps: Nodes that alignments pass through with at most this probability get no gradient; 0 is exact.
        fastemit: Weight of FastEmit regularisation (Yu et al., 2021): gradients of label arcs are raised by it.
        matmul_dtype: Half precision of the output layer's matrix products, or None.
        posterior_gradient: The posteriors are differentiable, too.
    """

    occupancy_eps: float = 0.0
    fastemit: float = 0.0
    matmul_dtype: torch.dtype | None = None
    posterior_gradient: bool = False


def fused_costs(
    terms: Sequence[JointTerms], labels: Tensor, num_frames: list[int], num_columns: list[int], options: FusedOptions
) -> tuple[Tensor, Alignments]:
    """Costs (B,) in nats of checked inputs, differentiable in all tensors of ``terms``, and posteriors of the arcs.

    Args:
        terms: Joint terms whose outputs, concatenated, are blank (0) and the labels.
        labels: (B, U), labels of the vocabulary; anything beyond the lengths.
        num_frames: Valid frames of each utterance.
        num_columns: Valid columns (labels + 1) of each utterance.
        options: How to compute.
    """
    tensors = [tensor for term in terms for tensor in (term.encoder, term.prediction, term.weight, term.bias)]
    with torch.autocast(tensors[0].device.type, enabled=False):
        costs, blank, label = _FusedTransducer.apply(labels, num_frames, num_columns, options, *tensors)
    return costs, Alignments(costs.detach().double(), blank, label)


def fused_alignments(
    terms: Sequence[JointTerms],
    labels: Tensor,
    num_frames: list[int],
    num_columns: list[int],
    matmul_dtype: torch.dtype | None = None,
) -> Alignments:
    """Costs and posteriors of the arcs, without gradients; arguments as :func:`fused_costs`."""
    with torch.no_grad(), torch.autocast(labels.device.type, enabled=False):
        cells = LatticeCells(terms, num_frames, num_columns, matmul_dtype)
        arcs = _arcs(cells, _Outputs(cells, labels), keep=False)
        return alignments(cells.spread(arcs.log_blank), cells.spread(arcs.log_label), num_frames, num_columns)


class _FusedTransducer(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        labels: Tensor,
        num_frames: list[int],
        num_columns: list[int],
        options: FusedOptions,
        *tensors: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        terms = [JointTerms(*tensors[i : i + 4]) for i in range(0, len(tensors), 4)]
        cells = LatticeCells(terms, num_frames, num_columns, options.matmul_dtype)
        outputs = _Outputs(cells, labels)
        keep = any(ctx.needs_input_grad) and cells.num_outputs <= _KEPT_VOCABULARY
        arcs = _arcs(cells, outputs, keep)
        log_probs = (cells.spread(arcs.log_blank), cells.spread(arcs.log_label))
        found = alignments(*log_probs, num_frames, num_columns)
        ctx.log_probs = log_probs if options.posterior_gradient else None
        ctx.cells, ctx.outputs, ctx.options = cells, outputs, options
        ctx.log_norm, ctx.kept = arcs.log_norm, arcs.kept
        ctx.dtypes = [tensor.dtype for tensor in tensors]
        ctx.blank, ctx.label = cells.packed(found.blank), cells.packed(found.label)
        if not options.posterior_gradient:
            ctx.mark_non_differentiable(found.blank, found.label)
        return found.costs.to(cells.dtype), found.blank, found.label

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_costs: Tensor, *d_posteriors: Tensor) -> tuple[Tensor | None, ...]:
        cells, options = ctx.cells, ctx.options
        passed = ~(ctx.blank + ctx.label <= options.occupancy_eps)  # true where it is not a number
        weights = cells.of_utterances(-d_costs.to(cells.dtype))
        d_blank = weights * ctx.blank
        d_label = weights.mul_(ctx.label).mul_(1 + options.fastemit)
        if ctx.log_probs is not None:
            more = posterior_gradients(ctx.log_probs, d_posteriors, cells.num_frames, cells.num_columns)
            d_blank += cells.packed(more[0])
            d_label += cells.packed(more[1])
        for tile in cells.tiles(None if passed.all() else passed.nonzero().squeeze(1)):
            # What is kept stays as it is, for a second backward pass.
            logits = cells.logits(tile) if ctx.kept is None else [tile.of(kept).clone() for kept in ctx.kept]
            arcs = (tile.of(d_blank), tile.of(d_label))
            cells.accumulate(tile, _d_logits(ctx.outputs, tile, logits, tile.of(ctx.log_norm), arcs))
        flat = [gradient for head in cells.gradients() for gradient in head]
        return None, None, None, None, *(g.to(dtype) for g, dtype in zip(flat, ctx.dtypes, strict=True))


class _Outputs:
    """Which output of which head stands for blank and for the next label of a node."""

    def __init__(self, cells: LatticeCells, labels: Tensor) -> None:
        sizes = [head.num_outputs for head in cells.heads]
        self._ranges = [(start, start + size) for start, size in zip(accumulate([0, *sizes]), sizes, strict=False)]
        # (B * (U + 1),); blank in the last column of an utterance, which has no next label, and beyond.
        following = labels.new_full((labels.size(0), cells.heads[0].shapes[1][1]), BLANK)
        for b, num_columns in enumerate(cells.num_columns):
            following[b, : num_columns - 1] = labels[b, : num_columns - 1]
        self._following = following.flatten()

    def label_logits(self, tile: Tile, logits: list[Tensor]) -> Tensor:
        """Logits (R,) of the next labels."""
        found = torch.zeros_like(logits[0][:, 0])
        for values, (index, is_here) in zip(logits, self._of_labels(tile), strict=True):
            found = torch.where(is_here, values.gather(1, index).squeeze(1), found)
        return found

    def add(self, tile: Tile, d_logits: list[Tensor], d_blank: Tensor, d_label: Tensor) -> None:
        """Add values (R,) at the outputs of blank and of the next labels."""
        d_logits[0][:, BLANK] += d_blank
        for values, (index, is_here) in zip(d_logits, self._of_labels(tile), strict=True):
            values.scatter_add_(1, index, torch.where(is_here, d_label, 0.0).unsqueeze(1))

    def _of_labels(self, tile: Tile) -> Iterator[tuple[Tensor, Tensor]]:
        """For each head: the output of the next label (R, 1), anything where it is another head's, and where it is."""
        following = self._following.index_select(0, tile.columns)
        for start, stop in self._ranges:
            is_here = (following >= start) & (following < stop)
            yield (following - start).clamp_(0, stop - start - 1).unsqueeze(1), is_here


@dataclass(frozen=True, eq=False)
class _Arcs:
    """Of all packed nodes (N,): log probabilities of blank and the next label, normalisers; logits, if wanted."""

    log_blank: Tensor
    log_label: Tensor
    log_norm: Tensor
    kept: list[Tensor] | None


def _arcs(cells: LatticeCells, outputs: _Outputs, keep: bool) -> _Arcs:
    log_blank, log_label, log_norm = torch.empty(3, cells.num_nodes, dtype=cells.dtype, device=cells.device)
    kept = [log_blank.new_empty(cells.num_nodes, head.width) for head in cells.heads] if keep else None
    for tile in cells.tiles():
        logits = cells.logits(tile)
        norm = log_normalizer(logits)
        tile.of(log_norm).copy_(norm)
        torch.sub(logits[0][:, BLANK], norm, out=tile.of(log_blank))
        torch.sub(outputs.label_logits(tile, logits), norm, out=tile.of(log_label))
        for room, values in zip(kept or (), logits, strict=False):
            tile.of(room).copy_(values)
    return _Arcs(log_blank, log_label, log_norm, kept)


def _d_logits(
    outputs: _Outputs, tile: Tile, logits: list[Tensor], log_norm: Tensor, arcs: tuple[Tensor, Tensor]
) -> list[Tensor]:
    """Gradients of logits, in their place: each arc pulls its output up, the softmax holds against it."""
    d_blank, d_label = arcs
    total = -(d_blank + d_label).unsqueeze(1)
    d_logits = [values.sub_(log_norm.unsqueeze(1)).exp_().mul_(total) for values in logits]
    outputs.add(tile, d_logits, d_blank, d_label)
    return d_logits
