"""The forward-backward recursion of one lattice as compiled loops; imported only where numba is installed."""

from __future__ import annotations

import math

import numpy as np

from espnet_ent.losses.compiled import compiled


def _posteriors(
    log_blank: np.ndarray, log_label: np.ndarray, alpha: np.ndarray, blank: np.ndarray, label: np.ndarray
) -> float:
    """Fill ``blank`` and ``label`` with posteriors and return the cost.

    Args:
        log_blank: (T, U + 1) log probability of blank at each node.
        log_label: (T, U + 1) log probability of the next label; the last column is not read.
        alpha: float64 (T, U + 1), room to work in.
        blank: (T, U + 1), to be filled.
        label: (T, U + 1), to be filled.
    """
    num_frames, num_columns = log_blank.shape
    last = num_columns - 1
    for t in range(num_frames):
        for u in range(num_columns):
            if t == 0 and u == 0:
                alpha[0, 0] = 0.0
            elif u == 0:
                alpha[t, 0] = alpha[t - 1, 0] + log_blank[t - 1, 0]
            elif t == 0:
                alpha[0, u] = alpha[0, u - 1] + log_label[0, u - 1]
            else:
                by_blank = alpha[t - 1, u] + log_blank[t - 1, u]
                by_label = alpha[t, u - 1] + log_label[t, u - 1]
                alpha[t, u] = _logaddexp(by_blank, by_label)
    total = alpha[num_frames - 1, last] + log_blank[num_frames - 1, last]
    beta = np.empty(num_columns)  # of frame t + 1, then, from the right, of frame t
    for t in range(num_frames - 1, -1, -1):
        for u in range(last, -1, -1):
            if t == num_frames - 1 and u == last:
                by_blank = log_blank[t, u] + 0.0  # a float64, as in the other cases
            elif t == num_frames - 1:
                by_blank = -np.inf
            else:
                by_blank = log_blank[t, u] + beta[u]
            blank[t, u] = math.exp(alpha[t, u] + by_blank - total)
            if u == last:
                label[t, u] = 0.0
                beta[u] = by_blank
            else:
                by_label = log_label[t, u] + beta[u + 1]
                label[t, u] = math.exp(alpha[t, u] + by_label - total)
                beta[u] = _logaddexp(by_blank, by_label)
    return -total


def _plain_logaddexp(a: float, b: float) -> float:
    if a == -np.inf:
        return b
    if b == -np.inf:
        return a
    high, low = (a, b) if a > b else (b, a)
    return high + math.log1p(math.exp(low - high))


_logaddexp = compiled(_plain_logaddexp)
posteriors = compiled(_posteriors, nogil=True)
