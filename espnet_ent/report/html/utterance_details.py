"""What a page shows of one utterance: its row in the table, and what opens below it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from espnet_ent.data.transcript import Word
from espnet_ent.export.spans import words_apart
from espnet_ent.frames import FrameGrid
from espnet_ent.report.html.quantised import quantised
from espnet_ent.timeline import EmotionTimeline

_TIME_DECIMALS = 4
_PROBABILITY_DECIMALS = 4


def segments_of(timeline: EmotionTimeline | None) -> list[list[Any]] | None:
    """``[start, end, label]`` of the whole time, neutral stretches included; None without a timeline."""
    if timeline is None:
        return None
    return [[_time(s.start), _time(s.end), s.label] for s in timeline.filled()]


def words_of(words: Iterable[Word]) -> list[list[Any]]:
    """``[start, end, word, confidence, emotion, probability]``; None for what is not known."""
    return [
        [
            _time(w.start),
            _time(w.end),
            w.word,
            _probability(w.confidence),
            w.emotion,
            _probability(w.emotion_probability),
        ]
        for w in words
    ]


def places_of(words: Sequence[Word], duration: float) -> list[list[float]]:
    """``[start, end]`` where each word is drawn: words of the same frame side by side, as in exported tiers."""
    return [[_time(word.start), _time(word.end)] for word in words_apart(words, duration)]


def posteriors_of(posteriors: Sequence[float] | np.ndarray | None) -> list[float] | None:
    """Probabilities of the utterance's emotions."""
    return None if posteriors is None else [_probability(float(value)) for value in posteriors]


def frames_of(frames: np.ndarray | None, grid: FrameGrid | None) -> dict[str, Any] | None:
    """Posteriors (T, E) of frames, quantised, with the length of a frame in seconds."""
    if frames is None or grid is None or not len(frames):
        return None
    return {"seconds": grid.seconds_per_frame, "count": len(frames), "values": quantised(frames)}


def _time(seconds: float) -> float:
    return round(float(seconds), _TIME_DECIMALS)


def _probability(value: float | None) -> float | None:
    return None if value is None else round(float(value), _PROBABILITY_DECIMALS)
