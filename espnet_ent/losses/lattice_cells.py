"""Nodes of a lattice, computed in blocks that fit the cache and never kept: the ground of all lattice losses.

A joint network's output at node (t, u) is ``tanh(e_t + p_u) W' + b``. With A = exp(2 e) and C = exp(2 p), computed once
a frame and once a column, tanh(e + p) = 1 - 2 / (1 + A C): a product and a reciprocal in place of a hyperbolic tangent
a node. The products overflow where the absolute value of e + p is large; then the tangent itself is computed.

Dimensions: B batch, T frames, U labels (the lattice has U + 1 columns), J joint size, K outputs of all heads, R rows
(nodes) of a block.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from espnet_ent.transducer.masks import padding_mask
from espnet_ent.transducer.states import JointTerms

_VALUES_OF_A_BLOCK = 1 << 19
_LANES = 16  # matrix products are about twice as fast where the width is a multiple of it
_LARGEST_SUM = {torch.float32: 40.0, torch.float64: 300.0}  # of |e| + |p|; exp(2 x) is finite far beyond


@dataclass(frozen=True, eq=False)
class Block:
    """Valid frames of one utterance with all of its columns; node (t, u) is row (t - start) * num_columns + u.

    Attributes:
        utterance: Position in the batch.
        start: First frame.
        stop: Frame after the last.
        num_columns: Valid columns of the utterance.
    """

    utterance: int
    start: int
    stop: int
    num_columns: int

    @property
    def num_rows(self) -> int:
        """R."""
        return (self.stop - self.start) * self.num_columns


@dataclass(frozen=True, eq=False)
class Nodes:
    """Any nodes of a batch, R of them: utterance, frame and column of each, int64 (R,)."""

    b: Tensor
    t: Tensor
    u: Tensor


class LatticeCells:
    """One or several joint networks whose outputs, in order, stand under one softmax.

    Nothing here is differentiated by autograd: :meth:`accumulate` does what a backward pass does.

    Args:
        heads: Joint terms; all of one lattice.
        num_frames: Valid frames of each utterance.
        num_columns: Valid columns of each utterance.
        matmul_dtype: ``torch.bfloat16`` or ``torch.float16`` for products of the output layer in half precision; sums
            and everything else stay in float32.
    """

    def __init__(
        self,
        heads: Sequence[JointTerms],
        num_frames: list[int],
        num_columns: list[int],
        matmul_dtype: torch.dtype | None = None,
    ) -> None:
        self.num_frames, self.num_columns = num_frames, num_columns
        self.heads = [_Head(terms, num_frames, num_columns, matmul_dtype) for terms in heads]
        starts = [0]
        for head in self.heads:
            starts.append(starts[-1] + head.width)
        self.width = starts[-1]
        self.slices = [slice(start, stop) for start, stop in itertools.pairwise(starts)]
        self.num_outputs = sum(head.num_outputs for head in self.heads)
        self.column_of_output = torch.cat(
            [torch.arange(head.num_outputs) + start for head, start in zip(self.heads, starts, strict=False)]
        ).to(self.heads[0].left.device)
        self.dtype = self.heads[0].left.dtype
        widest = max(self.width, *(head.joint_size for head in self.heads), 1)
        self.rows_of_a_block = max(1, _VALUES_OF_A_BLOCK // widest)

    def blocks(self) -> Iterator[Block]:
        """Blocks that hold each valid node once."""
        for b, (frames, columns) in enumerate(zip(self.num_frames, self.num_columns, strict=True)):
            step = max(1, self.rows_of_a_block // columns)
            for start in range(0, frames, step):
                yield Block(b, start, min(start + step, frames), columns)

    def block_hidden(self, block: Block) -> list[Tensor]:
        """Hidden values (R, J) of each head."""
        return [head.block_hidden(block) for head in self.heads]

    def block_logits(self, block: Block, out: Tensor | None = None, hidden: Sequence[Tensor] | None = None) -> Tensor:
        """Logits (R, width) of a block; columns that stand for no output are -inf."""
        out = self._room(block.num_rows) if out is None else out
        for k, (head, columns) in enumerate(zip(self.heads, self.slices, strict=True)):
            head.logits(head.block_hidden(block) if hidden is None else hidden[k], out[:, columns])
        return out

    def nodes_of(self, block: Block, kept: Tensor) -> Nodes:
        """The nodes of a block, in the order of its rows, for which ``kept`` (R,) is true."""
        device = self.heads[0].left.device
        t = torch.arange(block.start, block.stop, device=device).repeat_interleave(block.num_columns)
        u = torch.arange(block.num_columns, device=device).repeat(block.stop - block.start)
        t, u = t[kept], u[kept]
        return Nodes(torch.full_like(t, block.utterance), t, u)

    def node_logits(self, nodes: Nodes) -> tuple[Tensor, list[Tensor]]:
        """Logits (R, width) of some nodes, and the hidden values (R, J) of each head for :meth:`accumulate`."""
        out, hidden = self._room(len(nodes.b)), []
        for head, columns in zip(self.heads, self.slices, strict=True):
            hidden.append(head.node_hidden(nodes))
            head.logits(hidden[-1], out[:, columns])
        return out, hidden

    def node_hidden(self, nodes: Nodes) -> list[Tensor]:
        """Hidden values (R, J) of each head."""
        return [head.node_hidden(nodes) for head in self.heads]

    def accumulate(self, nodes: Nodes, hidden: list[Tensor], d_logits: Tensor) -> None:
        """Add the gradients of some nodes, given those of their logits (R, width)."""
        for head, values, columns in zip(self.heads, hidden, self.slices, strict=True):
            head.accumulate(nodes, values, d_logits[:, columns])

    def accumulate_block(self, block: Block, hidden: list[Tensor], d_logits: Tensor) -> None:
        """As :meth:`accumulate`, for all nodes of a block."""
        for head, values, columns in zip(self.heads, hidden, self.slices, strict=True):
            head.accumulate_block(block, values, d_logits[:, columns])

    def gradients(self) -> list[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """For each head the sums over all accumulated nodes: by encoder, prediction, weight and bias; starts anew."""
        return [head.gradients() for head in self.heads]

    def _room(self, num_rows: int) -> Tensor:
        return torch.empty(num_rows, self.width, dtype=self.dtype, device=self.heads[0].left.device)


class _Head:
    """One joint network. Hidden values are 1 / (1 + A C), or tanh where that could overflow."""

    def __init__(
        self, terms: JointTerms, num_frames: list[int], num_columns: list[int], matmul_dtype: torch.dtype | None
    ) -> None:
        dtype = torch.promote_types(terms.encoder.dtype, torch.float32)
        self.matmul_dtype = matmul_dtype
        left = _clean(terms.encoder, num_frames).to(dtype)
        right = _clean(terms.prediction, num_columns).to(dtype)
        self.num_outputs, self.joint_size = terms.weight.shape
        self.width = 1 if self.num_outputs == 1 else -(-self.num_outputs // _LANES) * _LANES
        weight = terms.weight.to(dtype)
        bias = weight.new_full((self.width,), -torch.inf)
        bias[: self.num_outputs] = terms.bias.to(dtype)
        padded = weight.new_zeros(self.width, self.joint_size)
        padded[: self.num_outputs] = weight
        self.weight = padded
        largest = left.abs().amax() + right.abs().amax()
        self.is_separable = bool(largest < _LARGEST_SUM[dtype]) and matmul_dtype is None
        if self.is_separable:
            self.left, self.right = left.mul_(2).exp_(), right.mul_(2).exp_()
            self.one = weight.new_ones(())
            # b + W (1 - 2 r) = (b + W 1) - 2 W r
            self.bias, self.projection = bias + padded.sum(dim=1), (-2 * padded).t().contiguous()
        else:
            self.left, self.right = left, right
            self.bias, self.projection = bias, padded.t().contiguous()
        self.sums: tuple[Tensor, Tensor, Tensor, Tensor] | None = None

    def block_hidden(self, block: Block) -> Tensor:
        left = self.left[block.utterance, block.start : block.stop].unsqueeze(1)
        right = self.right[block.utterance, : block.num_columns]
        if self.is_separable:
            return torch.addcmul(self.one, left, right).view(-1, self.joint_size).reciprocal_()
        return (left + right).view(-1, self.joint_size).tanh_()

    def node_hidden(self, nodes: Nodes) -> Tensor:
        left, right = self.left[nodes.b, nodes.t], self.right[nodes.b, nodes.u]
        if self.is_separable:
            return left.mul_(right).add_(1).reciprocal_()
        return left.add_(right).tanh_()

    def logits(self, hidden: Tensor, out: Tensor) -> None:
        if self.matmul_dtype is not None:
            out.copy_(_half_product(hidden, self.projection, self.matmul_dtype).add_(self.bias))
        elif self.width == 1:
            torch.addmv(self.bias.expand(len(hidden)), hidden, self.projection[:, 0], out=out[:, 0])
        else:
            torch.addmm(self.bias, hidden, self.projection, out=out)

    def accumulate(self, nodes: Nodes, hidden: Tensor, d_logits: Tensor) -> None:
        d_hidden, d_encoder, d_prediction = self._backward(hidden, d_logits)
        d_encoder.index_add_(0, nodes.b * self.left.size(1) + nodes.t, d_hidden)
        d_prediction.index_add_(0, nodes.b * self.right.size(1) + nodes.u, d_hidden)

    def accumulate_block(self, block: Block, hidden: Tensor, d_logits: Tensor) -> None:
        d_hidden, d_encoder, d_prediction = self._backward(hidden, d_logits)
        d_hidden = d_hidden.view(-1, block.num_columns, self.joint_size)
        first = block.utterance * self.left.size(1)
        d_encoder[first + block.start : first + block.stop] += d_hidden.sum(dim=1)
        first = block.utterance * self.right.size(1)
        d_prediction[first : first + block.num_columns] += d_hidden.sum(dim=0)

    def _backward(self, hidden: Tensor, d_logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Add to the sums of the output layer; gradients of e + p (R, J), and the sums by encoder and prediction."""
        if self.sums is None:
            self.sums = (
                torch.zeros_like(self.left).flatten(0, 1),
                torch.zeros_like(self.right).flatten(0, 1),
                torch.zeros_like(self.weight),
                torch.zeros_like(self.weight[:, 0]),
            )
        d_encoder, d_prediction, d_weight, d_bias = self.sums
        d_bias += d_logits.sum(dim=0)
        if self.matmul_dtype is None:
            d_weight.addmm_(d_logits.t(), hidden)
            d_hidden = d_logits @ self.weight
        else:
            d_weight += _half_product(d_logits.t(), hidden, self.matmul_dtype)
            d_hidden = _half_product(d_logits, self.weight, self.matmul_dtype)
        # tanh' is 4 r (1 - r), or 1 - tanh^2; the 4 comes in at the end.
        if self.is_separable:
            d_hidden.mul_(torch.addcmul(hidden, hidden, hidden, value=-1))
        else:
            d_hidden.mul_(torch.addcmul(hidden.new_ones(()), hidden, hidden, value=-1))
        return d_hidden, d_encoder, d_prediction

    def gradients(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        if self.sums is None:
            zeros = (self.left, self.right, self.weight[: self.num_outputs], self.bias[: self.num_outputs])
            return tuple(map(torch.zeros_like, zeros))
        d_encoder, d_prediction, d_weight, d_bias = self.sums
        d_weight, d_bias = d_weight[: self.num_outputs], d_bias[: self.num_outputs]
        if self.is_separable:
            d_encoder.mul_(4)
            d_prediction.mul_(4)
            d_weight = d_bias.unsqueeze(1) - 2 * d_weight
        self.sums = None
        return d_encoder.view_as(self.left), d_prediction.view_as(self.right), d_weight, d_bias


def _clean(values: Tensor, lengths: list[int]) -> Tensor:
    """Values (B, N, J) with zeros beyond the lengths, whatever is there."""
    mask = padding_mask(torch.tensor(lengths), values)
    return values.detach().masked_fill(mask.unsqueeze(-1), 0.0)  # a copy


def _half_product(left: Tensor, right: Tensor, dtype: torch.dtype) -> Tensor:
    """A matrix product of factors rounded to half precision, summed in float32."""
    left, right = left.to(dtype), right.to(dtype)
    if left.device.type == "cuda":
        return torch.mm(left, right, out_dtype=torch.float32)
    return torch.mm(left.float(), right.float())
