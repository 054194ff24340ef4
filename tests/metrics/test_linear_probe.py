"""The linear probe."""

from __future__ import annotations

import numpy as np
import pytest

from espnet_ent.errors import DataError
from espnet_ent.metrics.linear_probe import STRENGTHS, fit_probe


def clusters(num, distance, seed=0, size=12):
    """Two classes around points ``distance`` apart; the first one is four times as frequent."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(num) % 5 == 0).astype(int)
    rows = rng.standard_normal((num, size))
    rows[:, 0] += distance * labels
    return 100 + 50 * rows, labels  # standardised inside


def test_it_finds_what_is_there_and_nothing_where_there_is_nothing():
    test = clusters(400, 6.0, seed=2)
    probe = fit_probe(clusters(200, 6.0), clusters(200, 6.0, seed=1), 2)
    assert np.mean(probe.predict(test[0]) == test[1]) > 0.97
    assert probe.dev_ua > 0.97
    blind = fit_probe(clusters(200, 0.0), clusters(2000, 0.0, seed=1), 2)
    assert blind.dev_ua == pytest.approx(0.5, abs=0.06)


def test_rare_classes_count_as_much_as_frequent_ones():
    test = clusters(2000, 1.5, seed=2)
    predicted = fit_probe(clusters(1000, 1.5), clusters(1000, 1.5, seed=1), 2).predict(test[0])
    recalls = [np.mean(predicted[test[1] == label] == label) for label in (0, 1)]
    assert abs(recalls[0] - recalls[1]) < 0.08


def test_the_development_set_chooses_the_regularisation_and_the_smallest_of_equals():
    easy = fit_probe(clusters(200, 60.0), clusters(200, 60.0, seed=1), 2)
    assert (easy.dev_ua, easy.strength) == (1.0, STRENGTHS[0])
    noisy = fit_probe(clusters(40, 1.5, size=60), clusters(2000, 1.5, seed=1, size=60), 2)
    every = [fit_with(strength) for strength in STRENGTHS]
    assert noisy.dev_ua == max(every)
    assert noisy.strength == STRENGTHS[int(np.argmax(every))]


def fit_with(strength):
    """UA of a second implementation with one strength."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import balanced_accuracy_score

    (rows, labels), (dev, expected) = clusters(40, 1.5, size=60), clusters(2000, 1.5, seed=1, size=60)
    mean, sd = rows.mean(axis=0), rows.std(axis=0)
    model = LogisticRegression(C=strength, max_iter=1000, class_weight="balanced").fit((rows - mean) / sd, labels)
    return balanced_accuracy_score(expected, model.predict((dev - mean) / sd))


def test_one_class_or_no_development_set_is_refused():
    rows, labels = clusters(20, 1.0)
    with pytest.raises(DataError, match="1 classes, 20 development"):
        fit_probe((rows, np.zeros(20, int)), (rows, labels), 2)
    with pytest.raises(DataError, match="2 classes, 0 development"):
        fit_probe((rows, labels), (rows[:0], labels[:0]), 2)
