"""The transducer loss straight from joint terms: no B x T x U x V tensor, gradients where the alignments go.

Forward: logits block by block; kept are two log probabilities a node, blank's and the next label's. Their gradients are
minus the posteriors of the arcs, so the backward pass computes again only nodes that alignments pass through.

Dimensions: B batch, T frames, U labels, V vocabulary with blank = 0, R nodes of a block.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from espnet_ent.losses.alignments import Alignments, alignments
from espnet_ent.losses.lattice_cells import Block, LatticeCells, Nodes
from espnet_ent.transducer.masks import BLANK
from espnet_ent.transducer.states import JointTerms

_MOSTLY = 0.7  # blocks of which so many nodes are passed are computed as a whole, without picking nodes
_KEPT_VOCABULARY = 64  # logits of a small vocabulary are kept: memory of V floats a node for a third of the time


@dataclass(frozen=True)
class FusedOptions:
    """How to compute.

    Attributes:
        occupancy_eps: Nodes that alignments pass through with at most this probability get no gradient; 0 is exact.
        fastemit: Weight of FastEmit regularisation (Yu et al., 2021): gradients of label arcs are raised by it.
        matmul_dtype: Half precision of the output layer's matrix products, or None.
    """

    occupancy_eps: float = 0.0
    fastemit: float = 0.0
    matmul_dtype: torch.dtype | None = None


def fused_costs(
    terms: Sequence[JointTerms], labels: Tensor, num_frames: list[int], num_columns: list[int], options: FusedOptions
) -> Tensor:
    """Costs (B,) in nats of checked inputs, differentiable in all tensors of ``terms``.

    Args:
        terms: Joint terms whose outputs, concatenated, are blank (0) and the labels.
        labels: (B, U), labels of the vocabulary; anything beyond the lengths.
        num_frames: Valid frames of each utterance.
        num_columns: Valid columns (labels + 1) of each utterance.
        options: How to compute.
    """
    tensors = [tensor for term in terms for tensor in (term.encoder, term.prediction, term.weight, term.bias)]
    with torch.autocast(tensors[0].device.type, enabled=False):
        return _FusedTransducer.apply(labels, num_frames, num_columns, options, *tensors)


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
        log_blank, log_label, _ = _arc_log_probs(cells, labels, keep=False)
        return alignments(log_blank, log_label, num_frames, num_columns)


class _FusedTransducer(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        labels: Tensor,
        num_frames: list[int],
        num_columns: list[int],
        options: FusedOptions,
        *tensors: Tensor,
    ) -> Tensor:
        terms = [JointTerms(*tensors[i : i + 4]) for i in range(0, len(tensors), 4)]
        cells = LatticeCells(terms, num_frames, num_columns, options.matmul_dtype)
        keep = any(ctx.needs_input_grad) and cells.num_outputs <= _KEPT_VOCABULARY
        log_blank, log_label, kept = _arc_log_probs(cells, labels, keep)
        found = alignments(log_blank, log_label, num_frames, num_columns)
        ctx.cells, ctx.labels, ctx.options, ctx.kept = cells, labels, options, kept
        ctx.dtypes = [tensor.dtype for tensor in tensors]
        ctx.arcs = (found.blank, found.label)
        return found.costs.to(cells.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_costs: Tensor) -> tuple[Tensor | None, ...]:
        cells, (blank, label) = ctx.cells, ctx.arcs
        passed = ~(blank + label <= ctx.options.occupancy_eps)  # true where it is not a number
        row = 0
        for block in cells.blocks():
            node = (block.utterance, slice(block.start, block.stop), slice(block.num_columns))
            rows = slice(row, row + block.num_rows)
            row += block.num_rows
            if passed[node].sum() < _MOSTLY * block.num_rows:
                continue
            passed[node] = False  # done here, as a whole
            hidden = cells.block_hidden(block)
            logits = cells.block_logits(block, hidden=hidden) if ctx.kept is None else ctx.kept[rows]
            arcs = (blank[node].flatten(), label[node].flatten())
            columns = _block_label_columns(cells, ctx.labels, block)
            d_logits = _d_logits(cells, ctx.options, logits, d_costs[block.utterance], arcs, columns)
            cells.accumulate_block(block, hidden, d_logits)
        b, t, u = passed.nonzero(as_tuple=True)
        packed = _first_rows(cells).to(b.device)[b] + t * torch.tensor(cells.num_columns, device=b.device)[b] + u
        for start in range(0, len(b), cells.rows_of_a_block):
            part = slice(start, start + cells.rows_of_a_block)
            nodes = Nodes(b[part], t[part], u[part])
            if ctx.kept is None:
                logits, hidden = cells.node_logits(nodes)
            else:
                logits, hidden = ctx.kept.index_select(0, packed[part]), cells.node_hidden(nodes)
            arcs = (blank[nodes.b, nodes.t, nodes.u], label[nodes.b, nodes.t, nodes.u])
            columns = _label_columns(cells, ctx.labels, nodes)
            d_logits = _d_logits(cells, ctx.options, logits, d_costs[nodes.b], arcs, columns)
            cells.accumulate(nodes, hidden, d_logits)
        flat = [gradient for head in cells.gradients() for gradient in head]
        return None, None, None, None, *(g.to(dtype) for g, dtype in zip(flat, ctx.dtypes, strict=True))


def _d_logits(
    cells: LatticeCells,
    options: FusedOptions,
    logits: Tensor,
    d_costs: Tensor,
    arcs: tuple[Tensor, Tensor],
    label_columns: Tensor,
) -> Tensor:
    """Gradients (R, width) of logits: each arc pulls its output up by its posterior, the softmax holds against it."""
    weights = d_costs.to(cells.dtype)
    d_blank = -weights * arcs[0]
    d_label = -weights * arcs[1] * (1 + options.fastemit)
    d_logits = torch.softmax(logits, dim=1).mul_(-(d_blank + d_label).unsqueeze(1))
    d_logits[:, cells.column_of_output[BLANK]] += d_blank
    return d_logits.scatter_add_(1, label_columns.unsqueeze(1), d_label.unsqueeze(1))


def _arc_log_probs(cells: LatticeCells, labels: Tensor, keep: bool) -> tuple[Tensor, Tensor, Tensor | None]:
    """Log probabilities (B, T, U + 1) of blank and of the next label, and if wanted the packed logits of all nodes."""
    batch_size, num_columns = len(cells.num_frames), max(cells.num_columns)
    shape = (batch_size, max(cells.num_frames), num_columns)
    log_blank = torch.zeros(shape, dtype=cells.dtype, device=labels.device)
    log_label = torch.zeros_like(log_blank)
    num_nodes = sum(f * c for f, c in zip(cells.num_frames, cells.num_columns, strict=True))
    kept = torch.empty(num_nodes, cells.width, dtype=cells.dtype, device=labels.device) if keep else None
    blank_column, row = cells.column_of_output[BLANK], 0
    for block in cells.blocks():
        room = None if kept is None else kept[row : row + block.num_rows]
        logits = cells.block_logits(block, room)
        row += block.num_rows
        log_norm = torch.logsumexp(logits, dim=1).view(-1, block.num_columns)
        logits = logits.view(-1, block.num_columns, cells.width)
        frames = (block.utterance, slice(block.start, block.stop))
        log_blank[frames][:, : block.num_columns] = logits[:, :, blank_column] - log_norm
        num_labels = block.num_columns - 1
        if num_labels:
            columns = cells.column_of_output[labels[block.utterance, :num_labels]]
            of_labels = logits[:, :num_labels].gather(2, columns.view(1, -1, 1).expand(len(logits), -1, 1)).squeeze(2)
            log_label[frames][:, :num_labels] = of_labels - log_norm[:, :num_labels]
    return log_blank, log_label, kept


def _first_rows(cells: LatticeCells) -> Tensor:
    """Row of each utterance's first node among the packed nodes (B,)."""
    sizes = [f * c for f, c in zip(cells.num_frames, cells.num_columns, strict=True)]
    return torch.tensor([0, *sizes[:-1]]).cumsum(0)


def _block_label_columns(cells: LatticeCells, labels: Tensor, block: Block) -> Tensor:
    """As :func:`_label_columns`, for all rows of a block."""
    following = torch.full((block.num_columns,), BLANK, device=labels.device)
    following[:-1] = labels[block.utterance, : block.num_columns - 1]
    return cells.column_of_output[following].repeat(block.stop - block.start)


def _label_columns(cells: LatticeCells, labels: Tensor, nodes: Nodes) -> Tensor:
    """Column of the next label of each node (R,); blank's in the last column of the lattice, which has no label."""
    if labels.size(1) == 0:
        return cells.column_of_output[BLANK].expand(len(nodes.b))
    num_labels = torch.tensor(cells.num_columns, device=labels.device)[nodes.b] - 1
    following = labels[nodes.b, nodes.u.clamp(max=labels.size(1) - 1)]
    return cells.column_of_output[torch.where(nodes.u < num_labels, following, BLANK).clamp(0)]
