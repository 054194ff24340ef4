"""Intervals on the lattice, against loops over frames and columns."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from espnet_ent.emotion.intervals import LatticeIntervals
from espnet_ent.errors import LossInputError
from espnet_ent.frames import FrameGrid

GRID = FrameGrid(16000, 640)
ROWS = st.lists(
    st.tuples(st.integers(1, 5000), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=4
)  # steps in samples and tokens, emotion


def batch_of(utterances: list[list[tuple[int, int, int]]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of utterances from their steps, padded with -1."""
    widest = max(len(steps) for steps in utterances)
    rows = torch.full((len(utterances), widest, 3), -1)
    for b, steps in enumerate(utterances):
        sample = token = 0
        for k, (samples, tokens, emotion) in enumerate(steps):
            rows[b, k] = torch.tensor([sample, token, emotion])
            sample, token = sample + samples, token + tokens
    return rows, torch.tensor([len(steps) for steps in utterances])


@given(
    st.lists(ROWS, min_size=1, max_size=3),
    st.lists(st.integers(1, 30), min_size=3, max_size=3),
    st.lists(st.integers(0, 12), min_size=3, max_size=3),
    st.sampled_from(["later", "diagonal"]),
)
def test_against_loops(utterances: list, frames: list[int], labels: list[int], mixing_nodes: str) -> None:
    rows, num_rows = batch_of(utterances)
    enc_lengths, label_lengths = torch.tensor(frames[: len(rows)]), torch.tensor(labels[: len(rows)])
    found = LatticeIntervals.from_rows(rows, num_rows, enc_lengths, label_lengths, GRID)
    of_nodes = found.of_nodes(slice(None), mixing_nodes)
    assert found.of_frame.shape == (len(rows), max(enc_lengths))
    assert found.of_column.shape == (len(rows), max(label_lengths) + 1)
    for b in range(len(rows)):
        starts = rows[b, : num_rows[b]].tolist()
        for t in range(int(enc_lengths.max())):
            middle = (t + 0.5) * GRID.samples_per_frame
            in_time = max(k for k, (sample, _, _) in enumerate(starts) if sample <= middle)
            valid = t < enc_lengths[b]
            assert found.of_frame[b, t] == (in_time if valid else -1)
            assert found.frame_emotions[b, t] == (starts[in_time][2] if valid else -1)
            for u in range(int(label_lengths.max()) + 1):
                in_words = max(k for k, (_, token, _) in enumerate(starts) if token <= u - 1) if u else 0
                inside = valid and u <= label_lengths[b]
                assert found.of_column[b, u] == (in_words if u <= label_lengths[b] else -1)
                expected = max(in_time, in_words)
                if mixing_nodes == "diagonal" and in_time != in_words:
                    expected = -1
                assert of_nodes[b, t, u] == (expected if inside else -1)


def test_rows_that_do_not_start_at_the_beginning_are_refused() -> None:
    lengths = torch.tensor([3])
    for rows, number in ((torch.tensor([[[5, 0, 1]]]), 1), (torch.tensor([[[0, 0, 1]]]), 0)):
        with pytest.raises(LossInputError, match="do not start at the beginning"):
            LatticeIntervals.from_rows(rows, torch.tensor([number]), lengths, lengths, GRID)
