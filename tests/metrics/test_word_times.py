"""Times and emotions of correct words, by hand and against naive second implementations."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ent.data.utterance import WordTime
from espnet_ent.metrics.word_times import TimeErrors, WordPair, emotion_of_word, pair_words, word_time_errors
from espnet_ent.timeline import EmotionSegment, EmotionTimeline
from tests.metrics.oracles import timelines


def words(text: str, *starts: float) -> list[WordTime]:
    return [WordTime(start, start + 0.25, word) for word, start in zip(text.split(), starts, strict=True)]


def test_correct_words_alone_are_paired() -> None:
    references = [words("OPEN THE DOOR", 0, 1, 2), [], words("GO", 0)]
    hypotheses = [words("OPEN A BIG DOOR", 0.5, 1, 2, 3), words("GO", 0), []]
    assert pair_words(references, hypotheses) == [
        WordPair(0, 0, 0, references[0][0], hypotheses[0][0]),
        WordPair(0, 2, 3, references[0][2], hypotheses[0][3]),
    ]
    assert pair_words([], []) == []


def test_a_tenth_of_a_second_is_within_a_tenth_of_a_second() -> None:
    """0.4 - 0.3 is a little more than 0.1 in binary."""
    pairs = pair_words([[WordTime(0.3, 0.5, "A"), WordTime(0.6, 0.7, "B")]], [[WordTime(0.4, 0.6, "A")]])
    assert word_time_errors(pairs).within_tolerance == 1.0
    pairs = pair_words([[WordTime(0.3, 0.5, "A")]], [[WordTime(0.3, 0.601, "A")]])
    assert word_time_errors(pairs).within_tolerance == 0.0


def test_without_a_correct_word_there_is_no_figure() -> None:
    errors = word_time_errors(pair_words([words("A", 0)], [words("B", 0)]))
    assert errors.num_correct == 0
    assert all(math.isnan(value) for value in (errors.start.median, errors.end.mean, errors.within_tolerance))


@st.composite
def spoken(draw: st.DrawFn) -> list[WordTime]:
    """Words of three letters of the alphabet, on a grid of 50 ms."""
    length = draw(st.integers(0, 5))
    edges = sorted(draw(st.lists(st.integers(0, 60), min_size=2 * length, max_size=2 * length)))
    said = [draw(st.sampled_from("ABC")) for _ in range(length)]
    return [WordTime(a / 20, b / 20, word) for a, b, word in zip(edges[::2], edges[1::2], said, strict=True)]


@given(st.lists(st.tuples(spoken(), spoken()), max_size=4))
def test_errors_are_those_of_a_loop_over_the_pairs(utterances: list[tuple[list[WordTime], list[WordTime]]]) -> None:
    references, hypotheses = [one for one, _ in utterances], [other for _, other in utterances]
    pairs = pair_words(references, hypotheses)
    for number, (reference, hypothesis) in enumerate(utterances):
        own = [pair for pair in pairs if pair.utterance == number]
        assert all(pair.reference.word == pair.hypothesis.word for pair in own)
        assert all(reference[pair.reference_index] is pair.reference for pair in own)
        assert all(hypothesis[pair.hypothesis_index] is pair.hypothesis for pair in own)
    errors = word_time_errors(pairs)
    starts = [abs(pair.reference.start - pair.hypothesis.start) for pair in pairs]
    ends = [abs(pair.reference.end - pair.hypothesis.end) for pair in pairs]
    assert errors.num_correct == len(pairs)
    if pairs:
        for measured, seconds in ((errors.start, starts), (errors.end, ends)):
            assert measured.median == pytest.approx(statistics.median(seconds))
            assert measured.mean == pytest.approx(statistics.fmean(seconds))
        within = [round(20 * start) <= 2 and round(20 * end) <= 2 for start, end in zip(starts, ends, strict=True)]
        assert errors.within_tolerance == pytest.approx(statistics.fmean(within))


@given(st.lists(spoken(), max_size=4))
def test_a_copy_has_no_error(references: list[list[WordTime]]) -> None:
    errors = word_time_errors(pair_words(references, references))
    assert errors.num_correct == sum(map(len, references))
    if errors.num_correct:
        assert errors.start == errors.end == TimeErrors(0.0, 0.0)
        assert errors.within_tolerance == 1.0


def test_the_emotion_that_covers_most_of_a_word() -> None:
    segments = [EmotionSegment(1.0, 2.0, "sad"), EmotionSegment(2.0, 3.0, "ang")]
    timeline = EmotionTimeline.from_segments(segments, 4.0, "neu")
    for start, end, emotion in (
        (0.0, 1.9, "neu"),
        (0.5, 1.75, "sad"),
        (1.75, 2.5, "ang"),
        (1.5, 2.5, "sad"),  # as much of either: the first
        (0.6, 3.6, "neu"),  # 0.4 s + 0.6 s, or a second of each: still the first
        (2.2, 2.2, "ang"),  # of a word without length, the instant's
        (4.5, 5.0, "neu"),  # after the end
    ):
        assert emotion_of_word(timeline, WordTime(start, end, "A")) == emotion


@given(timelines(), st.integers(0, 23), st.integers(1, 24))
def test_the_emotion_of_a_word_is_the_most_frequent_of_its_instants(
    timeline: EmotionTimeline, first: int, length: int
) -> None:
    last = min(first + length, 24)
    instants = [timeline.label_at(cell / 4 + 0.125) for cell in range(first, last)]
    # statistics.mode: of equally frequent ones the first
    assert emotion_of_word(timeline, WordTime(first / 4, last / 4, "A")) == statistics.mode(instants)
