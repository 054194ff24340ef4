"""Emotion intervals on the lattice: which frame and which column lies in which interval."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from espnet_ent.errors import LossInputError
from espnet_ent.frames import FrameGrid

PADDING = -1


@dataclass(frozen=True, eq=False)
class LatticeIntervals:
    """Intervals of a batch, counted from 0 in each utterance.

    Dimensions: B batch, T encoder frames, U labels, K intervals of the utterance that has most.

    Attributes:
        of_frame: (B, T) int64, interval of each frame; -1 beyond the utterance.
        of_column: (B, U + 1) int64, interval of each column; -1 beyond the utterance. Column u is in the interval of
            label u, the last that it has seen; column 0 in the first.
        emotions: (B, K) int64, class index of each interval; -1 where an utterance has fewer.
    """

    of_frame: Tensor
    of_column: Tensor
    emotions: Tensor

    @classmethod
    def from_rows(
        cls, rows: Tensor, num_rows: Tensor, enc_lengths: Tensor, label_lengths: Tensor, grid: FrameGrid
    ) -> LatticeIntervals:
        """Lay intervals on the lattice. A frame is in the interval that holds its middle.

        Args:
            rows: (B, K, 3) int64 ``(first sample, first token, emotion)``; anything beyond ``num_rows``.
            num_rows: (B,) number of intervals, 1 or more.
            enc_lengths: (B,) valid frames.
            label_lengths: (B,) valid labels.
            grid: Time grid of the frames.

        Raises:
            LossInputError: If an utterance has no interval, or the first does not start at 0.
        """
        valid = torch.arange(rows.size(1), device=rows.device) < num_rows.unsqueeze(1)
        if (num_rows < 1).any() or (rows[:, 0, 0] != 0).any():
            raise LossInputError("emotion intervals do not start at the beginning of the utterance")
        width = grid.samples_per_frame
        frames = torch.div(2 * rows[..., 0] + width - 1, 2 * width, rounding_mode="floor")
        of_frame = _interval_at(int(enc_lengths.max()), frames, valid, enc_lengths)
        of_label = _interval_at(int(label_lengths.max()), rows[..., 1], valid, label_lengths)
        first = of_label.new_zeros(len(rows), 1)
        return cls(of_frame, torch.cat((first, of_label), dim=1), rows[..., 2].masked_fill(~valid, PADDING))

    @property
    def frame_emotions(self) -> Tensor:
        """(B, T) int64, class index at each frame; -1 beyond the utterance."""
        return _look_up(self.emotions, self.of_frame)

    @property
    def column_emotions(self) -> Tensor:
        """(B, U + 1) int64, class index at each column; -1 beyond the utterance."""
        return _look_up(self.emotions, self.of_column)

    @property
    def frame_wise(self) -> LatticeIntervals:
        """The same intervals on a lattice of a single column, which is in the first."""
        return LatticeIntervals(self.of_frame, self.of_column[:, :1], self.emotions)

    def of_nodes(self, frames: slice, mixing_nodes: str) -> Tensor:
        """Interval (B, frames, U + 1) of each node; -1 where a node belongs to none.

        Args:
            frames: Which frames.
            mixing_nodes: ``later``: a node belongs to the later of its frame's and its column's interval;
                ``diagonal``: it belongs to an interval only if both do.
        """
        of_frame, of_column = self.of_frame[:, frames].unsqueeze(2), self.of_column.unsqueeze(1)
        inside = (of_frame >= 0) & (of_column >= 0)
        if mixing_nodes == "diagonal":
            inside = inside & (of_frame == of_column)
        return torch.maximum(of_frame, of_column).masked_fill(~inside, PADDING)


def _look_up(emotions: Tensor, intervals: Tensor) -> Tensor:
    return emotions.gather(1, intervals.clamp(min=0)).masked_fill(intervals < 0, PADDING)


def _interval_at(size: int, starts: Tensor, valid: Tensor, lengths: Tensor) -> Tensor:
    """Interval (B, size) at each position: the last that starts there or before."""
    positions = torch.arange(size, device=starts.device)
    begun = (starts.unsqueeze(2) <= positions) & valid.unsqueeze(2)
    interval = begun.sum(dim=1) - 1  # starts are sorted
    return interval.masked_fill(positions >= lengths.to(starts.device).unsqueeze(1), PADDING)
