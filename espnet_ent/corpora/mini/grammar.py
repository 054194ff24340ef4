"""The command grammar: sentences of a few phrases, chosen without regard to emotion."""

from __future__ import annotations

import random

VERBS = [
    "bring",
    "carry",
    "clean",
    "close",
    "find",
    "hide",
    "hold",
    "lift",
    "move",
    "open",
    "paint",
    "pull",
    "push",
    "take",
    "turn",
    "wash",
]
ADJECTIVES = [
    "big",
    "blue",
    "broken",
    "clean",
    "cold",
    "empty",
    "green",
    "heavy",
    "little",
    "new",
    "old",
    "red",
    "round",
    "yellow",
]
NOUNS = [
    "basket",
    "book",
    "bottle",
    "box",
    "candle",
    "chair",
    "clock",
    "cup",
    "door",
    "guitar",
    "hammer",
    "lamp",
    "letter",
    "mirror",
    "paper",
    "picture",
    "spoon",
    "table",
    "window",
]
PREPOSITIONS = ["behind", "beside", "from", "near", "under"]
PLACES = ["bridge", "church", "garden", "garage", "kitchen", "market", "river", "school", "station", "tower"]
TIMES = (
    "before noon",
    "every morning",
    "in the evening",
    "later today",
    "on monday",
    "on sunday",
    "right away",
    "tomorrow night",
)
_ADJECTIVE_SHARE = 0.6
_TIME_SHARE = 0.4
_CIRCUMSTANCE_FIRST_SHARE = 0.2
_CIRCUMSTANCE_AFTER_COMMAND_SHARE = 0.7

Sentence = tuple[str, ...]
"""The phrases of a sentence; prosody may change between them and nowhere else."""


class SentenceStream:
    """An endless stream of distinct sentences.

    Drawing all sentences of a corpus from one stream makes its parts disjoint in sentences.

    Args:
        rng: Source of the choices.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._seen: set[Sentence] = set()

    def draw(self, num_phrases: int) -> Sentence:
        """A new sentence of ``num_phrases`` phrases: commands, most of them followed by a place or a time."""
        while True:
            sentence = self._compose(num_phrases)
            if sentence not in self._seen:
                self._seen.add(sentence)
                return sentence

    def _compose(self, num_phrases: int) -> Sentence:
        command_next = self._rng.random() >= _CIRCUMSTANCE_FIRST_SHARE
        phrases = []
        for _ in range(num_phrases):
            phrases.append(self._command() if command_next else self._circumstance())
            command_next = not command_next or self._rng.random() >= _CIRCUMSTANCE_AFTER_COMMAND_SHARE
        return tuple(phrases)

    def _command(self) -> str:
        rng = self._rng
        adjective = rng.choice(ADJECTIVES) + " " if rng.random() < _ADJECTIVE_SHARE else ""
        return f"{rng.choice(VERBS)} the {adjective}{rng.choice(NOUNS)}"

    def _circumstance(self) -> str:
        rng = self._rng
        if rng.random() < _TIME_SHARE:
            return rng.choice(TIMES)
        return f"{rng.choice(PREPOSITIONS)} the {rng.choice(PLACES)}"
