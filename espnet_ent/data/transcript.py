"""What the system says about a recording: words, emotions, and when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from espnet_ent.timeline import EmotionTimeline


@dataclass(frozen=True)
class Word:
    """A word and its time in seconds.

    Attributes:
        start: Where its first token was emitted.
        end: Where the next word starts, or its longest duration ends (see :func:`espnet_ent.data.words.word_ends`).
        word: The word.
        confidence: Geometric mean of the probabilities of its tokens, each given those before it; None if unknown.
        emotion: The most probable emotion, on average over the frames of the word; None without an emotion lattice.
        emotion_probability: That average probability.
    """

    start: float
    end: float
    word: str
    confidence: float | None = None
    emotion: str | None = None
    emotion_probability: float | None = None


@dataclass(frozen=True)
class Alternative:
    """One of the n best texts of a recording, with its score (natural logarithm; see ``Hypothesis.total_score``)."""

    text: str
    score: float


@dataclass(frozen=True, eq=False)
class EmotionTranscript:
    """Transcript, utterance emotion and emotion timeline of one recording; None what a model does not tell.

    Attributes:
        text: Recognised words.
        emotion: Emotion of the utterance.
        posteriors: float32 (E,), probability of each emotion, in the order of the inventory.
        words: Words with times.
        timeline: Emotion at every instant.
        frame_posteriors: float32 (T, E), probability of each emotion in each encoder frame.
        duration: Length of the recording in seconds.
        nbest: The best texts, best first, where more than one was asked for.
        remark: Why nothing was searched (``empty``, ``silent``), or ``short`` where silence was added; None otherwise.
    """

    text: str
    emotion: str | None
    posteriors: np.ndarray | None
    words: tuple[Word, ...]
    timeline: EmotionTimeline | None
    frame_posteriors: np.ndarray | None
    duration: float
    nbest: tuple[Alternative, ...] = ()
    remark: str | None = None
