"""Emotion intervals on both axes of the lattice: which samples and which tokens bear which emotion.

An interval is a row ``(first sample, first token, emotion)``; it reaches to the next row, the last one to the end. The
neutral stretches between emotional ones are rows too, so that the rows cover the whole utterance.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from espnet_ent.data.tokens import SPACE
from espnet_ent.data.utterance import WordSpan
from espnet_ent.data.words import WORD_START
from espnet_ent.errors import DataError
from espnet_ent.frames import seconds_to_samples
from espnet_ent.labels import EmotionInventory
from espnet_ent.timeline import EmotionSegment

NONE = "none"
"""The one-line form of an utterance without an emotional stretch."""
_ROUNDING = 1e-4


def parse_segments(line: str, where: object = None) -> list[EmotionSegment]:
    """Segments of a line of ``utt2emo_segments``: ``<start s> <end s> <label> ...``, or ``none``.

    Raises:
        DataError: If the line is malformed.
    """
    return [EmotionSegment(float(start), float(end), label) for start, end, label in _triples(line, float, where)]


def parse_words(line: str, where: object = None) -> list[WordSpan]:
    """Spans of a line of ``utt2emo_words``: ``<first word> <last word> <label> ...``, or ``none``.

    Raises:
        DataError: If the line is malformed.
    """
    return [WordSpan(int(first), int(last), label) for first, last, label in _triples(line, int, where)]


def _triples(line: str, number: type, where: object) -> list[tuple[str, str, str]]:
    fields = line.split()
    if fields == [NONE]:
        return []
    triples = list(zip(fields[::3], fields[1::3], fields[2::3], strict=False))
    try:
        if len(fields) % 3 or not fields:
            raise ValueError
        for first, second, _ in triples:
            number(first), number(second)
    except ValueError:
        raise DataError(
            "malformed line", where=where, expected=f"<first> <last> <label> ..., or {NONE}", got=repr(line)
        ) from None
    return triples


def emotion_intervals(
    segments: Sequence[EmotionSegment],
    spans: Sequence[WordSpan] | None,
    tokens: Sequence[str],
    emotions: EmotionInventory,
    num_samples: int,
    sample_rate: int,
    where: object = None,
) -> np.ndarray:
    """Rows (K, 3) int64 of ``(first sample, first token, emotion)`` that cover an utterance.

    The space between two intervals belongs to the neutral side, and to the first where neither is neutral. An interval
    in which no word is spoken holds no token: it starts at the same token as the next.

    Args:
        segments: Emotional segments, sorted, not overlapping.
        spans: Emotional words; None: not known, and all tokens fall to the first interval.
        tokens: Tokens of the utterance.
        emotions: The emotion inventory.
        num_samples: Length of the utterance.
        sample_rate: Samples a second.
        where: Name of the utterance for errors.

    Raises:
        DataError: If segments or spans overlap or are not sorted, a span lies outside the text, or the emotions of the
            words do not come in the order of the segments.
        LabelError: If a label is not in the inventory.
    """
    neutral = emotions.neutral_index
    stretches = [
        (
            seconds_to_samples(s.start, sample_rate),
            seconds_to_samples(s.end, sample_rate),
            emotions.index(s.label, where),
        )
        for s in segments
    ]
    # Times have four decimals: what lies that near to the end is the end.
    times = _cover(stretches, num_samples - seconds_to_samples(_ROUNDING, sample_rate), neutral, where)
    words = [(0, times[0][1])]
    if spans is not None and tokens:
        ranges = [(*_token_range(span, tokens, where), emotions.index(span.label, where)) for span in spans]
        words = _cover(_with_joints(ranges, tokens, neutral), len(tokens), neutral, where)
    return np.array(_align(times, words, len(tokens), where), dtype=np.int64)


def _cover(ranges: Sequence[tuple[int, int, int]], end: int, neutral: int, where: object) -> list[tuple[int, int]]:
    """Starts and emotions of the stretches that cover 0 to ``end``, from the emotional ``(start, stop, emotion)``."""
    rows: list[tuple[int, int]] = []
    position = 0
    for start, stop, emotion in ranges:
        if start < position or stop <= start:
            raise DataError("emotion intervals overlap, are empty or are not sorted", where=where, got=list(ranges))
        if start > position:
            rows.append((position, neutral))
        rows.append((start, emotion))
        position = stop
    if position < end or not rows:
        rows.append((position, neutral))
    return rows


def _token_range(span: WordSpan, tokens: Sequence[str], where: object) -> tuple[int, int]:
    """First token of a span of words, and the token after its last."""
    starts, ends = _word_bounds(tokens)
    if not 0 <= span.first <= span.last < len(starts):
        raise DataError(
            "emotional words outside the text",
            where=where,
            expected=f"0 <= first <= last < {len(starts)}",
            got=f"{span.first} {span.last}",
        )
    return starts[span.first], ends[span.last]


def _word_bounds(tokens: Sequence[str]) -> tuple[list[int], list[int]]:
    """First token of every word, and the token after its last."""
    starts: list[int] = []
    ends: list[int] = []
    open_word = False
    for position, token in enumerate(tokens):
        if token == SPACE:
            open_word = False
            continue
        if token.startswith(WORD_START) or not open_word:
            starts.append(position)
            ends.append(position + 1)
        else:
            ends[-1] = position + 1
        open_word = True
    return starts, ends


def _with_joints(
    ranges: Sequence[tuple[int, int, int]], tokens: Sequence[str], neutral: int
) -> list[tuple[int, int, int]]:
    """Ranges with the space between two emotional ones given to the first."""
    joined = []
    for position, (start, end, emotion) in enumerate(ranges):
        following = ranges[position + 1][0] if position + 1 < len(ranges) else end
        if following > end and emotion != neutral and all(token == SPACE for token in tokens[end:following]):
            end = following
        joined.append((start, end, emotion))
    return joined


def _align(
    times: Sequence[tuple[int, int]], words: Sequence[tuple[int, int]], num_tokens: int, where: object
) -> list[tuple[int, int, int]]:
    """Give each interval in time the stretch of tokens that has its emotion, in order."""
    starts: list[int | None] = []
    unused = list(words)
    for _, emotion in times:
        starts.append(unused.pop(0)[0] if unused and unused[0][1] == emotion else None)
    if unused:
        raise DataError(
            "the emotions of the words do not follow those of the time",
            where=where,
            expected=[emotion for _, emotion in times],
            got=[emotion for _, emotion in words],
        )
    rows: list[tuple[int, int, int]] = []
    following = num_tokens
    for (sample, emotion), start in zip(reversed(times), reversed(starts), strict=True):
        following = following if start is None else start
        rows.append((sample, following, emotion))
    rows.reverse()
    return rows
