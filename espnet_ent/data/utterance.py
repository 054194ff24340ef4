"""An utterance as data directories describe it."""

from __future__ import annotations

from dataclasses import dataclass

from espnet_ent.errors import DataError
from espnet_ent.timeline import EmotionSegment


@dataclass(frozen=True)
class WordSpan:
    """One emotion over the words ``first`` to ``last`` (inclusive, counted from 0)."""

    first: int
    last: int
    label: str


@dataclass(frozen=True, order=True)
class WordTime:
    """A word and when it is said, in seconds from the utterance's start."""

    start: float
    end: float
    word: str

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end < float("inf"):
            raise DataError("times of a word are reversed or negative", got=f"{self.start:g} {self.end:g} {self.word}")


@dataclass(frozen=True)
class Utterance:
    """An utterance.

    Attributes:
        utt_id: Identifier.
        speaker: Speaker identifier.
        audio: Path of an audio file, or an entry ``file.ark:offset``.
        text: Transcript, or None where nobody has transcribed the utterance.
        emotion: Emotion of the utterance, or None where the corpus has none.
        emo_segments: Emotional segments, or None where their times are not known.
        emo_words: Emotional spans of words, or None where they are not known.
        word_times: When each word of the text is said, or None where that is not known.
        start: Start in ``audio`` in seconds; None: the whole file.
        end: End in ``audio`` in seconds.
        num_samples: Length, where it has been counted.
    """

    utt_id: str
    speaker: str
    audio: str
    text: str | None = None
    emotion: str | None = None
    emo_segments: tuple[EmotionSegment, ...] | None = None
    emo_words: tuple[WordSpan, ...] | None = None
    word_times: tuple[WordTime, ...] | None = None
    start: float | None = None
    end: float | None = None
    num_samples: int | None = None
