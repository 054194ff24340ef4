"""A linear probe: how much of a label a plain classifier finds in given vectors.

Dimensions: N samples, D size, E emotions.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from espnet_ent.errors import DataError
from espnet_ent.metrics.classification import confusion_matrix, unweighted_average_recall

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Values of C, the inverse of the regularisation, to choose from."""
_MOST_ITERATIONS = 1000


@dataclass(frozen=True, eq=False)
class Probe:
    """A fitted probe.

    Attributes:
        model: Pipeline of scikit-learn.
        strength: The chosen C.
        dev_ua: UA on the development set, which chose it.
    """

    model: Any
    strength: float
    dev_ua: float

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """Class indices (N,) of rows (N, D)."""
        return self.model.predict(rows)


def fit_probe(train: tuple[np.ndarray, np.ndarray], dev: tuple[np.ndarray, np.ndarray], num_emotions: int) -> Probe:
    """Logistic regression on standardised vectors, classes weighted alike; C chosen by UA on the development set.

    Of equally good values the smallest is taken.

    Args:
        train: Vectors (N, D) and class indices (N,).
        dev: As ``train``.
        num_emotions: E.

    Raises:
        DataError: If ``train`` has fewer than two classes, or ``dev`` is empty.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    num_classes = len(np.unique(train[1]))
    if num_classes < 2 or len(dev[1]) == 0:
        raise DataError(
            "a probe needs two emotions in training and a development set",
            got=f"{num_classes} classes, {len(dev[1])} development samples",
        )
    best: Probe | None = None
    for strength in STRENGTHS:
        classifier = LogisticRegression(C=strength, max_iter=_MOST_ITERATIONS, class_weight="balanced")
        model = make_pipeline(StandardScaler(), classifier)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # one that stopped early competes as it is
            model.fit(*train)
        ua = unweighted_average_recall(confusion_matrix(dev[1], model.predict(dev[0]), num_emotions))
        if best is None or ua > best.dev_ua:
            best = Probe(model, strength, ua)
    assert best is not None
    return best
