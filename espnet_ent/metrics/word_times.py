"""How well a system tells when each word is said, and with which emotion.

Words are aligned as for WER; what is measured is about the correct ones alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from espnet_ent.data.utterance import WordTime
from espnet_ent.metrics.wer import correct_words
from espnet_ent.timeline import EmotionTimeline

TOLERANCE = 0.1
"""Seconds by which start and end of a word may be off to be called right."""
_ROUNDING = 1e-9


@dataclass(frozen=True)
class WordPair:
    """A correct word: which of its utterance's words it is on either side, and when it is said."""

    utterance: int
    reference_index: int
    hypothesis_index: int
    reference: WordTime
    hypothesis: WordTime


@dataclass(frozen=True)
class TimeErrors:
    """Absolute errors of times in seconds; NaN without a word."""

    median: float
    mean: float

    @classmethod
    def of(cls, errors: np.ndarray) -> TimeErrors:
        """Of float64 (N,) errors."""
        if not errors.size:
            return cls(float("nan"), float("nan"))
        return cls(float(np.median(errors)), float(np.mean(errors)))


@dataclass(frozen=True)
class WordTimeErrors:
    """How far the times of correct words are off.

    Attributes:
        num_correct: Number of words.
        start: Errors of their starts.
        end: Errors of their ends.
        within_tolerance: Share of them whose start and end are both within ``TOLERANCE``; NaN without a word.
    """

    num_correct: int
    start: TimeErrors
    end: TimeErrors
    within_tolerance: float


def pair_words(references: Sequence[Sequence[WordTime]], hypotheses: Sequence[Sequence[WordTime]]) -> list[WordPair]:
    """The correct words of utterances.

    Args:
        references: Words of N utterances.
        hypotheses: Words of the same utterances.

    Raises:
        ValueError: If the two differ in length.
    """
    texts = [[" ".join(word.word for word in words) for words in side] for side in (references, hypotheses)]
    return [
        WordPair(number, i, j, references[number][i], hypotheses[number][j])
        for number, places in enumerate(correct_words(*texts))
        for i, j in places
    ]


def word_time_errors(pairs: Iterable[WordPair]) -> WordTimeErrors:
    """Errors of the times of correct words.

    >>> word = WordPair(0, 0, 0, WordTime(0.0, 0.5, "go"), WordTime(0.25, 0.5, "go"))
    >>> word_time_errors([word]).start
    TimeErrors(median=0.25, mean=0.25)
    """
    times = [
        (abs(pair.reference.start - pair.hypothesis.start), abs(pair.reference.end - pair.hypothesis.end))
        for pair in pairs
    ]
    errors = np.array(times, dtype=np.float64).reshape(-1, 2)
    within = (errors <= TOLERANCE + _ROUNDING).all(axis=1)
    share = float(within.mean()) if len(errors) else float("nan")
    return WordTimeErrors(len(errors), TimeErrors.of(errors[:, 0]), TimeErrors.of(errors[:, 1]), share)


def emotion_of_word(timeline: EmotionTimeline, word: WordTime) -> str:
    """The emotion that covers most of a word; of equal ones the first in time, neutral outside the timeline.

    >>> from espnet_ent.timeline import EmotionSegment
    >>> emotion_of_word(EmotionTimeline(2.0, (EmotionSegment(0.5, 2.0, "sad"),), "neu"), WordTime(0.25, 1.0, "go"))
    'sad'
    """
    seconds: dict[str, float] = {}
    for segment in timeline.filled():
        covered = min(segment.end, word.end) - max(segment.start, word.start)
        if covered > 0:
            seconds[segment.label] = seconds.get(segment.label, 0.0) + covered
    return max(seconds, key=seconds.__getitem__, default=timeline.label_at(word.start))
