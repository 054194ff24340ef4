"""Conversions between samples, frames and seconds agree with exact arithmetic."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from espnet_ent.frames import FrameGrid, samples_to_seconds, seconds_to_samples

RATES = st.sampled_from([8000, 16000, 22050, 44100, 48000])
COUNTS = st.integers(0, 10**9)
GRIDS = st.builds(FrameGrid, RATES, st.sampled_from([160, 320, 400, 640, 1280]))


@given(COUNTS, RATES)
def test_samples_to_seconds_and_back(num_samples: int, rate: int) -> None:
    assert seconds_to_samples(samples_to_seconds(num_samples, rate), rate) == num_samples


@given(st.fractions(0, 3600), RATES)
def test_the_nearest_sample(seconds: Fraction, rate: int) -> None:
    num_samples = seconds_to_samples(float(seconds), rate)
    assert abs(num_samples - seconds * rate) <= Fraction(1, 2) + Fraction(1, 1000)


def test_halves_round_up() -> None:
    assert [seconds_to_samples(seconds, 2) for seconds in (0.24, 0.25, 0.75)] == [0, 1, 2]


@given(GRIDS, st.integers(0, 10**6))
def test_a_frame_holds_its_start_and_what_follows(grid: FrameGrid, frame: int) -> None:
    start = grid.frame_start(frame)
    assert grid.frame_at(start) == frame
    assert grid.frame_at(start + 0.5 * grid.seconds_per_frame) == frame
    assert grid.frame_at(start + 0.999 * grid.seconds_per_frame) == frame
    assert grid.frame_start(frame + 1) > start


@given(GRIDS, st.integers(0, 10**6))
def test_the_centre_is_half_way(grid: FrameGrid, frame: int) -> None:
    exact = Fraction((2 * frame + 1) * grid.samples_per_frame, 2 * grid.sample_rate)
    assert grid.frame_centre(frame) == float(exact)
    assert grid.frame_at(grid.frame_centre(frame)) == frame


@given(GRIDS, st.integers(0, 10**6))
def test_frame_starts_are_exact(grid: FrameGrid, frame: int) -> None:
    exact = Fraction(frame * grid.samples_per_frame, grid.sample_rate)
    assert grid.frame_start(frame) == float(exact)
    assert grid.seconds_per_frame == float(Fraction(grid.samples_per_frame, grid.sample_rate))
