"""How far probabilities are from how often they are right: ECE with its bins, NLL and Brier score.

Dimensions: N samples, E classes, M bins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from espnet_ent.metrics.calibration import log_probabilities

NUM_BINS = 15


@dataclass(frozen=True)
class Bin:
    """The samples whose top probability lies in ((m - 1) / M, m / M].

    Attributes:
        count: How many.
        confidence: Mean of their top probabilities; None without samples.
        accuracy: How many of them are right, as a fraction; None without samples.
    """

    count: int
    confidence: float | None
    accuracy: float | None

    @property
    def gap(self) -> float:
        """Accuracy - confidence: negative where the model is too sure."""
        return 0.0 if self.confidence is None or self.accuracy is None else self.accuracy - self.confidence


@dataclass(frozen=True)
class Reliability:
    """Scores of probabilities against the truth.

    Attributes:
        ece: Expected calibration error (Naeini et al., AAAI 2015; Guo et al., ICML 2017, eq. 3), in [0, 1].
        nll: Mean of -log p(truth), in nats.
        brier: Mean over samples of the sum over classes of (p - truth)^2 (Brier 1950), in [0, 2].
        bins: What the ECE is made of.
    """

    ece: float
    nll: float
    brier: float
    bins: tuple[Bin, ...]

    @classmethod
    def measure(cls, probabilities: np.ndarray, labels: np.ndarray, num_bins: int = NUM_BINS) -> Reliability:
        """Score N > 0 samples.

        Args:
            probabilities: (N, E), each row adds up to 1.
            labels: int64 (N,), the true classes.
            num_bins: M, of equal width.
        """
        probabilities = np.asarray(probabilities, dtype=np.float64)
        samples = np.arange(len(labels))
        bins = _bins(probabilities.max(axis=1), probabilities.argmax(axis=1) == labels, num_bins)
        truth = np.zeros_like(probabilities)
        truth[samples, labels] = 1.0
        return cls(
            ece=sum(one.count * abs(one.gap) for one in bins) / len(labels),
            nll=float(-log_probabilities(probabilities)[samples, labels].mean()),
            brier=float(((probabilities - truth) ** 2).sum(axis=1).mean()),
            bins=bins,
        )

    def to_dict(self) -> dict[str, Any]:
        """As plain values; the bins are one list for each of their attributes."""
        return {
            "ece": self.ece,
            "nll": self.nll,
            "brier": self.brier,
            "bins": {name: [getattr(one, name) for one in self.bins] for name in ("count", "confidence", "accuracy")},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Reliability:
        """What :meth:`to_dict` gave, from ``results.json``."""
        columns = values["bins"]
        rows = zip(columns["count"], columns["confidence"], columns["accuracy"], strict=True)
        return cls(values["ece"], values["nll"], values["brier"], tuple(Bin(*row) for row in rows))


def _bins(confidences: np.ndarray, correct: np.ndarray, num_bins: int) -> tuple[Bin, ...]:
    upper_edges = np.arange(1, num_bins) / num_bins
    places = np.searchsorted(upper_edges, confidences, side="left")
    bins = []
    for place in range(num_bins):
        inside = places == place
        count = int(inside.sum())
        means = (float(confidences[inside].mean()), float(correct[inside].mean())) if count else (None, None)
        bins.append(Bin(count, *means))
    return tuple(bins)
