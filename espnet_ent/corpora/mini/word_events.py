"""Where words start in what eSpeak NG speaks, from the events that it sends along with the samples."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from espnet_ent.errors import DataError

WORD, PHONEME = 1, 7
_FIRST_PHONEMES = {"the": "D"}
"""Words that eSpeak NG may join to the one before ("from the" and "in the" stand in its dictionary as one word), and
the phoneme with which they start."""


class SpeechEvent(NamedTuple):
    """An event of eSpeak NG.

    Attributes:
        kind: ``WORD`` or ``PHONEME``.
        sample: Number of samples before it.
        character: Character of the text at which its word starts, from 0.
        phoneme: Mnemonic, stress included; empty for a word.
    """

    kind: int
    sample: int
    character: int
    phoneme: str = ""


def word_starts(text: str, events: Sequence[SpeechEvent]) -> list[int]:
    """Sample at which each word of a text starts.

    A word without an event of its own starts with its first phoneme.

    Args:
        text: Words, separated by spaces.
        events: Events of its synthesis, in order.

    Raises:
        DataError: If the events are not those of these words.
    """
    told = {event.character: event.sample for event in events if event.kind == WORD}
    starts: list[int] = []
    head = 0
    for match in re.finditer(r"\S+", text):
        if match.start() in told:
            head = match.start()
            starts.append(told.pop(head))
            continue
        phoneme = _FIRST_PHONEMES.get(match.group())
        samples = [e.sample for e in events if (e.kind, e.character) == (PHONEME, head) and _plain(e) == phoneme]
        starts.extend(samples[-1:])
    if told or len(starts) != len(text.split()) or any(start >= after for start, after in pairwise(starts)):
        raise DataError("words of eSpeak NG are not those of the text", where=text, got=starts or "no event")
    return starts


def _plain(event: SpeechEvent) -> str:
    """A phoneme without its stress."""
    return event.phoneme.lstrip("',%")
