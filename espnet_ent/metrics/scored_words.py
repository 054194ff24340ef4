"""Words of both sides of a scored set, with their times and, of the system, their emotions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from espnet_ent.data.datadir import read_lines, read_word_times
from espnet_ent.data.utterance import WordTime
from espnet_ent.errors import DataError
from espnet_ent.labels import EmotionInventory
from espnet_ent.metrics.scored_set import ScoredSet, check_same_utterances

_TIMES, _EMOTIONS = "word_times", "word_emotions"
_COLUMNS = "<utt> <start s> <end s> <word> <confidence> <emotion> <probability>"

Words = Mapping[str, tuple[WordTime, ...]]


@dataclass(frozen=True)
class ScoredWords:
    """Words by utterance; one without words is absent.

    Attributes:
        reference: Words of the reference.
        hypothesis: Words of the system.
        emotions: Emotion of each of the system's words.
        left_out: Why no word times are scored, or None if they are.
        emotions_left_out: Why no emotion of words is scored, or None if it is.
    """

    reference: Words = field(default_factory=dict)
    hypothesis: Words = field(default_factory=dict)
    emotions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    left_out: str | None = None
    emotions_left_out: str | None = None


def read_scored_words(
    reference: str | Path, hypothesis: str | Path, scored: ScoredSet, inventory: EmotionInventory
) -> ScoredWords:
    """Read ``word_times`` of both sides, and ``word_emotions`` of the system.

    Args:
        reference: Data directory.
        hypothesis: Decoding directory.
        scored: What :func:`read_scored_set` has read of them.
        inventory: The classes.

    Raises:
        ScoringError: If a file has words of an utterance that the set does not have.
        LabelError: If an emotion is unknown.
        DataError: If a file is malformed, or the system's two files differ in their words.
    """
    reference, hypothesis = Path(reference), Path(hypothesis)
    for side, reason in ((reference, f"the reference has no {_TIMES}"), (hypothesis, f"the system gives no {_TIMES}")):
        if not (side / _TIMES).is_file():
            return ScoredWords(left_out=reason, emotions_left_out=reason)
    sides = []
    for side in (reference, hypothesis):
        sides.append(read_word_times(side / _TIMES))
        check_same_utterances(side / _TIMES, scored.utterances, {*scored.utterances, *sides[-1]})
    path = hypothesis / _EMOTIONS
    if scored.no_timelines:
        return ScoredWords(*sides, emotions_left_out=scored.no_timelines)
    if not path.is_file():
        return ScoredWords(*sides, emotions_left_out=f"the system gives no {_EMOTIONS}")
    return ScoredWords(*sides, emotions=_read_emotions(path, sides[1], inventory))


def _read_emotions(path: Path, words: Words, inventory: EmotionInventory) -> dict[str, tuple[str, ...]]:
    """Emotions of the words, which must be those of ``word_times`` in the same order."""
    emotions: dict[str, list[str]] = {}
    for number, line in enumerate(read_lines(path), 1):
        fields, where = line.split(), f"{path}:{number}"
        if len(fields) != _COLUMNS.count("<"):
            raise DataError("malformed line", where=where, expected=_COLUMNS, got=repr(line))
        of_utterance = emotions.setdefault(fields[0], [])
        expected = words.get(fields[0], ())[len(of_utterance) : len(of_utterance) + 1]
        if [word.word for word in expected] != [fields[3]]:
            raise DataError(f"word is not that of {_TIMES}", where=where, got=repr(line))
        of_utterance.append(inventory.canonical(fields[5], where=where))
    for utterance, of_utterance in words.items():
        if len(emotions.get(utterance, ())) != len(of_utterance):
            raise DataError(f"words of {_TIMES} are missing", where=path, got=utterance)
    return {utterance: tuple(of_utterance) for utterance, of_utterance in emotions.items()}
