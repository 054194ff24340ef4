"""Layout in time: nothing lost, nothing overlapping."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ent.data.transcript import Word
from espnet_ent.export.spans import CueLimits, emotion_spans, subtitle_cues, whole_milliseconds, words_apart
from tests.export.transcripts import ALL, EMPTY, WITHOUT_TIMELINE, WORDS_ALONE, sample


@st.composite
def spoken(draw: st.DrawFn) -> tuple[list[Word], float]:
    """Words on a grid, several of which may begin at once, some at the end of the recording."""
    num_frames = draw(st.integers(1, 12))
    starts = sorted(draw(st.lists(st.integers(0, num_frames), max_size=8)))
    duration = 0.04 * num_frames
    lengths = draw(st.lists(st.integers(0, 5), min_size=len(starts), max_size=len(starts)))
    emotions = draw(st.lists(st.sampled_from(["hap", "ang", None]), min_size=len(starts), max_size=len(starts)))
    words = [
        Word(min(duration, 0.04 * s), min(duration, 0.04 * (s + n)), f"W{i}", 0.5, e)
        for i, (s, n, e) in enumerate(zip(starts, lengths, emotions, strict=True))
    ]
    return words, duration


@given(spoken())
def test_words_apart_are_the_same_words_in_order_and_none_overlap(case: tuple[list[Word], float]) -> None:
    words, duration = case
    apart = words_apart(words, duration)
    assert [word.word for word in apart] == [word.word for word in words]
    position = 0.0
    for word in apart:
        assert position <= word.start < word.end <= duration
        position = word.end


@given(spoken())
def test_words_that_do_not_overlap_stay_as_they_are(case: tuple[list[Word], float]) -> None:
    words, duration = case
    once = words_apart(words, duration)
    assert words_apart(once, duration) == once


@given(spoken())
def test_cues_hold_all_words_within_their_limits(case: tuple[list[Word], float]) -> None:
    words, duration = case
    limits = CueLimits(seconds=0.2, characters=8, pause=0.05)
    item = sample(words=tuple(words), duration=duration)
    cues = subtitle_cues(item.transcript, limits)
    assert " ".join(cue.text for cue in cues).split() == [word.word for word in words]
    for cue in cues:
        one_word = " " not in cue.text
        assert one_word or (cue.end - cue.start <= limits.seconds and len(cue.text) <= limits.characters)
    assert all(first.end <= second.start for first, second in pairwise(cues))


@given(st.lists(st.floats(0, 100), max_size=10).map(sorted))
def test_milliseconds_are_in_order_and_last_at_least_one(edges: list[float]) -> None:
    found = whole_milliseconds(pairwise(edges))
    position = 0
    for (start, end), exact in zip(found, edges, strict=False):
        assert position <= start < end
        assert start - 1000 * exact <= 0.5 + len(edges)
        position = end


def test_spans_have_the_mean_probability_of_their_frames_and_the_words_that_begin_in_them() -> None:
    neutral, angry = emotion_spans(sample().transcript)
    assert (neutral.emotion, neutral.text, neutral.start, neutral.end) == ("neu", "GO", 0.0, 0.25)
    assert (angry.emotion, angry.text, angry.start, angry.end) == ("ang", '"R&B" NOW<', 0.25, 1.125)
    assert neutral.probability == pytest.approx(0.7)
    assert angry.probability == pytest.approx((0.75 + 0.5 + 1.0) / 3)


def test_without_a_timeline_the_emotion_of_the_utterance_is_everywhere() -> None:
    (span,) = emotion_spans(WITHOUT_TIMELINE.transcript)
    assert (span.start, span.end, span.emotion) == (0.0, 1.125, "ang")
    assert span.probability == pytest.approx(0.8)
    (span,) = emotion_spans(WORDS_ALONE.transcript)
    assert (span.emotion, span.probability) == (None, None)
    assert emotion_spans(EMPTY.transcript) == []


@pytest.mark.parametrize("item", ALL, ids=lambda item: item.name)
def test_spans_cover_the_recording(item) -> None:
    spans = emotion_spans(item.transcript)
    edges = [edge for span in spans for edge in (span.start, span.end)]
    assert edges[1:-1:2] == edges[2::2]
    assert sum(span.end - span.start for span in spans) == pytest.approx(item.transcript.duration)
