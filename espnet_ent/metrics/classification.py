"""Scores of utterance emotions, all derived from one confusion matrix.

E is the number of emotions; rows of a confusion matrix are references, columns are hypotheses.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def confusion_matrix(reference: Sequence[int], hypothesis: Sequence[int], num_emotions: int) -> np.ndarray:
    """Count pairs of reference and hypothesis.

    Args:
        reference: N class indices, N >= 1.
        hypothesis: N class indices.
        num_emotions: E.

    Returns:
        int64 (E, E).

    Raises:
        ValueError: If there is no utterance, the lengths differ or no reference is in range(E).
    """
    from sklearn.metrics import confusion_matrix as count_pairs

    return count_pairs(reference, hypothesis, labels=range(num_emotions)).astype(np.int64)


def class_recalls(confusion: np.ndarray) -> np.ndarray:
    """Recall of each class.

    Args:
        confusion: (E, E) counts.

    Returns:
        float64 (E,); NaN for a class without reference.
    """
    totals = confusion.sum(axis=1).astype(np.float64)
    return np.divide(np.diag(confusion), totals, out=np.full(len(totals), np.nan), where=totals > 0)


def weighted_accuracy(confusion: np.ndarray) -> float:
    """WA: the share of correct utterances; NaN of an empty matrix.

    Args:
        confusion: (E, E) counts.
    """
    total = confusion.sum()
    return float(np.trace(confusion) / total) if total else float("nan")


def unweighted_average_recall(confusion: np.ndarray) -> float:
    """UA: the mean of the class recalls; NaN of an empty matrix.

    Classes without reference are left out, so a test set that lacks a class can still reach 1.

    Args:
        confusion: (E, E) counts.

    >>> unweighted_average_recall(np.array([[3, 1, 0], [0, 1, 0], [0, 0, 0]]))
    0.875
    """
    recalls = class_recalls(confusion)
    occurring = recalls[~np.isnan(recalls)]
    return float(occurring.mean()) if len(occurring) else float("nan")


def macro_f1(confusion: np.ndarray) -> float:
    """Mean F1 over the classes that occur in the reference (as in UA); NaN of an empty matrix.

    Args:
        confusion: (E, E) counts.
    """
    references = confusion.sum(axis=1)
    occurring = references > 0
    if not occurring.any():
        return float("nan")
    f1 = 2 * np.diag(confusion)[occurring] / (references + confusion.sum(axis=0))[occurring]
    return float(f1.mean())
