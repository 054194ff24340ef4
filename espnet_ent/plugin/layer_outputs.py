"""The output of every layer of an ESPnet encoder.

Dimensions: B batch, T encoder frames, D output size, K blocks of a contextual encoder, S frames of such a block.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


class LayerOutputs:
    """Runs an ESPnet encoder and keeps what its layers give.

    Layers are numbered from 1. Conformer, E-Branchformer, Branchformer, Transformer and the contextual-block encoders:
    one layer a block. RNN with projections: one layer a projected recurrent layer, at the frames that the last layer
    keeps; RNN without: the last layer alone.

    Args:
        encoder: ESPnet encoder; it is not changed.
        through_norm: Bring each block's output through the encoder's final norm, as the encoder does with the last.
            Without it, blocks that normalise first give sums that grow from layer to layer. No effect on encoders
            without a final norm.
    """

    def __init__(self, encoder: nn.Module, through_norm: bool = True) -> None:
        self.encoder = encoder
        self._norm: nn.Module | None = None
        self._points: list[nn.Module] = []
        self._rates: list[int] = []
        if hasattr(encoder, "encoders"):
            self._points = list(encoder.encoders)
            if through_norm and getattr(encoder, "normalize_before", True):
                self._norm = encoder.after_norm
        elif getattr(encoder, "use_projection", False):
            rnn = encoder.enc[0]
            self._points = [getattr(rnn, f"bt{number}") for number in range(rnn.elayers)]
            self._rates = [math.prod(int(n) for n in rnn.subsample[number + 2 :]) for number in range(rnn.elayers)]

    def __len__(self) -> int:
        """The number of layers."""
        return max(1, len(self._points))

    def __call__(self, feats: Tensor, lengths: Tensor) -> tuple[list[Tensor], Tensor]:
        """Layers, each (B, T, D), and the number of valid frames (B,).

        Args:
            feats: (B, frames, bins).
            lengths: (B,).
        """
        seen: list[Tensor] = []
        handles = [point.register_forward_hook(_keep_in(seen)) for point in self._points]
        try:
            h, lengths, _ = self.encoder(feats, lengths)
        finally:
            for handle in handles:
                handle.remove()
        if isinstance(h, tuple):  # with the layers of an intermediate CTC loss
            h = h[0]
        if not seen:
            return [h], lengths
        if self._rates:
            return [*(self._of_rnn(*layer, h) for layer in zip(seen[:-1], self._rates, strict=False)), h], lengths
        layers = [self._of_block(y, h.size(1)) for y in seen]
        return layers, lengths

    def _of_rnn(self, projected: Tensor, rate: int, h: Tensor) -> Tensor:
        """A recurrent layer (B * frames, D) at the frames of the last one."""
        layer = torch.tanh(projected.view(len(h), -1, projected.size(-1)))
        return layer[:, ::rate][:, : h.size(1)]

    def _of_block(self, y: Tensor, num_frames: int) -> Tensor:
        if y.dim() == 4:
            y = join_blocks(y, num_frames, self.encoder.block_size, self.encoder.hop_size, self.encoder.look_ahead)
        return y if self._norm is None else self._norm(y)


def _keep_in(seen: list[Tensor]) -> Callable[[nn.Module, Any, Any], None]:
    def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
        while isinstance(output, tuple):  # (x, mask) or ((x, positions), mask)
            output = output[0]
        seen.append(output)

    return hook


def join_blocks(y: Tensor, num_frames: int, block_size: int, hop_size: int, look_ahead: int) -> Tensor:
    """Overlapping blocks of a contextual encoder as one row of frames (B, T, D).

    Of each block the ``hop_size`` frames before its ``look_ahead`` are used; of the first all before, of the last all
    after.

    Args:
        y: (B, K, S + 2, D), blocks with a context state at both ends; K of 2 or more.
        num_frames: T.
        block_size: S.
        hop_size: Frames from a block to the next.
        look_ahead: Frames that a block sees for the next one's sake.
    """
    first_end = block_size - look_ahead
    start = first_end - hop_size + 1
    middle = y[:, 1:-1, start : start + hop_size].flatten(1, 2)
    num_left = num_frames - first_end - middle.size(1)
    return torch.cat([y[:, 0, 1 : first_end + 1], middle, y[:, -1, start : start + num_left]], dim=1)
