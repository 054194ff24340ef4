"""Cross entropy at many nodes of a lattice without a B x T x U x J or B x T x U x K tensor.

Dimensions: B batch, T frames, U labels (the lattice has U + 1 columns), J joint size, K outputs, R nodes of a tile.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from espnet_ent.losses.lattice_cells import LatticeCells, log_normalizer
from espnet_ent.transducer.states import JointTerms


def node_costs(
    terms: JointTerms, targets: Tensor, weights: Tensor, num_frames: list[int], num_columns: list[int]
) -> Tensor:
    """Sum of ``weight x -log p(target)`` over the nodes of each utterance.

    Nodes are computed in tiles, and again in the backward pass.

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
        ctx.cells, ctx.targets, ctx.weights = cells, cells.packed(targets), cells.packed(weights)
        ctx.dtypes = [tensor.dtype for tensor in tensors]
        entropies = torch.empty(cells.num_nodes, dtype=cells.dtype, device=cells.device)
        for tile in cells.tiles():
            (logits,) = cells.logits(tile)
            chosen = logits.gather(1, tile.of(ctx.targets).unsqueeze(1)).squeeze(1)
            torch.sub(log_normalizer([logits]), chosen, out=tile.of(entropies))
        # A weight of 0 leaves a node out, even one that is not finite.
        costs = torch.where(ctx.weights == 0, 0.0, entropies.double() * ctx.weights.double())
        return torch.stack([part.sum() for part in cells.by_utterance(costs)]).to(cells.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_costs: Tensor) -> tuple[Tensor | None, ...]:
        cells = ctx.cells
        weights = (ctx.weights * cells.of_utterances(d_costs)).to(cells.dtype)
        for tile in cells.tiles(weights.nonzero().squeeze(1)):
            (logits,) = cells.logits(tile)
            targets = tile.of(ctx.targets).unsqueeze(1)
            d_logits = torch.softmax(logits, dim=1).scatter_add_(
                1, targets, logits.new_full((), -1.0).expand(targets.shape)
            )
            cells.accumulate(tile, [d_logits.mul_(tile.of(weights).unsqueeze(1))])
        (flat,) = cells.gradients()
        return None, None, None, None, *(g.to(dtype) for g, dtype in zip(flat, ctx.dtypes, strict=True))
