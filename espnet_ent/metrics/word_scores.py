"""Scores of words in time and of emotion changes, as plain values for ``results.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from espnet_ent.labels import EmotionInventory
from espnet_ent.metrics.boundaries import BoundaryErrors, boundary_errors
from espnet_ent.metrics.classification import (
    class_recalls,
    confusion_matrix,
    unweighted_average_recall,
    weighted_accuracy,
)
from espnet_ent.metrics.scored_set import ScoredSet
from espnet_ent.metrics.scored_words import ScoredWords
from espnet_ent.metrics.word_times import TOLERANCE, WordPair, emotion_of_word, pair_words, word_time_errors
from espnet_ent.timeline import EmotionTimeline


def score_words(scored: ScoredSet, words: ScoredWords, inventory: EmotionInventory) -> dict[str, Any] | None:
    """Times of the correct words of a set, and their emotions; None where no word times are scored.

    Args:
        scored: References and hypotheses.
        words: Their words.
        inventory: The classes.
    """
    if words.left_out is not None:
        return None
    utterances = [utterance for utterance in scored.utterances if utterance not in scored.untranscribed]
    references, hypotheses = (
        [side.get(utterance, ()) for utterance in utterances] for side in (words.reference, words.hypothesis)
    )
    pairs = pair_words(references, hypotheses)
    emotion = None
    if words.emotions_left_out is None:
        emotions = [words.emotions.get(utterance, ()) for utterance in utterances]
        timelines = [scored.reference.timeline[utterance] for utterance in utterances]
        emotion = _emotions(pairs, timelines, emotions, inventory)
    return {
        "num_reference": sum(map(len, references)),
        "num_hypothesis": sum(map(len, hypotheses)),
        **asdict(word_time_errors(pairs)),
        "tolerance_seconds": TOLERANCE,
        "emotion": emotion,
        "emotion_left_out": words.emotions_left_out,
    }


def _emotions(
    pairs: Sequence[WordPair],
    timelines: Sequence[EmotionTimeline],
    emotions: Sequence[Sequence[str]],
    inventory: EmotionInventory,
) -> dict[str, Any] | None:
    """Emotions of the correct words, beside those of a system that calls all of them neutral; None without a word."""
    if not pairs:
        return None
    reference = [inventory.index(emotion_of_word(timelines[pair.utterance], pair.reference)) for pair in pairs]
    hypothesis = [inventory.index(emotions[pair.utterance][pair.hypothesis_index]) for pair in pairs]
    confusion = confusion_matrix(reference, hypothesis, len(inventory))
    neutral = confusion_matrix(reference, [inventory.neutral_index] * len(pairs), len(inventory))
    return {
        "labels": list(inventory.names),
        "confusion": confusion.tolist(),
        "recall": dict(zip(inventory.names, class_recalls(confusion).tolist(), strict=True)),
        "wa": weighted_accuracy(confusion),
        "ua": unweighted_average_recall(confusion),
        "always_neutral": {"wa": weighted_accuracy(neutral), "ua": unweighted_average_recall(neutral)},
    }


def score_boundaries(
    utterances: Sequence[str],
    references: Mapping[str, EmotionTimeline],
    hypotheses: Mapping[str, EmotionTimeline],
) -> dict[str, Any]:
    """Distances from the emotion changes of the references to those of the hypotheses."""
    total = BoundaryErrors.sum(boundary_errors(references[utt], hypotheses[utt]) for utt in utterances)
    return {
        "num_reference": total.num_reference,
        "num_hypothesis": total.num_hypothesis,
        "median": total.median,
        "mean": total.mean,
        "share_without": total.share_without,
    }
