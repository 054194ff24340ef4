"""Emotion intervals on both axes, against spelling out the emotion of every sample and token."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ent.data.emo_intervals import emotion_intervals, parse_segments, parse_words
from espnet_ent.data.tokens import SPACE, CharTokenizer
from espnet_ent.data.utterance import WordSpan
from espnet_ent.errors import DataError, LabelError
from espnet_ent.labels import FOUR_EMOTIONS
from espnet_ent.timeline import EmotionSegment

RATE = 1000
NEUTRAL = FOUR_EMOTIONS.neutral_index
PARTS = st.lists(
    st.tuples(
        st.sampled_from(FOUR_EMOTIONS.names),
        st.integers(1, 9),
        st.lists(st.text("AB", min_size=1, max_size=3), min_size=1, max_size=3),
    ),
    min_size=1,
    max_size=5,
)
"""Emotion, milliseconds x 10 and words of the parts of an utterance."""


def spell_out(parts: list, tokens: list[str]) -> tuple[list[int], list[int]]:
    """Emotion of each sample and token; a space between parts goes to the neutral side, else to the first."""
    samples = [FOUR_EMOTIONS.index(label) for label, length, _ in parts for _ in range(10 * length)]
    of_tokens: list[int] = []
    for number, (label, _, words) in enumerate(parts):
        emotion = FOUR_EMOTIONS.index(label)
        if number:
            of_tokens.append(NEUTRAL if NEUTRAL in (emotion, of_tokens[-1]) else of_tokens[-1])
        of_tokens += [emotion] * len(CharTokenizer().text2tokens(" ".join(words)))
    assert len(of_tokens) == len(tokens)
    return samples, of_tokens


def merged(parts: list) -> list:
    """Neighbours of one emotion are one part."""
    whole = []
    for label, group in itertools.groupby(parts, key=lambda part: part[0]):
        members = list(group)
        words = [word for _, _, words in members for word in words]
        whole.append((label, sum(length for _, length, _ in members), words))
    return whole


@given(PARTS)
def test_every_sample_and_token_has_the_emotion_of_its_part(parts: list) -> None:
    parts = merged(parts)
    tokens = CharTokenizer().text2tokens(" ".join(word for _, _, words in parts for word in words))
    starts = list(itertools.accumulate((10 * length for _, length, _ in parts), initial=0))
    first = list(itertools.accumulate((len(words) for _, _, words in parts), initial=0))
    labels = [label for label, _, _ in parts]
    segments = [
        EmotionSegment(a / RATE, b / RATE, label)
        for label, (a, b) in zip(labels, itertools.pairwise(starts), strict=True)
        if label != "neu"
    ]
    spans = [
        WordSpan(a, b - 1, label)
        for label, (a, b) in zip(labels, itertools.pairwise(first), strict=True)
        if label != "neu"
    ]
    rows = emotion_intervals(segments, spans, tokens, FOUR_EMOTIONS, starts[-1], RATE)
    assert rows.dtype == np.int64
    of_samples, of_tokens = spell_out(parts, tokens)
    found_samples = [int(rows[rows[:, 0] <= position][-1, 2]) for position in range(starts[-1])]
    found_tokens = [int(rows[rows[:, 1] <= position][-1, 2]) for position in range(len(tokens))]
    assert found_samples == of_samples
    assert found_tokens == of_tokens


def rows(segments: list, spans: list | None, text: str, seconds: float = 1.0) -> list[list[int]]:
    return emotion_intervals(
        [EmotionSegment(*s) for s in segments],
        None if spans is None else [WordSpan(*s) for s in spans],
        CharTokenizer().text2tokens(text),
        FOUR_EMOTIONS,
        round(seconds * RATE),
        RATE,
    ).tolist()


def test_an_utterance_without_emotion_is_one_neutral_interval() -> None:
    assert rows([], [], "A B") == [[0, 0, NEUTRAL]]
    assert rows([], None, "") == [[0, 0, NEUTRAL]]


def test_without_spans_all_tokens_are_in_the_first_interval() -> None:
    assert rows([(0.2, 0.5, "ang")], None, "AB C") == [[0, 0, NEUTRAL], [200, 4, 1], [500, 4, NEUTRAL]]


def test_a_stretch_without_words_holds_no_token() -> None:
    assert rows([(0.2, 0.5, "ang")], [], "AB C") == [[0, 0, NEUTRAL], [200, 4, 1], [500, 4, NEUTRAL]]
    assert rows([(0.2, 1.0, "ang")], [(0, 1, "ang")], "AB C") == [[0, 0, NEUTRAL], [200, 0, 1]]
    assert rows([(0.2, 0.5, "ang")], [(1, 1, "ang")], "AB C") == [[0, 0, NEUTRAL], [200, 3, 1], [500, 4, NEUTRAL]]


def test_an_end_that_was_rounded_to_four_decimals_is_the_end() -> None:
    segment = [EmotionSegment(0.0, 1.0313, "hap")]  # of 16501 samples: 1.0313125 s
    found = emotion_intervals(segment, [WordSpan(0, 0, "hap")], ["A"], FOUR_EMOTIONS, 16501, 16000)
    assert found.tolist() == [[0, 0, 0]]


def test_sentencepiece_units_start_words_themselves() -> None:
    tokens = ["▁A", "B", "▁", "C", "▁D"]
    found = emotion_intervals(
        [EmotionSegment(0.3, 0.6, "sad")], [WordSpan(1, 1, "sad")], tokens, FOUR_EMOTIONS, 1000, RATE
    )
    assert found.tolist() == [[0, 0, NEUTRAL], [300, 2, 2], [600, 4, NEUTRAL]]


@pytest.mark.parametrize(
    ("segments", "spans", "complaint"),
    [
        ([(0.2, 0.5, "ang")], [(1, 2, "ang")], "emotional words outside the text"),
        ([(0.2, 0.5, "ang")], [(1, 0, "ang")], "emotional words outside the text"),
        ([(0.2, 0.5, "ang"), (0.4, 0.6, "hap")], [], "overlap"),
        ([(0.0, 0.5, "ang"), (0.5, 1.0, "hap")], [(0, 1, "ang"), (1, 1, "hap")], "overlap"),
        ([(0.2, 0.5, "ang")], [(1, 1, "hap")], "do not follow"),
    ],
)
def test_intervals_that_do_not_fit(segments: list, spans: list, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        rows(segments, spans, "AB C")


def test_unknown_emotion() -> None:
    with pytest.raises(LabelError, match="bored"):
        rows([(0.2, 0.5, "bored")], [], "AB C")


def test_one_line_forms() -> None:
    assert parse_segments("0.1000 0.5000 hap 1 2.5 ang") == [
        EmotionSegment(0.1, 0.5, "hap"),
        EmotionSegment(1, 2.5, "ang"),
    ]
    assert parse_words("0 3 sad") == [WordSpan(0, 3, "sad")]
    assert parse_segments("none") == parse_words("none") == []


@pytest.mark.parametrize("line", ["", "0.1 0.5", "0.1 x hap", "0.1 0.5 hap 2"])
def test_malformed_one_line_forms(line: str) -> None:
    with pytest.raises(DataError, match="u1: malformed line"):
        parse_segments(line, where="u1")
    with pytest.raises(DataError, match="u1: malformed line"):
        parse_words(line, where="u1")


def test_a_space_is_no_word() -> None:
    assert rows([(0, 0.5, "ang")], [(0, 0, "ang")], "AB C")[1] == [500, 2, NEUTRAL]
    assert CharTokenizer().text2tokens("AB C")[2] == SPACE
