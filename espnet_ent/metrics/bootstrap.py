"""Bootstrap confidence intervals over speakers.

Utterances of one speaker are not independent, so whole speakers are drawn with replacement. All intervals
of one :class:`SpeakerBootstrap` use the same draws, which pairs the systems that are scored on one set.
R is the number of resamples, S of speakers, N of utterances, E of emotions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NUM_RESAMPLES = 1000
LEVEL = 0.95
SEED = 0


@dataclass(frozen=True)
class Interval:
    """A confidence interval."""

    low: float
    high: float


class SpeakerBootstrap:
    """Percentile intervals of statistics that are functions of sums over utterances.

    Args:
        speakers: Speaker of each utterance (N,).
        num_resamples: R.
        seed: Seed of the draws.
        level: Coverage, between 0 and 1.
    """

    def __init__(
        self,
        speakers: Sequence[str],
        num_resamples: int = NUM_RESAMPLES,
        seed: int = SEED,
        level: float = LEVEL,
    ) -> None:
        self.num_resamples, self.seed, self.level = num_resamples, seed, level
        names, self._speaker = np.unique(np.asarray(speakers), return_inverse=True)
        self.num_speakers = len(names)
        shape = (num_resamples, self.num_speakers)
        draws = np.random.default_rng(seed).integers(0, max(self.num_speakers, 1), size=shape)
        rows = np.arange(num_resamples)[:, None] * self.num_speakers
        flat = np.bincount((draws + rows).ravel(), minlength=shape[0] * shape[1])
        self._times_drawn = flat.reshape(shape)

    def ratio(self, numerators: Sequence[float], denominators: Sequence[float]) -> Interval | None:
        """Interval of sum(numerators) / sum(denominators).

        Args:
            numerators: One an utterance (N,), e.g. word errors, or the EDER of each utterance.
            denominators: One an utterance (N,), e.g. reference words, or ones for a mean.

        Returns:
            The interval, or None with fewer than two speakers, where nothing can be resampled.
        """
        sums = self._resampled_sums(np.stack([numerators, denominators], axis=1))
        return self._interval(sums[:, 0], sums[:, 1])

    def unweighted_average_recall(
        self, reference: Sequence[int], hypothesis: Sequence[int], num_emotions: int
    ) -> Interval | None:
        """Interval of UA; a resample's UA leaves out the classes that it lacks.

        Args:
            reference: Class indices (N,).
            hypothesis: Class indices (N,).
            num_emotions: E.

        Returns:
            As :meth:`ratio`.
        """
        is_class = np.asarray(reference)[:, None] == np.arange(num_emotions)
        is_correct = is_class & (np.asarray(hypothesis) == np.asarray(reference))[:, None]
        totals = self._resampled_sums(is_class)
        correct = self._resampled_sums(is_correct)
        recalls = np.divide(correct, totals, out=np.zeros_like(totals), where=totals > 0)
        return self._interval(recalls.sum(axis=1), (totals > 0).sum(axis=1))

    def _resampled_sums(self, values: np.ndarray) -> np.ndarray:
        """Sum the columns of (N, K) values within each resample: (R, K)."""
        per_speaker = np.zeros((self.num_speakers, values.shape[1]))
        np.add.at(per_speaker, self._speaker, values.astype(np.float64))
        # Not BLAS: its order of summation depends on the machine, and score files are byte-identical.
        return np.einsum("rs,sk->rk", self._times_drawn.astype(np.float64), per_speaker)

    def _interval(self, numerators: np.ndarray, denominators: np.ndarray) -> Interval | None:
        defined = denominators > 0
        if self.num_speakers < 2 or not defined.any():
            return None
        tail = (1 - self.level) / 2
        low, high = np.quantile(numerators[defined] / denominators[defined], [tail, 1 - tail])
        return Interval(float(low), float(high))
