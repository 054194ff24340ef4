"""What the system says about a recording: words, emotions, and when."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from espnet_ent.frames import FrameGrid
from espnet_ent.timeline import EmotionTimeline


@dataclass(frozen=True)
class Word:
    """A word and its time in seconds.

    Attributes:
        start: Where its first token was emitted.
        end: Where the next word starts, or its longest duration ends (see :func:`espnet_ent.data.words.word_ends`).
        word: The word.
        confidence: Geometric mean of the probabilities of its tokens, each given those before it; None if unknown.
        emotion: The most probable emotion, on average over the frames of the word; None without an emotion lattice.
        emotion_probability: That average probability.
    """

    start: float
    end: float
    word: str
    confidence: float | None = None
    emotion: str | None = None
    emotion_probability: float | None = None


@dataclass(frozen=True)
class Alternative:
    """One of the n best texts of a recording, with its score (natural logarithm; see ``Hypothesis.total_score``)."""

    text: str
    score: float


@dataclass(frozen=True, eq=False)
class EmotionTranscript:
    """Transcript, utterance emotion and emotion timeline of one recording; None what a model does not tell.

    A recording without a sample (``remark`` is ``empty``) has no words, emotion, posteriors, segments or frames.

    Attributes:
        text: Recognised words.
        emotion: Emotion of the utterance.
        posteriors: float32 (E,), probability of each emotion, in the order of the inventory.
        words: Words with times.
        timeline: Emotion at every instant.
        frame_posteriors: float32 (T, E), probability of each emotion in each encoder frame.
        duration: Length of the recording in seconds.
        nbest: The best texts, best first, where more than one was asked for.
        remark: Why nothing was searched (``empty``, ``silent``), or ``short`` where silence was added; None otherwise.
        emotions: Names of the emotions, in the order of all probabilities.
        grid: Time grid of the frames.
        neutral: Which of the emotions is the neutral one; None: not told.
    """

    text: str
    emotion: str | None
    posteriors: np.ndarray | None
    words: tuple[Word, ...]
    timeline: EmotionTimeline | None
    frame_posteriors: np.ndarray | None
    duration: float
    nbest: tuple[Alternative, ...] = ()
    remark: str | None = None
    emotions: tuple[str, ...] = ()
    grid: FrameGrid | None = None
    neutral: str | None = None

    def to_dict(self, *, frames: bool = True) -> dict[str, Any]:
        """The transcript in numbers, texts, lists and dictionaries, as JSON has them.

        ``timeline`` is what speech emotion diarization calls a result: a list of ``{"start", "end", "emotion"}`` that
        covers the whole recording, the neutral time included. ``posteriors`` are by emotion, ``frame_posteriors``
        ``{"emotions", "seconds_per_frame", "values"}``. Times are rounded to microseconds, probabilities to six
        decimals; a score that is not finite is None.

        Args:
            frames: False leaves ``frame_posteriors`` out.
        """
        posteriors = None
        if self.posteriors is not None:
            posteriors = dict(zip(self._names(), _rounded(self.posteriors), strict=True))
        found: dict[str, Any] = {
            "text": self.text,
            "emotion": self.emotion,
            "posteriors": posteriors,
            "duration": round(self.duration, _DECIMALS),
            "words": [_rounded_values(asdict(word)) for word in self.words],
            "timeline": None if self.timeline is None else _diarization(self.timeline),
            "remark": self.remark,
        }
        if self.nbest:
            found["nbest"] = [_rounded_values(asdict(alternative)) for alternative in self.nbest]
        if frames:
            found["frame_posteriors"] = None if self.frame_posteriors is None else self._frames()
        return found

    def _frames(self) -> dict[str, Any]:
        seconds = None if self.grid is None else self.grid.seconds_per_frame
        values = _rounded(self.frame_posteriors)
        return {"emotions": self._names(), "seconds_per_frame": seconds, "values": values}

    def _names(self) -> list[str]:
        """Names of the columns of probabilities: numbers where nobody has told the names."""
        if self.emotions:
            return list(self.emotions)
        known = self.posteriors if self.posteriors is not None else self.frame_posteriors
        return [] if known is None else [str(number) for number in range(known.shape[-1])]


_DECIMALS = 6


def _diarization(timeline: EmotionTimeline) -> list[dict[str, Any]]:
    return [
        {"start": round(segment.start, _DECIMALS), "end": round(segment.end, _DECIMALS), "emotion": segment.label}
        for segment in timeline.filled()
    ]


def _rounded(values: np.ndarray) -> list[Any]:
    """Nested lists of decimal numbers: float32 would show its own rounding."""
    return values.astype(np.float64).round(_DECIMALS).tolist()


def _rounded_values(entries: dict[str, Any]) -> dict[str, Any]:
    """Floats rounded; None in place of those that are not finite, which JSON does not have."""
    found = dict(entries)
    for key, value in entries.items():
        if isinstance(value, float):
            found[key] = round(value, _DECIMALS) if math.isfinite(value) else None
    return found
