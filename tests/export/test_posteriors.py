"""Reading what a decoding writes, and one line where it is damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from espnet_ent.errors import DataError
from espnet_ent.export.decoded import write_decoded
from espnet_ent.export.posteriors import read_frame_grid, read_frame_posteriors, read_utterance_posteriors
from espnet_ent.frames import FrameGrid
from espnet_ent.labels import FOUR_EMOTIONS
from tests.export.test_decoded import PAIRS

GRID = FrameGrid(16000, 640)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "a [1:2], b" / "out"
    write_decoded(path, PAIRS, FOUR_EMOTIONS, {}, GRID)
    return path


def test_what_was_written_is_read_back(directory: Path) -> None:
    utterances, frames = read_utterance_posteriors(directory, 4), read_frame_posteriors(directory, 4)
    for name, transcript in PAIRS:
        np.testing.assert_allclose(utterances[name], transcript.posteriors, atol=1e-6)
        np.testing.assert_array_equal(frames[name], transcript.frame_posteriors)
    assert read_frame_grid(directory) == GRID


def test_a_decoding_that_is_not_told_its_grid_has_none(tmp_path: Path) -> None:
    write_decoded(tmp_path / "out", PAIRS, FOUR_EMOTIONS, {})
    with pytest.raises(DataError, match="frame_grid: file is missing; next: rerun stage 12"):
        read_frame_grid(tmp_path / "out")


@pytest.mark.parametrize(
    "line", ["utt1 0.5 0.5", "utt1 a b c d", "utt1", "utt1 0.5 0.5 0.5 0.5", "utt1 2 -1 0 0", "utt1 nan 0 0 1"]
)
def test_a_line_that_is_no_distribution_is_refused(directory: Path, line: str) -> None:
    (directory / "utt2emo_posteriors").write_text(line + "\n")
    with pytest.raises(DataError, match=r"utt2emo_posteriors: utt1: not probabilities of the emotions; expected 4 "):
        read_utterance_posteriors(directory, 4)


def test_damaged_matrices_are_refused(directory: Path) -> None:
    with pytest.raises(DataError, match=r"frame_posteriors.scp: utt1: not probabilities of the emotions; expected 3 "):
        read_frame_posteriors(directory, 3)
    ark = directory / "frame_posteriors.ark"
    ark.write_bytes(ark.read_bytes()[:-10])
    with pytest.raises(DataError, match=r"frame_posteriors.scp: utt2: matrix can't be read"):
        read_frame_posteriors(directory, 4)
    (directory / "frame_posteriors.scp").write_text("utt1 nowhere.ark:0\n")
    with pytest.raises(DataError, match=r"frame_posteriors.scp: utt1: matrix can't be read"):
        read_frame_posteriors(directory, 4)


@pytest.mark.parametrize("text", ["", "sample_rate 16000\n", "sample_rate 16000\nsamples_per_frame 0\n", "a 1\nb 2\n"])
def test_a_damaged_grid_is_refused(directory: Path, text: str) -> None:
    (directory / "frame_grid").write_text(text)
    with pytest.raises(DataError, match=r"frame_grid: not a grid of frames; expected sample_rate <number>"):
        read_frame_grid(directory)
