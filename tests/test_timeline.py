"""Timelines against a naive second implementation: one label for each instant of a fine raster."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ent.errors import DataError
from espnet_ent.frames import FrameGrid
from espnet_ent.timeline import EmotionSegment, EmotionTimeline

LABELS = ("hap", "ang", "neu")
STEP = 0.25  # exact in binary, so the raster has no rounding errors


@st.composite
def rasters(draw: st.DrawFn) -> list[str]:
    """A label for each step of an utterance."""
    return draw(st.lists(st.sampled_from(LABELS), min_size=1, max_size=24))


def segments_of(raster: list[str]) -> list[EmotionSegment]:
    """One segment a step, neutral ones included."""
    return [EmotionSegment(i * STEP, (i + 1) * STEP, label) for i, label in enumerate(raster)]


def timeline_of(raster: list[str]) -> EmotionTimeline:
    return EmotionTimeline.from_segments(segments_of(raster), len(raster) * STEP, "neu")


def read_raster(timeline: EmotionTimeline) -> list[str]:
    return [timeline.label_at((i + 0.5) * STEP) for i in range(round(timeline.duration / STEP))]


@given(rasters(), st.randoms())
def test_segments_say_the_same_in_any_order(raster: list[str], random) -> None:
    shuffled = segments_of(raster)
    random.shuffle(shuffled)
    timeline = EmotionTimeline.from_segments(shuffled, len(raster) * STEP, "neu")
    assert read_raster(timeline) == raster
    assert timeline == timeline_of(raster)


@given(rasters())
def test_the_form_is_canonical(raster: list[str]) -> None:
    timeline = timeline_of(raster)
    assert all(segment.label != "neu" for segment in timeline.segments)
    for before, after in pairwise(timeline.segments):
        assert before.end <= after.start
        assert before.end < after.start or before.label != after.label
    again = EmotionTimeline.from_segments(timeline.segments, timeline.duration, "neu")
    assert again == timeline


@given(rasters())
def test_filled_segments_cover_everything_once(raster: list[str]) -> None:
    timeline = timeline_of(raster)
    filled = list(timeline.filled())
    assert filled[0].start == 0
    assert filled[-1].end == timeline.duration
    assert all(a.end == b.start and a.label != b.label for a, b in pairwise(filled))
    assert sum(segment.duration for segment in filled) == timeline.duration


@given(rasters(), st.integers(1, 24))
def test_clipping_keeps_what_is_inside(raster: list[str], num_steps: int) -> None:
    num_steps = min(num_steps, len(raster))
    clipped = EmotionTimeline.from_segments(segments_of(raster), num_steps * STEP, "neu")
    assert read_raster(clipped) == raster[:num_steps]


@given(rasters(), st.floats(-0.1, 0.2))
def test_frames_and_segments_agree_and_the_last_frame_extends_to_the_end(raster: list[str], rest: float) -> None:
    grid = FrameGrid(sample_rate=16, samples_per_frame=4)  # a frame a step
    duration = len(raster) * STEP + rest
    timeline = EmotionTimeline.from_frames(raster, grid, duration, "neu")
    for i, label in enumerate(raster):
        assert timeline.label_at(i * STEP + 0.1) == label
    assert timeline.label_at(duration - 1e-6) == raster[-1]
    assert timeline.duration == duration


def test_no_frames_are_all_neutral() -> None:
    timeline = EmotionTimeline.from_frames([], FrameGrid(16000, 320), 0.01, "neu")
    assert timeline == EmotionTimeline(0.01, (), "neu")
    assert timeline.dominant() == "neu"


@given(rasters())
def test_dominant_is_the_emotion_with_most_time(raster: list[str]) -> None:
    counts = {label: raster.count(label) for label in set(raster) - {"neu"}}
    dominant = timeline_of(raster).dominant()
    if counts:
        assert counts[dominant] == max(counts.values())
    else:
        assert dominant == "neu"


@pytest.mark.parametrize("label", LABELS)
def test_uniform(label: str) -> None:
    timeline = EmotionTimeline.uniform(label, 2.5, "neu")
    assert [(s.start, s.end, s.label) for s in timeline.filled()] == [(0.0, 2.5, label)]
    assert timeline.dominant() == label


@pytest.mark.parametrize(("start", "end"), [(1.0, 1.0), (2.0, 1.0), (-0.5, 1.0), (float("nan"), 1.0)])
def test_impossible_segments(start: float, end: float) -> None:
    with pytest.raises(DataError, match="empty, reversed or starts before 0"):
        EmotionSegment(start, end, "ang")


def test_overlap_is_refused_and_named() -> None:
    segments = [EmotionSegment(0, 1, "ang"), EmotionSegment(0.9, 2, "sad")]
    with pytest.raises(DataError, match=r"^utt1: emotion segments overlap; .* at least 1 s; got 0.9 s \(sad\)$"):
        EmotionTimeline.from_segments(segments, 3, "neu", where="utt1")


def test_a_segment_inside_an_earlier_one_is_an_overlap() -> None:
    segments = [EmotionSegment(0, 4, "ang"), EmotionSegment(1, 2, "sad"), EmotionSegment(3, 3.5, "sad")]
    with pytest.raises(DataError, match="overlap"):
        EmotionTimeline.from_segments(segments, 5, "neu")


def test_duration_must_be_positive() -> None:
    with pytest.raises(DataError, match="duration must be positive"):
        EmotionTimeline.from_segments([], 0, "neu")
