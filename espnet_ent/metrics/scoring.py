"""All scores of one set, beside what trivial systems reach on it: the content of ``results.json``."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from espnet_ent.data.datadir import read_table
from espnet_ent.data.provenance import GIVEN_TEXT, read_provenance
from espnet_ent.errors import ScoringError
from espnet_ent.labels import EmotionInventory
from espnet_ent.metrics.bootstrap import Interval, SpeakerBootstrap
from espnet_ent.metrics.classification import (
    class_recalls,
    confusion_matrix,
    macro_f1,
    unweighted_average_recall,
    weighted_accuracy,
)
from espnet_ent.metrics.confidence import score_confidence
from espnet_ent.metrics.eder import EderCounts, eder_counts, mean_rates
from espnet_ent.metrics.scored_set import ScoredSet, read_scored_set
from espnet_ent.metrics.scored_words import ScoredWords, read_scored_words
from espnet_ent.metrics.set_counts import SYSTEM, SetCounts, count_set
from espnet_ent.metrics.trivial import majority_emotion, trivial_timelines
from espnet_ent.metrics.wer import ErrorCounts, character_errors, word_errors
from espnet_ent.metrics.word_scores import score_boundaries, score_words
from espnet_ent.timeline import EmotionTimeline

__all__ = ["SYSTEM", "count_directories", "score_directories", "score_set", "to_json"]

_DECIMALS = 6


def score_directories(
    reference: str | Path,
    hypothesis: str | Path,
    emotion_list: str | Path,
    train_utt2emo: str | Path | None,
    checkpoint: str | None = None,
    calibration: str | Path | None = None,
) -> dict[str, Any]:
    """Score a decoding directory against a data directory.

    Args:
        reference: Data directory.
        hypothesis: Decoding directory of the same set.
        emotion_list: The classes.
        train_utt2emo: Labels that the model was trained on, for the majority baseline; None: they are not known.
        checkpoint: Name of the checkpoint that was decoded, to be told in reports.
        calibration: File of temperatures, for the scores of confidence; None: they are left out.

    Returns:
        The results, as :func:`score_set`, with ``checkpoint`` and ``calibration`` (see :func:`score_confidence`), and
        ``emotion_text`` where the utterance head was given a text in place of the recognised one.

    Raises:
        ScoringError: As :func:`read_scored_set`, or if the training labels are missing.
        CheckpointError: If the file of temperatures is missing or damaged.
        LabelError: If a label is unknown.
        DataError: If a file is malformed.
    """
    checkpoint = Path(checkpoint).name if checkpoint else None
    scored, inventory, majority = _read(reference, hypothesis, emotion_list, train_utt2emo)
    words = read_scored_words(reference, hypothesis, scored, inventory)
    confidence, left_out = score_confidence(scored, hypothesis, calibration)
    told = {"checkpoint": checkpoint, "calibration": confidence, "calibration_left_out": left_out}
    if GIVEN_TEXT in (read_provenance(hypothesis) or {}):
        told[GIVEN_TEXT] = True
    return {**score_set(scored, words, inventory, majority), **told}


def count_directories(
    reference: str | Path, hypothesis: str | Path, emotion_list: str | Path, train_utt2emo: str | Path | None
) -> SetCounts:
    """What the scores are made of, by speaker; arguments and errors as :func:`score_directories`."""
    return count_set(*_read(reference, hypothesis, emotion_list, train_utt2emo))


def _read(
    reference: str | Path, hypothesis: str | Path, emotion_list: str | Path, train_utt2emo: str | Path | None
) -> tuple[ScoredSet, EmotionInventory, str | None]:
    """The set, its classes and the most frequent training emotion."""
    inventory = EmotionInventory.read(emotion_list)
    scored = read_scored_set(reference, hypothesis, inventory)
    if scored.no_emotions is not None or train_utt2emo is None:
        return scored, inventory, None
    if not Path(train_utt2emo).is_file():
        raise ScoringError("training labels are missing", where=train_utt2emo, next_step="rerun stages 1-4")
    return scored, inventory, majority_emotion(read_table(train_utt2emo).values(), inventory)


def score_set(
    scored: ScoredSet, words: ScoredWords, inventory: EmotionInventory, majority: str | None
) -> dict[str, Any]:
    """All scores of a set as plain values: rates are fractions, not yet rounded.

    Args:
        scored: References and hypotheses.
        words: Their words in time.
        inventory: The classes.
        majority: The most frequent training emotion; None where no emotion is scored, or that one is not known.
    """
    utterances = scored.utterances
    bootstrap = SpeakerBootstrap([scored.speakers[utterance] for utterance in utterances])
    return {
        "set": scored.name,
        "num_utterances": len(utterances),
        "num_speakers": bootstrap.num_speakers,
        "bootstrap": {
            "unit": "speaker",
            "num_resamples": bootstrap.num_resamples,
            "level": bootstrap.level,
            "seed": bootstrap.seed,
        },
        "recognition": _recognition(scored, bootstrap),
        "recognition_left_out": scored.no_words,
        "emotion": None if scored.no_emotions is not None else _emotion(scored, inventory, majority, bootstrap),
        "emotion_left_out": scored.no_emotions,
        "eder": None if scored.no_timelines else _timelines(scored, inventory.neutral, bootstrap),
        "eder_left_out": scored.no_timelines,
        "boundaries": None if scored.no_timelines else _boundaries(scored),
        "words": score_words(scored, words, inventory),
        "words_left_out": words.left_out,
    }


def to_json(results: Mapping[str, Any]) -> str:
    """Serialise results so that equal inputs give equal bytes; what is not finite becomes null."""
    return json.dumps(_rounded(results), sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _recognition(scored: ScoredSet, bootstrap: SpeakerBootstrap) -> dict[str, Any]:
    transcribed = [utterance for utterance in scored.utterances if utterance not in scored.untranscribed]
    num_untranscribed = len(scored.utterances) - len(transcribed)
    if not transcribed or scored.no_words is not None:
        return {"wer": None, "cer": None, "num_untranscribed": num_untranscribed}
    if num_untranscribed:
        bootstrap = SpeakerBootstrap([scored.speakers[utterance] for utterance in transcribed])
    references = [scored.reference.text[utterance] for utterance in transcribed]
    hypotheses = [scored.hypothesis.text[utterance] for utterance in transcribed]
    return {
        "num_untranscribed": num_untranscribed,
        "wer": _error_rate(word_errors, references, hypotheses, bootstrap),
        "cer": _error_rate(character_errors, references, hypotheses, bootstrap),
        "num_empty_hypotheses": sum(not text.strip() for text in hypotheses),
        "num_empty_references": sum(not text.strip() for text in references),
    }


def _error_rate(
    count: Callable[[Sequence[str], Sequence[str]], list[ErrorCounts]],
    references: Sequence[str],
    hypotheses: Sequence[str],
    bootstrap: SpeakerBootstrap,
) -> dict[str, Any]:
    counts = count(references, hypotheses)
    total = ErrorCounts.sum(counts)
    interval = bootstrap.ratio([c.errors for c in counts], [c.reference_length for c in counts])
    return {**asdict(total), "rate": total.rate, "interval": _bounds(interval)}


def _emotion(
    scored: ScoredSet, inventory: EmotionInventory, majority: str | None, bootstrap: SpeakerBootstrap
) -> dict[str, Any]:
    reference = [inventory.index(scored.reference.emotion[utterance]) for utterance in scored.utterances]
    hypothesis = [inventory.index(scored.hypothesis.emotion[utterance]) for utterance in scored.utterances]
    confusion = confusion_matrix(reference, hypothesis, len(inventory))
    interval = bootstrap.unweighted_average_recall(reference, hypothesis, len(inventory))
    return {
        "labels": list(inventory.names),
        "confusion": confusion.tolist(),
        "num_reference": dict(zip(inventory.names, confusion.sum(axis=1).tolist(), strict=True)),
        "num_hypothesis": dict(zip(inventory.names, confusion.sum(axis=0).tolist(), strict=True)),
        "recall": dict(zip(inventory.names, class_recalls(confusion).tolist(), strict=True)),
        **_summary(confusion),
        "ua_interval": _bounds(interval),
        "majority": None if majority is None else _majority(reference, inventory, majority),
    }


def _majority(reference: Sequence[int], inventory: EmotionInventory, label: str) -> dict[str, Any]:
    always = [inventory.index(label)] * len(reference)
    return {"label": label, **_summary(confusion_matrix(reference, always, len(inventory)))}


def _summary(confusion: np.ndarray) -> dict[str, float]:
    return {
        "wa": weighted_accuracy(confusion),
        "ua": unweighted_average_recall(confusion),
        "macro_f1": macro_f1(confusion),
    }


def _timelines(scored: ScoredSet, neutral: str, bootstrap: SpeakerBootstrap) -> dict[str, Any]:
    """EDER of the system and of the timelines that carry one label throughout."""
    trivial = trivial_timelines(scored.durations, scored.hypothesis.emotion, scored.reference.emotion, neutral)
    candidates: dict[str, Mapping[str, EmotionTimeline]] = {SYSTEM: scored.hypothesis.timeline, **trivial}
    return {
        name: _eder(
            [eder_counts(scored.reference.timeline[utt], timelines[utt], utt) for utt in scored.utterances],
            bootstrap,
        )
        for name, timelines in candidates.items()
    }


def _boundaries(scored: ScoredSet) -> dict[str, Any]:
    return score_boundaries(scored.utterances, scored.reference.timeline, scored.hypothesis.timeline)


def _eder(counts: Sequence[EderCounts], bootstrap: SpeakerBootstrap) -> dict[str, Any]:
    total = EderCounts.sum(counts)
    mean = bootstrap.ratio([c.rates.eder for c in counts], np.ones(len(counts)))
    weighted = bootstrap.ratio([c.errors for c in counts], [c.duration for c in counts])
    return {
        "utterance_mean": {**asdict(mean_rates(counts)), "interval": _bounds(mean)},
        "duration_weighted": {**asdict(total.rates), "interval": _bounds(weighted)},
        "duration_seconds": total.duration,
    }


def _bounds(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    if isinstance(value, float):
        return round(value, _DECIMALS) + 0.0 if math.isfinite(value) else None
    return value
