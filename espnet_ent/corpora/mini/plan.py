"""Which utterances the mini corpus holds: who says what, how, and where the emotion is."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass

from espnet_ent.corpora.mini.acoustics import SpokenPhrase
from espnet_ent.corpora.mini.grammar import Sentence, SentenceStream
from espnet_ent.corpora.mini.prosody import sample_prosody
from espnet_ent.corpora.mini.speakers import Speaker, make_speaker

NUM_SESSIONS = 5
_DIALOGS_PER_SESSION = 8
_NUM_PHRASES = {2: 0.65, 3: 0.25, 4: 0.10}  # probability of each number of phrases
_UNUSED_LABELS = {
    "fru": "ang",
    "xxx": "neu",
}  # labels outside the four classes, and the prosody given to them
_ZED_PATTERNS = (("n", "e"), ("e", "n"), ("n", "e", "n"))
_ZED_EMOTIONS = ("hap", "ang", "sad")
_ZED_NAMES = {"hap": "happy", "ang": "angry", "sad": "sad"}
_ZED_SPEAKERS = 4


@dataclass(frozen=True)
class MiniSize:
    """How much to make.

    Attributes:
        per_class: Utterances of each of the four classes in each session (happiness is half ``hap``, half
            ``exc``); even.
        unused_per_session: Utterances in each session with a label that the four classes leave out.
        zed_per_speaker: Utterances of each of the four speakers of either ZED-like part.
    """

    per_class: int = 60
    unused_per_session: int = 4
    zed_per_speaker: int = 30


@dataclass(frozen=True)
class PlannedUtterance:
    """An utterance before it is spoken.

    Attributes:
        utt_id: Identifier in the corpus.
        group: Session and dialog (IEMOCAP part) or the part's name (ZED parts).
        label: Raw label of the utterance as its corpus writes it.
        speaker: Who speaks.
        phrases: What is said, with the emotion of each phrase.
    """

    utt_id: str
    group: tuple[str, ...]
    label: str
    speaker: Speaker
    phrases: tuple[SpokenPhrase, ...]

    @property
    def text(self) -> str:
        """All words."""
        return " ".join(phrase.text for phrase in self.phrases)

    @property
    def has_timeline(self) -> bool:
        """Whether its corpus tells when the emotion is there (the ZED-like parts)."""
        return len(self.group) == 1


def sentence_stream(seed: int) -> SentenceStream:
    """The sentences of a seed, in the order in which corpora draw them."""
    return SentenceStream(random.Random(f"{seed}/sentences"))


def plan_corpus(seed: int, size: MiniSize, stream: SentenceStream | None = None) -> list[PlannedUtterance]:
    """All utterances of the IEMOCAP-like part and both ZED-like parts.

    Sessions and ZED-like parts share no sentence.

    Args:
        seed: Seed of speakers, labels and prosody.
        size: How much to plan.
        stream: Where sentences are drawn from; by default the one of the seed.
    """
    stream = stream or sentence_stream(seed)
    planned = [
        utterance for session in range(1, NUM_SESSIONS + 1) for utterance in _plan_session(session, seed, size, stream)
    ]
    for number, part in enumerate(("dev", "test")):
        planned.extend(_plan_zed(part, number, seed, size, stream))
    return planned


def _plan_session(session: int, seed: int, size: MiniSize, stream: SentenceStream) -> list[PlannedUtterance]:
    rng = random.Random(f"{seed}/session/{session}")
    speakers = {
        sex: make_speaker(f"Ses{session:02d}{sex}", sex == "F", 2 * session + (sex == "M"), seed) for sex in "FM"
    }
    planned = []
    for number, (label, sentence) in enumerate(_script(size, stream, rng)):
        dialog_number = number % _DIALOGS_PER_SESSION
        kind = "impro" if dialog_number % 4 < 2 else "script"
        dialog = f"Ses{session:02d}{'FM'[dialog_number // 4]}_{kind}{dialog_number % 4 + 1:02d}"
        turn, sex = number // _DIALOGS_PER_SESSION // 2, "FM"[number // _DIALOGS_PER_SESSION % 2]
        planned.append(
            PlannedUtterance(
                utt_id=f"{dialog}_{sex}{turn:03d}",
                group=(f"Session{session}", dialog),
                label=label,
                speaker=speakers[sex],
                phrases=phrases_of_label(label, sentence, rng),
            )
        )
    return planned


def _script(size: MiniSize, stream: SentenceStream, rng: random.Random) -> list[tuple[str, Sentence]]:
    """Labels and sentences of a session, shuffled.

    Every sentence is spoken once in each of the four classes: words tell nothing about the emotion, not even to a model
    that knows its training sentences by heart.
    """
    script = []
    for number in range(size.per_class):
        sentence = stream.draw(draw_num_phrases(rng))
        script += [(label, sentence) for label in ("neu", "ang", "sad", ("hap", "exc")[number % 2])]
    labels = list(_UNUSED_LABELS)
    for number in range(size.unused_per_session):
        script.append((labels[number % len(labels)], stream.draw(draw_num_phrases(rng))))
    rng.shuffle(script)
    return script


def draw_num_phrases(rng: random.Random) -> int:
    """How many phrases a sentence has."""
    return rng.choices(list(_NUM_PHRASES), list(_NUM_PHRASES.values()))[0]


def phrases_of_label(label: str, sentence: Sentence, rng: random.Random) -> tuple[SpokenPhrase, ...]:
    """Phrases of a sentence spoken with a label of IEMOCAP.

    Half of the emotional utterances are emotional only on a stretch, at either end, of half the phrases or more.
    """
    emotion = _UNUSED_LABELS.get(label, label)
    emotions = [emotion] * len(sentence)
    if emotion != "neu" and rng.random() < 0.5:
        num_neutral = rng.randint(1, len(sentence) // 2)
        emotions[:num_neutral] = ["neu"] * num_neutral
        if rng.random() < 0.5:
            emotions.reverse()
    return _spoken(sentence, emotions, rng)


def _spoken(sentence: Sentence, emotions: Sequence[str], rng: random.Random) -> tuple[SpokenPhrase, ...]:
    """Phrases with the prosody of their emotions; neighbours of one emotion share one prosody."""
    prosody = [sample_prosody(emotions[0], rng)]
    for previous, emotion in itertools.pairwise(emotions):
        prosody.append(prosody[-1] if emotion == previous else sample_prosody(emotion, rng))
    return tuple(map(SpokenPhrase, sentence, emotions, prosody))


def _plan_zed(part: str, part_number: int, seed: int, size: MiniSize, stream: SentenceStream) -> list[PlannedUtterance]:
    rng = random.Random(f"{seed}/zed/{part}")
    planned = []
    for speaker_number in range(_ZED_SPEAKERS):
        name = f"zed{part}{speaker_number + 1}"
        voice = part_number * _ZED_SPEAKERS + speaker_number + 1
        speaker = make_speaker(name, speaker_number % 2 == 0, voice, seed)
        for number in range(size.zed_per_speaker):
            emotion = _ZED_EMOTIONS[number % len(_ZED_EMOTIONS)]
            pattern = _ZED_PATTERNS[number // len(_ZED_EMOTIONS) % len(_ZED_PATTERNS)]
            emotions = [emotion if letter == "e" else "neu" for letter in pattern for _ in range(rng.randint(1, 2))]
            planned.append(
                PlannedUtterance(
                    utt_id=f"{name}_{number + 1:03d}",
                    group=(f"ZED_mini_{part}",),
                    label=_ZED_NAMES[emotion],
                    speaker=speaker,
                    phrases=_spoken(stream.draw(len(emotions)), emotions, rng),
                )
            )
    return planned
