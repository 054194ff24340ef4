"""Nodes of a lattice, computed in tiles that fit the cache and never kept: the ground of all lattice losses.

A joint network's output at node (t, u) is ``tanh(e_t + p_u) W' + b``. With A = exp(2 e) and C = exp(2 p), computed once
a frame and once a column, tanh(e + p) = 1 - 2 r with r = 1 / (1 + A C): a product and a reciprocal in place of a
hyperbolic tangent a node. The products overflow where the absolute value of e + p is large; then the tangent itself is
computed, as on other devices than the CPU or without numba.

Valid nodes are packed: those of the first utterance, frame by frame, then those of the next.

Dimensions: B batch, T frames, U labels (the lattice has U + 1 columns), J joint size, K outputs of one network, N valid
nodes of the batch, R nodes of a tile.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType

import torch
from torch import Tensor

from espnet_ent.transducer.masks import padding_mask
from espnet_ent.transducer.products import half_product, product
from espnet_ent.transducer.states import JointTerms

_VALUES_OF_A_TILE = {"cpu": 1 << 19, "cuda": 1 << 24}
_ROWS_OF_A_TILE = 512  # or more
_FEWEST_ROWS = 16
_LANES = 16  # matrix products are about twice as fast where the width is a multiple of it
_LARGEST_SUM = {torch.float32: 40.0, torch.float64: 300.0}  # of |e| + |p|; exp(2 x) is finite far beyond


@dataclass(frozen=True, eq=False)
class Tile:
    """Some nodes of a batch.

    Attributes:
        packed: Which of the packed nodes: a slice, or int64 (R,).
        frames: int32 (R,), row of each node's frame in (B * T, ...).
        columns: int32 (R,), row of each node's column in (B * (U + 1), ...).
    """

    packed: slice | Tensor
    frames: Tensor
    columns: Tensor

    @property
    def num_nodes(self) -> int:
        """R."""
        return len(self.frames)

    @property
    def num_rows(self) -> int:
        """R rounded up: matrix products meet few shapes this way."""
        return max(_FEWEST_ROWS, 1 << (self.num_nodes - 1).bit_length())

    def of(self, values: Tensor) -> Tensor:
        """The tile's part of values (N, ...) of packed nodes."""
        return values[self.packed] if isinstance(self.packed, slice) else values.index_select(0, self.packed)


