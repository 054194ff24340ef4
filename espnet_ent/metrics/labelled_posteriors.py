"""Probabilities of a decoded set beside the true emotions: what confidence is fitted and measured on.

Dimensions: N samples (utterances or frames), E emotions, in the order of the decoded directory's ``emotion_list``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from espnet_ent.export.posteriors import (
    FRAME_POSTERIORS,
    UTTERANCE_POSTERIORS,
    read_frame_grid,
    read_frame_posteriors,
    read_utterance_posteriors,
)
from espnet_ent.labels import EmotionInventory
from espnet_ent.metrics.scored_set import ScoredSet, check_same_utterances


@dataclass(frozen=True, eq=False)
class LabelledPosteriors:
    """Samples of a set.

    Attributes:
        probabilities: float64 (N, E).
        labels: int64 (N,), indices of the true emotions.
    """

    probabilities: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


def read_utterances(scored: ScoredSet, hypothesis: str | Path) -> LabelledPosteriors:
    """One sample an utterance.

    Args:
        scored: The set; its emotions are scored.
        hypothesis: Its decoded directory.

    Raises:
        DataError: If the probabilities are missing or malformed.
        ScoringError: If they are not those of the same utterances.
    """
    inventory = EmotionInventory.read(Path(hypothesis, "emotion_list"))
    posteriors = read_utterance_posteriors(hypothesis, len(inventory))
    check_same_utterances(Path(hypothesis, UTTERANCE_POSTERIORS), scored.utterances, posteriors)
    labels = [inventory.index(scored.reference.emotion[utterance]) for utterance in scored.utterances]
    rows = np.array([posteriors[utterance] for utterance in scored.utterances], dtype=np.float64)
    return LabelledPosteriors(rows.reshape(-1, len(inventory)), np.array(labels, dtype=np.int64))


def read_frames(scored: ScoredSet, hypothesis: str | Path) -> LabelledPosteriors:
    """One sample a frame, with the emotion of the reference's timeline at the frame's centre.

    Frames whose centre lies after the end of the utterance (padding) are left out.

    Args:
        scored: The set; its timelines are scored.
        hypothesis: Its decoded directory.

    Raises:
        DataError: If the probabilities or the grid of the frames are missing or malformed.
        ScoringError: If they are not those of the same utterances.
    """
    inventory = EmotionInventory.read(Path(hypothesis, "emotion_list"))
    grid = read_frame_grid(hypothesis)
    posteriors = read_frame_posteriors(hypothesis, len(inventory))
    check_same_utterances(Path(hypothesis, FRAME_POSTERIORS), scored.utterances, posteriors)
    rows, labels = [np.empty((0, len(inventory)))], []
    for utterance in scored.utterances:
        timeline = scored.reference.timeline[utterance]
        centres = [grid.frame_centre(frame) for frame in range(len(posteriors[utterance]))]
        inside = [centre for centre in centres if centre < timeline.duration]
        labels += [inventory.index(timeline.label_at(centre)) for centre in inside]
        rows.append(posteriors[utterance][: len(inside)])
    return LabelledPosteriors(np.concatenate(rows).astype(np.float64), np.array(labels, dtype=np.int64))
