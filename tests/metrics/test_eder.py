"""EDER: the published check value, laws, and a sampling implementation as the oracle."""

from __future__ import annotations

from dataclasses import asdict
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ent.errors import ScoringError
from espnet_ent.frames import FrameGrid
from espnet_ent.metrics.eder import EderCounts, eder_counts, mean_rates
from espnet_ent.timeline import EmotionSegment, EmotionTimeline
from tests.metrics.oracles import sampled_eder, timelines


def _timeline(duration: float, *segments: tuple[float, float, str]) -> EmotionTimeline:
    return EmotionTimeline.from_segments([EmotionSegment(*s) for s in segments], duration, "neu")


def test_published_check_value(figures) -> None:
    hypothesis = EmotionTimeline.from_frames(
        ["neu", "neu", "neu", "ang", "ang", "ang"], FrameGrid(16000, 3200), 1.22, "neu"
    )
    rates = eder_counts(_timeline(1.22, (0.39, 1.1, "ang")), hypothesis).rates
    assert rates.eder == pytest.approx(0.2704918, abs=5e-8)
    assert rates.missed_emotion == pytest.approx(0.21 / 1.22)
    assert rates.false_alarm == pytest.approx(0.12 / 1.22)
    assert rates.confusion == rates.overlap == 0.0
    off = abs(rates.eder - 0.2704918)
    figures("Metrics", "EDER of the example that SpeechBrain documents is 0.2704918", examples=1, off_by=off)


@given(timelines(), timelines())
def test_equals_the_sampled_rates(reference: EmotionTimeline, hypothesis: EmotionTimeline) -> None:
    rates = asdict(eder_counts(reference, hypothesis).rates)
    assert rates == pytest.approx(sampled_eder(reference, hypothesis, 48), abs=1e-9)


@given(st.data(), st.floats(0.5, 20))
def test_close_to_the_sampled_rates_off_the_grid(data: st.DataObject, duration: float) -> None:
    cuts = st.lists(st.floats(0.01, 1.2), min_size=2, max_size=5, unique=True).map(sorted)
    sides = []
    for _ in range(2):
        times = [cut * duration for cut in data.draw(cuts)]
        pairs = pairwise(times)
        sides.append(_timeline(duration, *((a, b, "ang" if i % 2 else "sad") for i, (a, b) in enumerate(pairs))))
    rates = asdict(eder_counts(*sides).rates)
    assert rates == pytest.approx(sampled_eder(*sides, 2000), abs=12 / 2000)


@given(timelines(), timelines())
def test_parts_add_up_to_what_is_not_correct(reference: EmotionTimeline, hypothesis: EmotionTimeline) -> None:
    counts = eder_counts(reference, hypothesis)
    rates = counts.rates
    assert counts.duration == pytest.approx(reference.duration)
    assert rates.eder == pytest.approx(1 - counts.correct / reference.duration)
    parts = rates.false_alarm + rates.missed_emotion + rates.confusion + rates.overlap
    assert parts == pytest.approx(rates.eder)
    assert all(-1e-12 <= rate <= 1 + 1e-12 for rate in asdict(rates).values())


@given(timelines())
def test_a_timeline_has_no_errors_against_itself(timeline: EmotionTimeline) -> None:
    assert eder_counts(timeline, timeline).errors == 0.0


@given(timelines(), timelines())
def test_swapping_sides_swaps_false_alarms_and_misses(a: EmotionTimeline, b: EmotionTimeline) -> None:
    forth, back = eder_counts(a, b), eder_counts(b, a)
    assert back == EderCounts(forth.missed_emotion, forth.false_alarm, forth.confusion, forth.overlap, forth.correct)


@given(timelines(), timelines(), st.integers(1, 3))
def test_cutting_segments_changes_nothing(a: EmotionTimeline, b: EmotionTimeline, cells: int) -> None:
    step = 0.25 * cells
    pieces = []
    for segment in a.filled():
        start = segment.start
        while start < segment.end:
            pieces.append(EmotionSegment(start, min(start + step, segment.end), segment.label))
            start += step
    cut = EmotionTimeline(a.duration, tuple(pieces), a.neutral)  # not merged, neutral pieces included
    assert asdict(eder_counts(cut, b)) == pytest.approx(asdict(eder_counts(a, b)))


@given(timelines(), timelines(), st.floats(0.01, 100))
def test_rates_do_not_depend_on_the_unit_of_time(a: EmotionTimeline, b: EmotionTimeline, scale: float) -> None:
    def stretch(timeline: EmotionTimeline) -> EmotionTimeline:
        segments = [EmotionSegment(s.start * scale, s.end * scale, s.label) for s in timeline.segments]
        return EmotionTimeline.from_segments(segments, timeline.duration * scale, timeline.neutral)

    stretched = asdict(eder_counts(stretch(a), stretch(b)).rates)
    assert stretched == pytest.approx(asdict(eder_counts(a, b).rates), abs=1e-9)


def test_an_annotation_beyond_the_audio_is_clipped() -> None:
    counts = eder_counts(_timeline(2.0, (1.0, 9.0, "sad")), _timeline(2.0))
    assert (counts.missed_emotion, counts.correct) == (1.0, 1.0)


def test_no_emotion_on_either_side() -> None:
    assert eder_counts(_timeline(3.0), _timeline(3.0)) == EderCounts(0.0, 0.0, 0.0, 0.0, 3.0)


def test_different_emotions_are_confused_whatever_their_first_letter() -> None:
    counts = eder_counts(_timeline(1.0, (0, 1, "sad")), _timeline(1.0, (0, 1, "surprise")))
    assert counts.confusion == 1.0


def test_mean_over_utterances_is_not_duration_weighted() -> None:
    counts = [EderCounts(1.0, 0.0, 0.0, 0.0, 0.0), EderCounts(0.0, 0.0, 0.0, 0.0, 9.0)]
    assert mean_rates(counts).eder == mean_rates(counts).false_alarm == 0.5
    assert EderCounts.sum(counts).rates.eder == 0.1


def test_no_time_has_no_errors() -> None:
    assert EderCounts.zero().rates.eder == 0.0
    with pytest.raises(ScoringError, match="no utterance"):
        mean_rates([])


def test_durations_must_agree() -> None:
    with pytest.raises(ScoringError, match=r"utt7: timelines differ in duration; expected 2 s; got 1\.9 s"):
        eder_counts(_timeline(2.0), _timeline(1.9), where="utt7")


def test_neutral_labels_must_agree() -> None:
    with pytest.raises(ScoringError, match="neutral label"):
        eder_counts(_timeline(2.0), EmotionTimeline(2.0, (), "none"))
