"""Emotion diarisation error rate (EDER): which part of the time carries the wrong emotion.

EDER = (false alarm + missed emotion + confusion + overlap) / duration = 1 - correct time / duration, after
Wang et al., "Speech emotion diarization: which emotion appears when?", ASRU 2023. The published figure is
the unweighted mean over utterances; :func:`mean_rates` gives it, and the rates of summed counts are its
duration-weighted sister.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

from espnet_ent.errors import ScoringError
from espnet_ent.timeline import EmotionTimeline

_DURATION_TOLERANCE = 1e-6


@dataclass(frozen=True)
class EderRates:
    """EDER and its parts, as fractions of the duration."""

    eder: float
    false_alarm: float
    missed_emotion: float
    confusion: float
    overlap: float


@dataclass(frozen=True)
class EderCounts:
    """Time in seconds by kind of error.

    Attributes:
        false_alarm: The reference is neutral, the hypothesis is not.
        missed_emotion: The hypothesis is neutral, the reference is not.
        confusion: Both are emotional, and differ.
        overlap: The hypothesis has two emotions at once; a timeline of ours never has.
        correct: Both agree.
    """

    false_alarm: float
    missed_emotion: float
    confusion: float
    overlap: float
    correct: float

    @classmethod
    def zero(cls) -> EderCounts:
        """The neutral element of addition."""
        return cls(0.0, 0.0, 0.0, 0.0, 0.0)

    @classmethod
    def sum(cls, counts: Iterable[EderCounts]) -> EderCounts:
        """Add the counts of many utterances."""
        return sum(counts, start=cls.zero())

    def __add__(self, other: EderCounts) -> EderCounts:
        return EderCounts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def errors(self) -> float:
        """Seconds that carry the wrong emotion."""
        return self.false_alarm + self.missed_emotion + self.confusion + self.overlap

    @property
    def duration(self) -> float:
        """Seconds scored."""
        return self.errors + self.correct

    @property
    def rates(self) -> EderRates:
        """EDER and its parts; all 0 of no time at all."""
        duration = self.duration or 1.0
        parts = (self.false_alarm, self.missed_emotion, self.confusion, self.overlap)
        return EderRates(self.errors / duration, *(part / duration for part in parts))


def eder_counts(reference: EmotionTimeline, hypothesis: EmotionTimeline, where: object = None) -> EderCounts:
    """Compare two timelines of one utterance.

    Args:
        reference: What is there.
        hypothesis: What was recognised.
        where: The utterance, for errors.

    Raises:
        ScoringError: If the durations differ by more than a microsecond, or the neutral labels differ.

    >>> from espnet_ent.timeline import EmotionSegment
    >>> reference = EmotionTimeline.from_segments([EmotionSegment(0.39, 1.1, "ang")], 1.22, "neu")
    >>> hypothesis = EmotionTimeline.from_segments([EmotionSegment(0.6, 1.22, "ang")], 1.22, "neu")
    >>> round(eder_counts(reference, hypothesis).rates.eder, 7)
    0.2704918
    """
    if abs(reference.duration - hypothesis.duration) > _DURATION_TOLERANCE:
        raise ScoringError(
            "timelines differ in duration",
            where=where,
            expected=f"{reference.duration:g} s",
            got=f"{hypothesis.duration:g} s",
        )
    if reference.neutral != hypothesis.neutral:
        raise ScoringError(
            "timelines differ in the neutral label",
            where=where,
            expected=reference.neutral,
            got=hypothesis.neutral,
        )
    seconds = {field.name: 0.0 for field in fields(EderCounts)}
    truth, guess = list(reference.filled()), list(hypothesis.filled())
    position, i, j = 0.0, 0, 0
    while i < len(truth) and j < len(guess):
        end = min(truth[i].end, guess[j].end)
        seconds[_kind(truth[i].label, guess[j].label, reference.neutral)] += end - position
        position = end
        i, j = i + (truth[i].end == end), j + (guess[j].end == end)
    return EderCounts(**seconds)


def mean_rates(counts: Sequence[EderCounts]) -> EderRates:
    """Unweighted mean of the utterances' rates, each part on its own.

    Raises:
        ScoringError: If there is no utterance.
    """
    if not counts:
        raise ScoringError("no utterance to score")
    rates = [utterance.rates for utterance in counts]
    return EderRates(*(sum(getattr(rate, f.name) for rate in rates) / len(rates) for f in fields(EderRates)))


def _kind(reference: str, hypothesis: str, neutral: str) -> str:
    """The field of :class:`EderCounts` to which a stretch with these labels belongs."""
    if reference == hypothesis:
        return "correct"
    if reference == neutral:
        return "false_alarm"
    return "missed_emotion" if hypothesis == neutral else "confusion"
