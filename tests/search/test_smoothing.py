"""Smoothing against brute force and by its laws."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet_ent.errors import ConfigError
from espnet_ent.search.smoothing import Smoothing


def posteriors_of(seed: int, num_frames: int, num_emotions: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(num_emotions), num_frames).astype(np.float32)


def runs(labels: np.ndarray) -> list[int]:
    return [len(list(group)) for _, group in itertools.groupby(labels.tolist())]


@pytest.mark.parametrize("self_loop", [0.34, 0.7, 0.99])
@pytest.mark.parametrize("seed", range(6))
def test_viterbi_finds_the_best_of_all_sequences(seed, self_loop) -> None:
    posteriors = posteriors_of(seed, 6)

    def score(labels: tuple[int, ...]) -> float:
        emitted = sum(math.log(posteriors[t, label]) for t, label in enumerate(labels))
        stays = sum(a == b for a, b in itertools.pairwise(labels))
        return emitted + stays * math.log(self_loop) + (len(labels) - 1 - stays) * math.log((1 - self_loop) / 2)

    found = tuple(Smoothing("viterbi", self_loop=self_loop).labels(posteriors).tolist())
    assert score(found) == pytest.approx(max(map(score, itertools.product(range(3), repeat=6))))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 999), st.integers(1, 60), st.integers(1, 12))
def test_no_segment_is_shorter_than_asked_for(seed, num_frames, shortest) -> None:
    labels = Smoothing("min_duration", frames=shortest).labels(posteriors_of(seed, num_frames))
    assert len(labels) == num_frames
    assert min(runs(labels)) >= min(shortest, num_frames)


def test_a_short_segment_goes_to_the_neighbour_that_is_more_probable_there() -> None:
    posteriors = np.array([[0.9, 0.05, 0.05]] * 4 + [[0.1, 0.5, 0.4]] + [[0.05, 0.05, 0.9]] * 4, dtype=np.float32)
    assert Smoothing("min_duration", frames=2).labels(posteriors).tolist() == [0] * 4 + [2] * 5


def test_the_median_takes_out_single_frames() -> None:
    posteriors = np.tile(np.array([0.8, 0.1, 0.1], np.float32), (9, 1))
    posteriors[4] = [0.1, 0.8, 0.1]
    assert Smoothing().labels(posteriors).tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 0]
    assert Smoothing("median", frames=3).labels(posteriors).tolist() == [0] * 9


@pytest.mark.parametrize("kind", ["none", "median", "min_duration", "viterbi"])
def test_one_frame_and_sure_frames_stay_as_they_are(kind) -> None:
    assert Smoothing(kind, frames=1, self_loop=0.5).labels(posteriors_of(0, 1)).tolist() == [
        int(posteriors_of(0, 1).argmax())
    ]
    sure = np.eye(3, dtype=np.float32)[np.repeat([0, 2, 1], 20)]
    assert Smoothing(kind, frames=5, self_loop=0.9).labels(sure).tolist() == sure.argmax(1).tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "mean"}, r"unknown smoothing; expected none \| median \| min_duration \| viterbi; got 'mean'"),
        ({"kind": "median", "frames": 4}, "smoothing_frames out of range; expected an odd number; got 4"),
        ({"frames": 0}, "smoothing_frames out of range; expected 1 or more; got 0"),
        ({"self_loop": 1.0}, "self_loop out of range"),
    ],
)
def test_options_that_make_no_sense(options, message) -> None:
    with pytest.raises(ConfigError, match=message):
        Smoothing(**options)
