"""Cross entropy at many nodes of a lattice without a B x T x U x J or B x T x U x K tensor.

Dimensions: B batch, T frames, U labels (the lattice has U + 1 columns), J joint size, K outputs, R nodes of a block.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from espnet_ent.losses.lattice_cells import LatticeCells
from espnet_ent.transducer.states import JointTerms


def node_costs(
    terms: JointTerms, targets: Tensor, weights: Tensor, num_frames: list[int], num_columns: list[int]
) -> Tensor:
    """Sum of ``weight x -log p(target)`` over the nodes of each utterance.

    Nodes are computed in blocks, and again in the backward pass.

    Args:
        terms: Joint terms of B utterances.
        targets: (B, T, U + 1) int64, outputs; anything in 0..K-1 where the weight is 0.
        weights: (B, T, U + 1), no gradient.
        num_frames: Valid frames of each utterance; what lies beyond is not read.
        num_columns: Valid columns of each utterance.

    Returns:
        (B,) in nats, differentiable in all tensors of ``terms``.
    """
    tensors = (terms.encoder, terms.prediction, terms.weight, terms.bias)
    with torch.autocast(terms.encoder.device.type, enabled=False):
        return _NodeCosts.apply(targets, weights, num_frames, num_columns, *tensors)


class _NodeCosts(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, targets: Tensor, weights: Tensor, num_frames: list[int], num_columns: list[int], *tensors: Tensor
    ) -> Tensor:
        cells = LatticeCells([JointTerms(*tensors)], num_frames, num_columns)
        ctx.cells, ctx.targets, ctx.weights = cells, targets, weights
        ctx.dtypes = [tensor.dtype for tensor in tensors]
        costs = weights.new_zeros(len(num_frames), dtype=torch.float64)
        for block in cells.blocks():
            logits = cells.block_logits(block)
            node = (block.utterance, slice(block.start, block.stop), slice(block.num_columns))
            chosen = logits.gather(1, targets[node].reshape(-1, 1)).squeeze(1)
            entropies = torch.logsumexp(logits, dim=1) - chosen
            weight = weights[node].flatten()
            # A weight of 0 leaves a node out, even one that is not finite.
            entropies = torch.where(weight == 0, 0.0, entropies)
            costs[block.utterance] += torch.dot(entropies.double(), weight.double())
        return costs.to(cells.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_costs: Tensor) -> tuple[Tensor | None, ...]:
        cells = ctx.cells
        for block in cells.blocks():
            node = (block.utterance, slice(block.start, block.stop), slice(block.num_columns))
            weight = (ctx.weights[node].flatten() * d_costs[block.utterance]).to(cells.dtype)
            kept = weight != 0
            if not kept.any():
                continue
            nodes, targets = cells.nodes_of(block, kept), ctx.targets[node].reshape(-1, 1)[kept]
            logits, hidden = cells.node_logits(nodes)
            d_logits = torch.softmax(logits, dim=1).scatter_add_(
                1, targets, logits.new_full((), -1.0).expand(targets.shape)
            )
            cells.accumulate(nodes, hidden, d_logits.mul_(weight[kept].unsqueeze(1)))
        (flat,) = cells.gradients()
        return None, None, None, None, *(g.to(dtype) for g, dtype in zip(flat, ctx.dtypes, strict=True))
