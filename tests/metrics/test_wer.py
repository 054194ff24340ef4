"""Word and character errors against a second implementation."""

from __future__ import annotations

import math
from itertools import pairwise

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ent.metrics.wer import ErrorCounts, character_errors, correct_words, word_errors
from tests.metrics.oracles import edit_distance

WORDS = st.lists(st.sampled_from(["A", "B", "CAB", "B'A"]), max_size=6).map(" ".join)
PAIRS = st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=5)


@given(PAIRS)
def test_counts_are_edit_distances(pairs: list[tuple[str, str]]) -> None:
    references, hypotheses = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    words, characters = word_errors(references, hypotheses), character_errors(references, hypotheses)
    for reference, hypothesis, word, character in zip(references, hypotheses, words, characters, strict=True):
        assert word.errors == edit_distance(reference.split(), hypothesis.split())
        assert character.errors == edit_distance(reference, hypothesis)
        assert word.reference_length == len(reference.split())
        assert character.reference_length == len(reference)
        assert word.insertions - word.deletions == len(hypothesis.split()) - len(reference.split())


@given(PAIRS)
def test_corpus_rate_is_jiwers(pairs: list[tuple[str, str]]) -> None:
    references, hypotheses = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    total = ErrorCounts.sum(word_errors(references, hypotheses))
    output = jiwer.process_words(references, hypotheses)
    assert (total.substitutions, total.deletions, total.insertions) == (
        output.substitutions,
        output.deletions,
        output.insertions,
    )
    if total.reference_length:
        assert total.rate == pytest.approx(output.wer)


@given(PAIRS)
def test_correct_words_are_those_of_an_alignment_with_the_fewest_errors(pairs: list[tuple[str, str]]) -> None:
    references, hypotheses = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    aligned = zip(references, hypotheses, correct_words(references, hypotheses), strict=True)
    for reference, hypothesis, places in aligned:
        expected, got = reference.split(), hypothesis.split()
        assert all(expected[i] == got[j] for i, j in places)
        # Between two correct words, as many errors as the longer stretch has words.
        edges = [(-1, -1), *places, (len(expected), len(got))]
        errors = [max(i - a, j - b) - 1 for (a, b), (i, j) in pairwise(edges)]
        assert min(errors) >= 0
        assert sum(errors) == edit_distance(expected, got)


def test_a_corpus_rate_is_not_a_mean_of_rates() -> None:
    counts = word_errors(["A", "B C D E F G H I J"], ["X", "B C D E F G H I J"])
    assert ErrorCounts.sum(counts).rate == pytest.approx(0.1)


def test_empty_hypothesis_is_all_deletions() -> None:
    assert word_errors(["GO HOME NOW"], [""]) == [ErrorCounts(0, 3, 0, 3)]
    assert character_errors(["GO ON"], [""]) == [ErrorCounts(0, 5, 0, 5)]


def test_empty_reference_is_all_insertions() -> None:
    assert word_errors([""], ["GO HOME"]) == [ErrorCounts(0, 0, 2, 0)]
    assert word_errors(["", "A"], ["GO", "A"]) == [ErrorCounts(0, 0, 1, 0), ErrorCounts(0, 0, 0, 1)]


def test_rate_without_reference() -> None:
    assert ErrorCounts.zero().rate == 0.0
    assert ErrorCounts(0, 0, 2, 0).rate == math.inf
    assert ErrorCounts.sum([]) == ErrorCounts.zero()


def test_no_utterances_no_counts() -> None:
    assert word_errors([], []) == []


def test_surplus_spaces_are_no_errors() -> None:
    assert character_errors([" GO  ON "], ["GO ON"])[0].errors == 0
    assert word_errors([" GO  ON "], ["GO\tON"])[0].errors == 0


def test_unequal_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="2 references for 1 hypotheses"):
        word_errors(["A", "B"], ["A"])
