"""Words of eSpeak NG's events, hand-made ones and those that it sends for the grammar's phrases."""

from __future__ import annotations

import random

import numpy as np
import pytest

from espnet_ent.corpora.mini import grammar
from espnet_ent.corpora.mini.speakers import NOISE_FREE_VOICES
from espnet_ent.corpora.mini.synthesis import Phrase, Synthesizer
from espnet_ent.corpora.mini.word_events import PHONEME, WORD, SpeechEvent, word_starts
from espnet_ent.errors import DataError

FROM_THE_BRIDGE = [
    SpeechEvent(WORD, 0, 0),
    *(SpeechEvent(PHONEME, sample, 0, name) for sample, name in ((264, "f"), (1893, "r"), (3045, "V"), (3621, "m"))),
    SpeechEvent(PHONEME, 5093, 0, "'D"),
    SpeechEvent(PHONEME, 6117, 0, "@2"),
    SpeechEvent(WORD, 7226, 9),
    SpeechEvent(PHONEME, 7490, 9, "D"),
]


def test_every_word_has_an_event() -> None:
    assert word_starts("go on", [SpeechEvent(WORD, 5, 0), SpeechEvent(WORD, 70, 3)]) == [5, 70]


def test_a_word_that_is_joined_to_the_one_before_starts_with_its_first_phoneme() -> None:
    assert word_starts("from the bridge", FROM_THE_BRIDGE) == [0, 5093, 7226]


@pytest.mark.parametrize(
    ("text", "events"),
    [
        ("from a bridge", [FROM_THE_BRIDGE[0], SpeechEvent(WORD, 7226, 7)]),  # no known phoneme
        ("from the bridge", [FROM_THE_BRIDGE[0], SpeechEvent(WORD, 7226, 9)]),  # no phoneme events
        ("x-ray", [SpeechEvent(WORD, 0, 0), SpeechEvent(WORD, 90, 2)]),  # two words of eSpeak NG
        ("go on", [SpeechEvent(WORD, 70, 0), SpeechEvent(WORD, 5, 3)]),
        ("go", []),
    ],
)
def test_events_of_other_words_are_refused(text: str, events: list[SpeechEvent]) -> None:
    with pytest.raises(DataError, match=f"{text}: words of eSpeak NG are not those of the text"):
        word_starts(text, events)


@pytest.mark.parametrize("voice", NOISE_FREE_VOICES)
def test_all_words_of_the_grammar_are_told_in_every_voice(voice: str) -> None:
    pytest.importorskip("espeakng_loader")
    rng = random.Random(voice)
    circumstances = [f"{where} the {place}" for where in grammar.PREPOSITIONS for place in grammar.PLACES]
    commands = [
        f"{rng.choice(grammar.VERBS)} the {adjective} {noun}"
        for adjective in grammar.ADJECTIVES
        for noun in rng.sample(grammar.NOUNS, 3)
    ]
    texts = [*grammar.TIMES, *circumstances, *commands]
    phrases = [Phrase(text, voice, rng.choice((110, 170, 260)), rng.choice((30, 60)), 50) for text in texts]
    for phrase, sound in zip(phrases, Synthesizer().speak(phrases), strict=True):
        edges = [*sound.word_starts, len(sound.samples)]
        assert len(edges) == len(phrase.text.split()) + 1
        assert (np.diff(edges) > 0.03 * 22050).all(), phrase  # no word is shorter than 30 ms


def test_a_word_s_start_is_where_the_sounds_of_two_phrases_begin_to_differ() -> None:
    """What is spoken before a word's first sound is the same whatever the word is."""
    pytest.importorskip("espeakng_loader")
    synthesizer = Synthesizer()
    for first, second in (("open the box", "open the cup"), ("hold the lamp", "hold the door")):
        phrases = [Phrase(text, "en-us", 150, 50, 0) for text in (first, second)]
        one, other = (synthesizer.speak([phrase])[0] for phrase in phrases)
        start = min(one.word_starts[2], other.word_starts[2])
        length = min(len(one.samples), len(other.samples))
        differ = np.flatnonzero(np.abs(one.samples[:length].astype(int) - other.samples[:length]) > 1000)
        assert abs(differ[0] - start) < 0.06 * synthesizer.sample_rate