class LatticeCells:
    """One or several joint networks over one lattice.

    Nothing here is differentiated by autograd: :meth:`accumulate` does what a backward pass does.

    Args:
        heads: Joint terms.
        num_frames: Valid frames of each utterance.
        num_columns: Valid columns of each utterance.
        matmul_dtype: ``torch.bfloat16`` or ``torch.float16`` for products of the output layer in half precision; sums
            and everything else stay in float32.

    Attributes:
        frames: int32 (N,), row of each packed node's frame in (B * T, ...).
        columns: int32 (N,), row of its column in (B * (U + 1), ...).
    """

    def __init__(
        self,
        heads: Sequence[JointTerms],
        num_frames: list[int],
        num_columns: list[int],
        matmul_dtype: torch.dtype | None = None,
    ) -> None:
        self.num_frames, self.num_columns = num_frames, num_columns
        self._sizes = [f * c for f, c in zip(num_frames, num_columns, strict=True)]
        self.frames, self.columns = _packed_rows(heads[0], num_frames, num_columns)
        self.heads = [_Head(terms, num_frames, num_columns, matmul_dtype) for terms in heads]
        self.num_outputs = sum(head.num_outputs for head in self.heads)
        self.dtype, self.device = self.heads[0].left.dtype, self.heads[0].left.device
        widest = max(max(head.width, head.joint_size) for head in self.heads)
        self.rows_of_a_tile = _rows_of_a_tile(self.device.type, widest)

    @property
    def num_nodes(self) -> int:
        """N."""
        return len(self.frames)

    def tiles(self, selected: Tensor | None = None) -> Iterator[Tile]:
        """Tiles that hold each packed node once, or each of the selected ones, int64 (N' <= N,), in order."""
        if selected is None:
            for start in range(0, self.num_nodes, self.rows_of_a_tile):
                part = slice(start, min(start + self.rows_of_a_tile, self.num_nodes))
                yield Tile(part, self.frames[part], self.columns[part])
        else:
            for part in selected.split(self.rows_of_a_tile) if len(selected) else ():
                yield Tile(part, self.frames.index_select(0, part), self.columns.index_select(0, part))

    def packed(self, values: Tensor) -> Tensor:
        """Values (N, ...) of the packed nodes, given (B, T, U + 1, ...)."""
        pairs = zip(self.num_frames, self.num_columns, strict=True)
        return torch.cat([values[b, :f, :c].flatten(0, 1) for b, (f, c) in enumerate(pairs)])

    def spread(self, values: Tensor) -> Tensor:
        """(B, T, U + 1), zero in the padding, given values (N,) of the packed nodes."""
        spread = values.new_zeros(len(self.num_frames), max(self.num_frames), max(self.num_columns))
        for b, part in enumerate(self.by_utterance(values)):
            spread[b, : self.num_frames[b], : self.num_columns[b]] = part.view(self.num_frames[b], -1)
        return spread

    def by_utterance(self, values: Tensor) -> tuple[Tensor, ...]:
        """The parts of values (N, ...) of packed nodes that are each utterance's."""
        return values.split(self._sizes)

    def of_utterances(self, values: Tensor) -> Tensor:
        """Values (N,) of the packed nodes, given those of utterances (B,)."""
        return values.repeat_interleave(torch.tensor(self._sizes, device=values.device))

    def logits(self, tile: Tile) -> list[Tensor]:
        """Logits (R, width >= K) of each head; those beyond K are -inf."""
        return [head.logits(tile) for head in self.heads]

    def accumulate(self, tile: Tile, d_logits: Sequence[Tensor]) -> None:
        """Add the gradients of a tile, given those of the logits (R, width) of each head."""
        for head, values in zip(self.heads, d_logits, strict=True):
            head.accumulate(tile, values)

    def gradients(self) -> list[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """For each head the sums over all accumulated nodes: by encoder, prediction, weight and bias; starts anew."""
        return [head.gradients() for head in self.heads]


def log_normalizer(logits: Sequence[Tensor]) -> Tensor:
    """Logarithm (R,) of the sum of the exponentials of all logits, each (R, ...); infinite ones may give NaN."""
    return functools.reduce(torch.logaddexp, map(_logsumexp, logits))


def _logsumexp(logits: Tensor) -> Tensor:
    if logits.size(1) == 1:
        return logits[:, 0]
    largest = logits.amax(dim=1, keepdim=True)
    return (logits - largest).exp_().sum(dim=1).log_().add_(largest[:, 0])


class _Head:
    """One joint network. Hidden values are r = 1 / (1 + A C), or tanh where that could overflow."""

    def __init__(
        self, terms: JointTerms, num_frames: list[int], num_columns: list[int], matmul_dtype: torch.dtype | None
    ) -> None:
        dtype = torch.promote_types(terms.encoder.dtype, torch.float32)
        self.matmul_dtype = matmul_dtype
        left = _clean(terms.encoder, num_frames).to(dtype)
        right = _clean(terms.prediction, num_columns).to(dtype)
        self.shapes = left.shape, right.shape
        self.num_outputs, self.joint_size = terms.weight.shape
        self.width = 1 if self.num_outputs == 1 else -(-self.num_outputs // _LANES) * _LANES
        self.weight = left.new_zeros(self.width, self.joint_size)
        self.weight[: self.num_outputs] = terms.weight
        self.bias = left.new_full((self.width,), -torch.inf)
        self.bias[: self.num_outputs] = terms.bias
        largest = left.abs().amax() + right.abs().amax()
        self.kernel = _kernel() if left.device.type == "cpu" else None
        self.is_separable = bool(largest < _LARGEST_SUM[dtype]) and matmul_dtype is None
        if self.is_separable:
            left, right = left.mul_(2).exp_(), right.mul_(2).exp_()
            # b + W (1 - 2 r) = (b + W 1) - 2 W r
            self.bias, self.projection = self.bias + self.weight.sum(dim=1), -2 * self.weight
        else:
            self.kernel, self.projection = None, self.weight
        self.left, self.right = left.flatten(0, 1), right.flatten(0, 1)
        self.transposed = self.weight.t().contiguous()
        self.sums: tuple[Tensor, Tensor, Tensor, Tensor] | None = None

    def logits(self, tile: Tile) -> Tensor:
        if self.kernel is not None and self.width == 1:
            out = self.left.new_empty(tile.num_nodes)
            self.kernel.one_output(*self._arrays(tile), self.projection[0].numpy(), out.numpy())
            return out.add_(self.bias).unsqueeze(1)
        return self._product(self._hidden(tile), self.projection, self.bias)[: tile.num_nodes]

    def accumulate(self, tile: Tile, d_logits: Tensor) -> None:
        if self.sums is None:
            zeros = (self.left, self.right, self.weight, self.weight[:, 0])
            self.sums = tuple(torch.zeros_like(values) for values in zeros)
        d_left, d_right, d_weight, d_bias = self.sums
        d_bias += d_logits.sum(dim=0)
        if self.kernel is not None and self.width == 1:
            sums = (d_left.numpy(), d_right.numpy(), d_weight[0].numpy())
            d_out = d_logits[:, 0].contiguous().numpy()
            self.kernel.add_gradients_of_one_output(*self._arrays(tile), self.weight[0].numpy(), d_out, *sums)
            return
        hidden = self._hidden(tile)
        num_missing = len(hidden) - tile.num_nodes
        d_rows = torch.nn.functional.pad(d_logits, (0, 0, 0, num_missing)) if num_missing else d_logits
        d_weight += self._product(d_rows.t(), hidden.t())
        d_hidden = self._product(d_rows, self.transposed)
        if self.kernel is not None:
            _, _, frames, columns, one = self._arrays(tile)
            sums = (d_left.numpy(), d_right.numpy())
            self.kernel.add_gradients(d_hidden.numpy(), hidden.numpy(), frames, columns, one, *sums)
            return
        # tanh' is 4 r (1 - r), or 1 - tanh^2; the 4 comes in at the end.
        first = hidden if self.is_separable else hidden.new_ones(())
        d_hidden = d_hidden.mul_(torch.addcmul(first, hidden, hidden, value=-1))[: tile.num_nodes]
        d_left.index_add_(0, tile.frames, d_hidden)
        d_right.index_add_(0, tile.columns, d_hidden)

    def gradients(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        shape_left, shape_right = self.shapes
        if self.sums is None:
            zeros = (self.left, self.right, self.weight, self.weight[:, 0])
            d_left, d_right, d_weight, d_bias = (torch.zeros_like(values) for values in zeros)
        else:
            d_left, d_right, d_weight, d_bias = self.sums
        d_weight, d_bias = d_weight[: self.num_outputs], d_bias[: self.num_outputs]
        if self.is_separable:
            d_left.mul_(4)
            d_right.mul_(4)
            d_weight = d_bias.unsqueeze(1) - 2 * d_weight
        self.sums = None
        return d_left.view(shape_left), d_right.view(shape_right), d_weight, d_bias

    def _hidden(self, tile: Tile) -> Tensor:
        """Hidden values (R rounded up, J); those of no node are zero."""
        hidden = self.left.new_empty(tile.num_rows, self.joint_size)
        if tile.num_nodes < tile.num_rows:
            hidden[tile.num_nodes :] = 0
        if self.kernel is not None:
            self.kernel.hidden(*self._arrays(tile), hidden.numpy())
            return hidden
        nodes = hidden[: tile.num_nodes]
        torch.index_select(self.left, 0, tile.frames, out=nodes)
        right = self.right.index_select(0, tile.columns)
        if self.is_separable:
            nodes.mul_(right).add_(1).reciprocal_()
        else:
            nodes.add_(right).tanh_()
        return hidden

    def _arrays(self, tile: Tile) -> tuple:
        """What all compiled loops begin with: states, rows of the nodes, and 1."""
        left, right = self.left.numpy(), self.right.numpy()
        return left, right, tile.frames.numpy(), tile.columns.numpy(), left.dtype.type(1)

    def _product(self, left: Tensor, right: Tensor, bias: Tensor | None = None) -> Tensor:
        if self.matmul_dtype is None:
            return product(left, right, bias)
        return half_product(left, right, self.matmul_dtype, bias)


def _rows_of_a_tile(device_type: str, widest: int) -> int:
    """A power of two, given the larger of J and K."""
    fitting = _VALUES_OF_A_TILE.get(device_type, _VALUES_OF_A_TILE["cuda"]) // widest
    return max(_ROWS_OF_A_TILE, 1 << max(fitting, 1).bit_length() - 1)


@functools.cache
def _kernel() -> ModuleType | None:
    try:
        from espnet_ent.losses import cell_kernel
    except ImportError:
        return None
    return cell_kernel


def _packed_rows(terms: JointTerms, num_frames: list[int], num_columns: list[int]) -> tuple[Tensor, Tensor]:
    """Rows of frames and of columns of the packed nodes, each int32 (N,)."""
    _, width, num_all_columns, _ = terms.lattice_shape
    device = terms.encoder.device
    frames, columns = [], []
    for b, (t, c) in enumerate(zip(num_frames, num_columns, strict=True)):
        of_frames = torch.arange(b * width, b * width + t, dtype=torch.int32, device=device)
        of_columns = torch.arange(b * num_all_columns, b * num_all_columns + c, dtype=torch.int32, device=device)
        frames.append(of_frames.repeat_interleave(c))
        columns.append(of_columns.repeat(t))
    return torch.cat(frames), torch.cat(columns)


def _clean(values: Tensor, lengths: list[int]) -> Tensor:
    """Values (B, N, J) with zeros beyond the lengths, whatever is there."""
    mask = padding_mask(torch.tensor(lengths), values)
    return values.detach().masked_fill(mask.unsqueeze(-1), 0.0)  # a copy
