"""ECE, its bins, NLL and Brier score against loops written down from the definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ent.metrics.reliability import Bin, Reliability


def _naive_ece(probabilities: list[list[float]], labels: list[int], num_bins: int) -> float:
    total = 0.0
    for m in range(1, num_bins + 1):
        inside = []
        for row, label in zip(probabilities, labels, strict=True):
            if (m - 1) / num_bins < max(row) <= m / num_bins:
                inside.append((max(row), row.index(max(row)) == label))
        if inside:
            confidence = sum(top for top, _ in inside) / len(inside)
            accuracy = sum(right for _, right in inside) / len(inside)
            total += len(inside) / len(labels) * abs(accuracy - confidence)
    return total


@st.composite
def _samples(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    weights = draw(st.lists(st.lists(st.integers(1, 30), min_size=3, max_size=3), min_size=1, max_size=30))
    labels = draw(st.lists(st.integers(0, 2), min_size=len(weights), max_size=len(weights)))
    rows = np.array(weights, dtype=float)
    return rows / rows.sum(axis=1, keepdims=True), np.array(labels)


@given(_samples(), st.sampled_from([1, 5, 15]))
def test_scores_are_those_of_naive_loops(samples: tuple[np.ndarray, np.ndarray], num_bins: int) -> None:
    probabilities, labels = samples
    found = Reliability.measure(probabilities, labels, num_bins)
    assert found.ece == pytest.approx(_naive_ece(probabilities.tolist(), labels.tolist(), num_bins), abs=1e-12)
    assert 0 <= found.ece <= 1
    pairs = list(zip(probabilities.tolist(), labels.tolist(), strict=True))
    assert found.nll == pytest.approx(sum(-math.log(row[label]) for row, label in pairs) / len(pairs))
    squares = [sum((p - (k == label)) ** 2 for k, p in enumerate(row)) for row, label in pairs]
    assert found.brier == pytest.approx(sum(squares) / len(pairs))
    assert sum(one.count for one in found.bins) == len(labels)


def test_scores_of_four_samples_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.0, 1.0]])
    found = Reliability.measure(probabilities, np.array([0, 1, 1, 1]), num_bins=5)
    assert [one.count for one in found.bins] == [0, 0, 1, 0, 3]
    assert found.bins[0] == Bin(0, None, None)
    assert found.bins[4].confidence == pytest.approx(2.8 / 3)
    assert found.bins[4].accuracy == pytest.approx(2 / 3)
    assert found.bins[4].gap == pytest.approx(-0.8 / 3)
    assert found.ece == pytest.approx((0.4 + 0.8) / 4)
    assert found.brier == pytest.approx((0.02 + 2 * 0.81 + 2 * 0.16 + 0) / 4)
    assert found.nll == pytest.approx(-math.log(0.9 * 0.1 * 0.6) / 4)


def test_a_truth_of_probability_zero_costs_a_finite_price() -> None:
    assert Reliability.measure(np.array([[1.0, 0.0]]), np.array([1])).nll == pytest.approx(math.log(1e6))


def test_plain_values_and_back() -> None:
    found = Reliability.measure(np.array([[0.7, 0.3], [0.2, 0.8]]), np.array([0, 0]))
    values = found.to_dict()
    assert len(values["bins"]["count"]) == 15
    assert Reliability.from_dict(values) == found
