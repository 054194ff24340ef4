"""Confidence of emotions: temperatures from a development set, and how right the probabilities of a set are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from espnet_ent.data.provenance import PROVENANCE
from espnet_ent.errors import ScoringError
from espnet_ent.labels import EmotionInventory
from espnet_ent.metrics.calibration import Calibration, fit_temperature, scale
from espnet_ent.metrics.labelled_posteriors import LabelledPosteriors, read_frames, read_utterances
from espnet_ent.metrics.reliability import Reliability
from espnet_ent.metrics.scored_set import ScoredSet, read_scored_set

NOT_ASKED = "no temperatures are given"
"""The reason where nobody wanted to know."""


def fit_directories(reference: str | Path, hypothesis: str | Path) -> Calibration:
    """Fit temperatures on a development set.

    Args:
        reference: Data directory; frames are labelled by its ``emo_segments``, if it has them.
        hypothesis: Decoded directory of the same set, with raw probabilities.

    Raises:
        ScoringError: If the directories don't fit together, or the decoding does not tell its checkpoint.
        DataError: If a file is malformed.
        LabelError: If a label is unknown.
    """
    scored = read_scored_set(reference, hypothesis, EmotionInventory.read(Path(hypothesis, "emotion_list")))
    utterances = None if scored.no_emotions else read_utterances(scored, hypothesis)
    frames = None if scored.no_timelines else read_frames(scored, hypothesis)
    return Calibration(
        utterance_temperature=_fitted(utterances),
        frame_temperature=_fitted(frames),
        num_utterances=0 if utterances is None else len(utterances),
        num_frames=0 if frames is None else len(frames),
        fitted_on=scored.name,
        checkpoint=_checkpoint(hypothesis),
    )


def score_confidence(
    scored: ScoredSet, hypothesis: str | Path, calibration: str | Path | None
) -> tuple[dict[str, Any] | None, str | None]:
    """ECE, NLL and Brier score of a set, with the raw probabilities and at the temperatures of a file.

    Args:
        scored: The set.
        hypothesis: Its decoded directory, with raw probabilities.
        calibration: ``calibration.json``; None: not wanted.

    Returns:
        The scores as plain values, and None; or None, and the reason.

    Raises:
        CheckpointError: If the file of temperatures is missing or damaged.
        ScoringError: If the decoding does not tell its checkpoint, or lacks utterances.
        DataError: If a file is malformed.
    """
    if calibration is None:
        return None, NOT_ASKED
    if scored.no_emotions is not None and scored.no_timelines is not None:
        return None, scored.no_emotions
    fitted = Calibration.read(calibration)
    if fitted.checkpoint != _checkpoint(hypothesis):
        return None, "the temperatures are those of another checkpoint"
    utterances = None if scored.no_emotions else read_utterances(scored, hypothesis)
    frames = None if scored.no_timelines else read_frames(scored, hypothesis)
    return {
        "fitted_on": fitted.fitted_on,
        "utterances": _before_and_after(utterances, fitted.utterance_temperature, fitted.num_utterances),
        "utterances_left_out": scored.no_emotions,
        "frames": _before_and_after(frames, fitted.frame_temperature, fitted.num_frames),
        "frames_left_out": scored.no_timelines,
    }, None


def _fitted(samples: LabelledPosteriors | None) -> float | None:
    return fit_temperature(samples.probabilities, samples.labels) if samples else None


def _before_and_after(
    samples: LabelledPosteriors | None, temperature: float | None, num_fitted: int
) -> dict[str, Any] | None:
    if not samples:
        return None
    before = Reliability.measure(samples.probabilities, samples.labels)
    after = None
    if temperature is not None:
        after = Reliability.measure(scale(samples.probabilities, temperature), samples.labels).to_dict()
    return {
        "num_samples": len(samples),
        "num_fitted": num_fitted,
        "temperature": temperature,
        "before": before.to_dict(),
        "after": after,
    }


def _checkpoint(hypothesis: str | Path) -> str:
    """Digest of the checkpoint that a directory was decoded with."""
    path = Path(hypothesis, PROVENANCE)
    try:
        digest = json.loads(path.read_text(encoding="utf-8"))["checkpoint"]
    except (OSError, ValueError, KeyError, TypeError):
        digest = None
    if not isinstance(digest, str):
        raise ScoringError("the checkpoint is not told", where=path, next_step="rerun stage 12 (decoding)")
    return digest
