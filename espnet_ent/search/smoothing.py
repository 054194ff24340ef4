"""From the emotion probabilities of frames to a label for each frame, with or without smoothing.

Dimensions: T frames, E emotions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from espnet_ent.errors import ConfigError

SMOOTHINGS = ("none", "median", "min_duration", "viterbi")


@dataclass(frozen=True)
class Smoothing:
    """How frames become segments.

    Attributes:
        kind: ``none``: the most probable emotion of each frame; ``median``: of probabilities after a median filter;
            ``min_duration``: shorter segments go to a neighbour; ``viterbi``: the most probable sequence of a Markov
            chain that stays where it is with probability ``self_loop``, all other emotions being equally likely.
        frames: Width of the filter (odd), or the shortest segment.
        self_loop: In (0, 1).

    Raises:
        ConfigError: On an unknown kind or a value out of range.
    """

    kind: str = "none"
    frames: int = 11
    self_loop: float = 0.9

    def __post_init__(self) -> None:
        if self.kind not in SMOOTHINGS:
            raise ConfigError("unknown smoothing", expected=" | ".join(SMOOTHINGS), got=repr(self.kind))
        if type(self.frames) is not int or self.frames < 1 or (self.kind == "median" and self.frames % 2 == 0):
            expected = "an odd number" if self.kind == "median" else "1 or more"
            raise ConfigError("smoothing_frames out of range", expected=expected, got=self.frames)
        if not 0.0 < self.self_loop < 1.0:
            raise ConfigError("self_loop out of range", expected="above 0, below 1", got=self.self_loop)

    def labels(self, posteriors: np.ndarray) -> np.ndarray:
        """Emotion of each frame, int64 (T,), given probabilities (T, E); of equal ones the first."""
        if self.kind == "median":
            from scipy.ndimage import median_filter  # 0.4 s that a start need not wait for

            posteriors = median_filter(posteriors, size=(self.frames, 1), mode="nearest")
        elif self.kind == "viterbi":
            return _viterbi(posteriors, self.self_loop)
        labels = posteriors.argmax(axis=1)
        return _without_short(labels, posteriors, self.frames) if self.kind == "min_duration" else labels


def _viterbi(posteriors: np.ndarray, self_loop: float) -> np.ndarray:
    num_frames, num_emotions = posteriors.shape
    emitted = np.log(np.maximum(posteriors, np.finfo(np.float32).tiny).astype(np.float64))
    moves = np.full((num_emotions, num_emotions), np.log((1.0 - self_loop) / max(1, num_emotions - 1)))
    np.fill_diagonal(moves, np.log(self_loop))
    score, origins = emitted[0], np.zeros((num_frames, num_emotions), dtype=np.int64)
    for t in range(1, num_frames):
        arrivals = score[:, None] + moves
        origins[t] = arrivals.argmax(axis=0)
        score = arrivals.max(axis=0) + emitted[t]
    labels = np.empty(num_frames, dtype=np.int64)
    labels[-1] = score.argmax()
    for t in range(num_frames - 1, 0, -1):
        labels[t - 1] = origins[t, labels[t]]
    return labels


def _without_short(labels: np.ndarray, posteriors: np.ndarray, shortest: int) -> np.ndarray:
    """The shortest segment first: it takes the label of the neighbour that is more probable there."""
    labels = labels.copy()
    while True:
        edges = np.flatnonzero(np.diff(labels)) + 1
        starts, stops = np.concatenate(([0], edges)), np.concatenate((edges, [len(labels)]))
        lengths = stops - starts
        if len(lengths) == 1 or lengths.min() >= shortest:
            return labels
        number = int(lengths.argmin())
        start, stop = starts[number], stops[number]
        neighbours = [labels[start - 1]] if start > 0 else []
        neighbours += [labels[stop]] if stop < len(labels) else []
        labels[start:stop] = max(neighbours, key=lambda label: posteriors[start:stop, label].sum())
