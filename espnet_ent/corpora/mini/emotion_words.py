"""A mini corpus whose words tell a part of the emotion, and whose voice need not tell all of it.

Every utterance gets a remark with one emotion word, e.g. ``that is so lovely``. The remark's frame and place belong to
the sentence, which is spoken once in each class: nothing but the emotion word tells classes apart.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from espnet_ent.corpora.mini.acoustics import SpokenPhrase
from espnet_ent.corpora.mini.plan import PlannedUtterance
from espnet_ent.corpora.mini.prosody import sample_prosody
from espnet_ent.errors import ConfigError
from espnet_ent.labels import FOUR_EMOTIONS

EMOTION_WORDS = {
    "hap": ("lovely", "splendid", "jolly", "merry", "great"),
    "ang": ("rotten", "nasty", "unfair", "horrid", "stupid"),
    "sad": ("gloomy", "lonely", "dreary", "hopeless", "sorry"),
    "neu": ("usual", "normal", "common", "plain", "regular"),
}
REMARKS = ("that is so {}", "it seems {} to me", "what a {} day", "how {} it looks", "we call this {}")
_NEUTRAL = FOUR_EMOTIONS.neutral


@dataclass(frozen=True)
class EmotionCues:
    """How much of the emotion is in the words, and how much in the voice.

    Attributes:
        words: Share of the utterances, within each class of a session, whose emotion word is one of their class. Of the
            others, every second one has a neutral word, and the rest words of all classes in turn.
        voice: Share of the emotional utterances whose voice carries the emotion; the others sound neutral. In
            ZED-like parts, whose timelines say where the voice changes, all do.

    Raises:
        ConfigError: If a share is not in [0, 1].
    """

    words: float
    voice: float = 1.0

    def __post_init__(self) -> None:
        for option, share in (("emotion_words", self.words), ("emotion_voice", self.voice)):
            if not 0 <= share <= 1:
                raise ConfigError("not a share", where=f"option --{option}", expected="0 to 1", got=share)


def cues_of(words: float | None, voice: float = 1.0) -> EmotionCues | None:
    """Options of a command as :class:`EmotionCues`; None where words are to tell nothing.

    Raises:
        ConfigError: If a share is not in [0, 1], or the voice is to tell less without words that tell.
    """
    if words is None and voice != 1:
        raise ConfigError("nothing would tell the emotion", where="option --emotion_voice", expected="--emotion_words")
    return None if words is None else EmotionCues(words, voice)


def with_emotion_words(planned: Sequence[PlannedUtterance], cues: EmotionCues, seed: int) -> list[PlannedUtterance]:
    """The same utterances with remarks, in the same order.

    Args:
        planned: Utterances of a plan without remarks.
        cues: What tells the emotion.
        seed: Seed of the corpus.
    """
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, utterance in enumerate(planned):
        groups[utterance.group[0], utterance.label].append(number)
    changed = list(planned)
    for (part, label), members in groups.items():
        rng = random.Random(f"{seed}/emotion words/{part}/{label}")
        emotion = _emotion(planned[members[0]])
        words = _draw_words(emotion, len(members), cues.words, rng)
        sounds_neutral = [place >= round(cues.voice * len(members)) for place in range(len(members))]
        rng.shuffle(sounds_neutral)
        for number, word, flat in zip(members, words, sounds_neutral, strict=True):
            utterance = planned[number]
            if flat and emotion != _NEUTRAL and not utterance.has_timeline:
                utterance = _neutral_voice(utterance, rng)
            changed[number] = _with_remark(utterance, word, seed)
    return changed


def remark_of(sentence: str, word: str, seed: int) -> tuple[str, bool]:
    """The remark that goes with a sentence, and whether it comes first."""
    rng = random.Random(f"{seed}/remark/{sentence}")
    return rng.choice(REMARKS).format(word), rng.random() < 0.5


def _draw_words(emotion: str, number: int, share: float, rng: random.Random) -> list[str]:
    """Emotion words of the utterances of one class: exact shares, each word of an emotion about as often."""
    num_fitting = round(share * number)
    names = list(FOUR_EMOTIONS.names)
    rng.shuffle(names)
    others = range(number - num_fitting)
    told = [emotion] * num_fitting + [names[place // 2 % len(names)] if place % 2 else _NEUTRAL for place in others]
    rng.shuffle(told)
    bags: dict[str, list[str]] = {name: [] for name in names}
    words = []
    for name in told:
        if not bags[name]:
            bags[name] = rng.sample(EMOTION_WORDS[name], len(EMOTION_WORDS[name]))
        words.append(bags[name].pop())
    return words


def _emotion(utterance: PlannedUtterance) -> str:
    """The class whose voice an utterance has."""
    told = {FOUR_EMOTIONS.canonical(phrase.emotion) for phrase in utterance.phrases} - {_NEUTRAL}
    return told.pop() if told else _NEUTRAL


def _neutral_voice(utterance: PlannedUtterance, rng: random.Random) -> PlannedUtterance:
    prosody = sample_prosody(_NEUTRAL, rng)
    return replace(
        utterance, phrases=tuple(SpokenPhrase(phrase.text, _NEUTRAL, prosody) for phrase in utterance.phrases)
    )


def _with_remark(utterance: PlannedUtterance, word: str, seed: int) -> PlannedUtterance:
    """The remark sounds like the phrase beside it; with a timeline, it ends the emotional stretch."""
    text, is_first = remark_of(utterance.text, word, seed)
    phrases = list(utterance.phrases)
    if utterance.has_timeline:
        place = 1 + max(number for number, phrase in enumerate(phrases) if phrase.emotion != _NEUTRAL)
    else:
        place = 0 if is_first else len(phrases)
    phrases.insert(place, replace(phrases[max(0, place - 1)], text=text))
    return replace(utterance, phrases=tuple(phrases))
