"""What a transcript says, laid out in time as formats need it: emotion spans, words apart, subtitle cues."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from espnet_ent.data.transcript import EmotionTranscript, Word


@dataclass(frozen=True)
class EmotionSpan:
    """A stretch of time with one emotion.

    Attributes:
        start: In seconds.
        end: In seconds.
        emotion: The emotion; None where the model tells none.
        probability: Mean of the probabilities of its frames (of the utterance, where there is no timeline).
        text: The words that begin in it.
    """

    start: float
    end: float
    emotion: str | None
    probability: float | None
    text: str


@dataclass(frozen=True)
class Cue:
    """Words that a subtitle shows together; they have one emotion."""

    start: float
    end: float
    emotion: str | None
    text: str


@dataclass(frozen=True)
class CueLimits:
    """When a subtitle ends: after so many seconds or characters, or before a pause of so many seconds."""

    seconds: float = 6.0
    characters: int = 84
    pause: float = 1.0


def emotion_spans(transcript: EmotionTranscript) -> list[EmotionSpan]:
    """Spans that cover the whole recording, the neutral ones included.

    Without a timeline there is one span, with the emotion of the utterance; none in a recording of no length.
    """
    if transcript.timeline is None:
        probability = None if transcript.posteriors is None else float(transcript.posteriors.max())
        whole = EmotionSpan(0.0, transcript.duration, transcript.emotion, probability, transcript.text)
        return [whole] if transcript.duration > 0 else []
    segments = list(transcript.timeline.filled())
    texts: list[list[str]] = [[] for _ in segments]
    for word in transcript.words:
        number = next((n for n, segment in enumerate(segments) if word.start < segment.end), len(segments) - 1)
        if segments:
            texts[number].append(word.word)
    return [
        EmotionSpan(s.start, s.end, s.label, _probability(transcript, s.start, s.end, s.label), " ".join(text))
        for s, text in zip(segments, texts, strict=True)
    ]


def _probability(transcript: EmotionTranscript, start: float, end: float, label: str) -> float | None:
    frames, grid = transcript.frame_posteriors, transcript.grid
    if frames is None or grid is None or label not in transcript.emotions or not len(frames):
        return None
    # The last frame extends to the end of the recording.
    first = min(grid.frame_at(start), len(frames) - 1)
    last = max(first + 1, len(frames) if end >= transcript.duration else grid.frame_at(end))
    return float(frames[first:last, transcript.emotions.index(label)].mean())


def words_apart(words: Sequence[Word], duration: float) -> list[Word]:
    """Words whose times do not overlap, each of some length, inside the recording: what annotation tiers hold.

    A transducer may emit several words in one frame: they share its time in equal parts. Where a word lasts beyond the
    start of the next, it ends there. No word is left out, unless the recording has no length.
    """
    if duration <= 0 or not words:
        return []
    groups: list[list[Word]] = []
    for _, group in groupby(words, key=lambda word: word.start):
        found = list(group)
        if groups and found[0].start >= duration:
            groups[-1] += found
        else:
            groups.append(found)
    starts = [min(group[0].start, duration) for group in groups]
    if starts[0] >= duration:
        starts[0] = 0.0
    apart = []
    for group, start, following in zip(groups, starts, [*starts[1:], duration], strict=True):
        end = min(following, max(word.end for word in group))
        if end <= start:
            end = following
        edges = [start + (end - start) * number / len(group) for number in range(len(group))] + [end]
        apart += [replace(word, start=edges[n], end=edges[n + 1]) for n, word in enumerate(group)]
    return apart


def subtitle_cues(transcript: EmotionTranscript, limits: CueLimits | None = None) -> list[Cue]:
    """Words in groups that are read at a glance; a change of emotion begins a new one."""
    limits = limits or CueLimits()
    cues: list[Cue] = []
    for word in words_apart(transcript.words, transcript.duration):
        emotion = word.emotion or transcript.emotion
        last = cues[-1] if cues else None
        if (
            last is not None
            and last.emotion == emotion
            and word.start - last.end <= limits.pause
            and word.end - last.start <= limits.seconds
            and len(last.text) + 1 + len(word.word) <= limits.characters
        ):
            cues[-1] = Cue(last.start, word.end, emotion, f"{last.text} {word.word}")
        else:
            cues.append(Cue(word.start, word.end, emotion, word.word))
    return cues


def whole_milliseconds(times: Iterable[tuple[float, float]]) -> list[tuple[int, int]]:
    """Intervals (start, end) in seconds, in order, as milliseconds: each lasts at least one, and none overlap."""
    found: list[tuple[int, int]] = []
    for start, end in times:
        first = max(round(1000 * start), found[-1][1] if found else 0)
        found.append((first, max(round(1000 * end), first + 1)))
    return found
