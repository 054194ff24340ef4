"""Emotion scores against scikit-learn's own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, recall_score

from espnet_ent.metrics.classification import (
    class_recalls,
    confusion_matrix,
    macro_f1,
    unweighted_average_recall,
    weighted_accuracy,
)

CLASSES = st.integers(0, 3)
PAIRS = st.lists(st.tuples(CLASSES, CLASSES), min_size=1, max_size=30)


@given(PAIRS)
def test_scores_are_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    reference, hypothesis = zip(*pairs, strict=True)
    occurring = sorted(set(reference))
    confusion = confusion_matrix(reference, hypothesis, 4)
    options = {"labels": occurring, "average": "macro", "zero_division": 0}
    assert weighted_accuracy(confusion) == pytest.approx(accuracy_score(reference, hypothesis))
    assert unweighted_average_recall(confusion) == pytest.approx(recall_score(reference, hypothesis, **options))
    assert macro_f1(confusion) == pytest.approx(f1_score(reference, hypothesis, **options))


@given(PAIRS)
def test_confusion_counts_pairs(pairs: list[tuple[int, int]]) -> None:
    reference, hypothesis = zip(*pairs, strict=True)
    expected = np.zeros((4, 4), dtype=np.int64)
    for row, column in pairs:
        expected[row, column] += 1
    np.testing.assert_array_equal(confusion_matrix(reference, hypothesis, 4), expected)


@given(PAIRS, st.permutations(range(4)))
def test_renumbering_the_classes_changes_no_score(pairs: list[tuple[int, int]], order: list[int]) -> None:
    confusion = confusion_matrix(*zip(*pairs, strict=True), 4)
    renumbered = confusion[np.ix_(order, order)]
    for score in (weighted_accuracy, unweighted_average_recall, macro_f1):
        assert score(renumbered) == pytest.approx(score(confusion))


def test_a_class_without_reference_is_left_out() -> None:
    confusion = np.array([[4, 0, 0], [0, 0, 0], [0, 1, 1]])
    np.testing.assert_allclose(class_recalls(confusion), [1.0, np.nan, 0.5])
    assert unweighted_average_recall(confusion) == 0.75


def test_nothing_scored_is_nan() -> None:
    nothing = np.zeros((4, 4), dtype=np.int64)
    assert all(np.isnan(score(nothing)) for score in (weighted_accuracy, unweighted_average_recall, macro_f1))
