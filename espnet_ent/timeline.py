"""Emotion segments and timelines: which emotion is there when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from espnet_ent.errors import DataError
from espnet_ent.frames import FrameGrid


@dataclass(frozen=True, order=True)
class EmotionSegment:
    """One emotion on the half-open interval ``[start, end)``, in seconds from the utterance's start."""

    start: float
    end: float
    label: str

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise DataError(
                "emotion segment is empty, reversed or starts before 0",
                got=f"{self.start:g} {self.end:g} {self.label}",
            )

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.end - self.start


@dataclass(frozen=True)
class EmotionTimeline:
    """The emotion at every instant of an utterance.

    Attributes:
        duration: Length of the utterance in seconds.
        segments: Sorted, non-overlapping segments inside ``[0, duration]``; adjacent segments differ in
            label, and uncovered time is neutral, so the neutral label never occurs among them.
        neutral: Name of the neutral label.

    Build one with :meth:`from_segments`, :meth:`from_frames` or :meth:`uniform`, which bring any
    legal input into this form.

    >>> timeline = EmotionTimeline.from_segments([EmotionSegment(0.39, 1.1, "ang")], 1.22, "neu")
    >>> [(s.start, s.end, s.label) for s in timeline.filled()]
    [(0.0, 0.39, 'neu'), (0.39, 1.1, 'ang'), (1.1, 1.22, 'neu')]
    """

    duration: float
    segments: tuple[EmotionSegment, ...]
    neutral: str

    @classmethod
    def from_segments(
        cls,
        segments: Iterable[EmotionSegment],
        duration: float,
        neutral: str,
        where: object = None,
    ) -> EmotionTimeline:
        """Sort, clip to the duration, drop neutral segments and merge equal neighbours.

        Raises:
            DataError: If the duration is not positive or two segments overlap.
        """
        if duration <= 0:
            raise DataError("duration must be positive", where=where, got=duration)
        merged: list[EmotionSegment] = []
        previous_end = 0.0
        for segment in sorted(segments):
            if segment.start < previous_end - 1e-9:
                raise DataError(
                    "emotion segments overlap",
                    where=where,
                    expected=f"a start of at least {previous_end:g} s",
                    got=f"{segment.start:g} s ({segment.label})",
                )
            previous_end = segment.end
            start, end = segment.start, min(segment.end, duration)
            if segment.label == neutral or start >= end:
                continue
            if merged and merged[-1].label == segment.label and start - merged[-1].end < 1e-9:
                merged[-1] = EmotionSegment(merged[-1].start, end, segment.label)
            else:
                merged.append(EmotionSegment(start, end, segment.label))
        return cls(duration, tuple(merged), neutral)

    @classmethod
    def from_frames(cls, labels: Sequence[str], grid: FrameGrid, duration: float, neutral: str) -> EmotionTimeline:
        """Merge equal neighbouring frames; the last frame extends to the end of the utterance.

        An empty sequence of frames (audio shorter than a frame) is all neutral.
        """
        segments: list[EmotionSegment] = []
        run_start = 0
        for frame in range(1, len(labels) + 1):
            if frame < len(labels) and labels[frame] == labels[run_start]:
                continue
            start = grid.frame_start(run_start)
            end = duration if frame == len(labels) else grid.frame_start(frame)
            if start < min(end, duration):
                segments.append(EmotionSegment(start, min(end, duration), labels[run_start]))
            run_start = frame
        return cls.from_segments(segments, duration, neutral)

    @classmethod
    def uniform(cls, label: str, duration: float, neutral: str) -> EmotionTimeline:
        """One label everywhere."""
        return cls.from_segments([EmotionSegment(0.0, duration, label)], duration, neutral)

    def filled(self) -> Iterator[EmotionSegment]:
        """Segments that cover the whole utterance, the neutral ones included."""
        position = 0.0
        for segment in self.segments:
            if segment.start > position:
                yield EmotionSegment(position, segment.start, self.neutral)
            yield segment
            position = segment.end
        if position < self.duration:
            yield EmotionSegment(position, self.duration, self.neutral)

    def label_at(self, seconds: float) -> str:
        """The emotion at an instant."""
        for segment in self.segments:
            if segment.start <= seconds < segment.end:
                return segment.label
        return self.neutral

    def dominant(self) -> str:
        """The emotion with the most time; neutral only where there is no other. Ties: the first in time."""
        seconds: dict[str, float] = {}
        for segment in self.segments:
            seconds[segment.label] = seconds.get(segment.label, 0.0) + segment.duration
        return max(seconds, key=seconds.__getitem__, default=self.neutral)
