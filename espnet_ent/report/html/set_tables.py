"""What a page says about a scored set as a whole: figures by speaker and by class, beside ``results.json``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from espnet_ent.metrics.classification import unweighted_average_recall, weighted_accuracy
from espnet_ent.metrics.set_counts import SYSTEM, SetCounts, SpeakerCounts

_DECIMALS = 6


def speaker_rows(counts: SetCounts) -> list[dict[str, Any]]:
    """A row for each speaker; rates are fractions, None where nothing is scored."""
    return [{"speaker": name, **_of_speaker(speaker)} for name, speaker in counts.speakers.items()]


def class_rows(emotion: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """A row for each class of the ``emotion`` part of ``results.json``: counts, recall, precision and F1.

    A rate of nothing (recall of a class that does not occur, precision of one that is never told) is None.
    """
    if emotion is None:
        return []
    confusion = np.array(emotion["confusion"])
    rows = []
    for place, label in enumerate(emotion["labels"]):
        reference, told = int(confusion[place].sum()), int(confusion[:, place].sum())
        right = int(confusion[place, place])
        rows.append(
            {
                "emotion": label,
                "reference": reference,
                "system": told,
                "recall": _ratio(right, reference),
                "precision": _ratio(right, told),
                "f1": _ratio(2 * right, reference + told) if reference else None,
            }
        )
    return rows


def _of_speaker(speaker: SpeakerCounts) -> dict[str, Any]:
    confusion = speaker.confusions.get(SYSTEM)
    timelines = speaker.timelines.get(SYSTEM)
    parts = {}
    if timelines is not None:
        rates = timelines.rates
        parts = {
            name: _rounded(getattr(rates, name) / speaker.num_utterances)
            for name in ("eder", "false_alarm", "missed_emotion", "confusion")
        }
    return {
        "utterances": speaker.num_utterances,
        "wer": _rounded(speaker.words.rate) if speaker.num_transcribed else None,
        "wa": None if confusion is None else _rounded(weighted_accuracy(confusion)),
        "ua": None if confusion is None else _rounded(unweighted_average_recall(confusion)),
        **parts,
    }


def _ratio(part: int, whole: int) -> float | None:
    return _rounded(part / whole) if whole else None


def _rounded(value: float) -> float | None:
    return round(value, _DECIMALS) if math.isfinite(value) else None
