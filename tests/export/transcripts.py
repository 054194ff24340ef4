"""Transcripts that the tests of output formats share."""

from __future__ import annotations

import numpy as np

from espnet_ent.data.transcript import Alternative, EmotionTranscript, Word
from espnet_ent.export.format import Transcribed
from espnet_ent.frames import FrameGrid
from espnet_ent.labels import FOUR_EMOTIONS
from espnet_ent.timeline import EmotionTimeline

GRID = FrameGrid(16000, 4000)  # 0.25 s
_FRAMES = [[0.1, 0.1, 0.1, 0.7], [0.0, 0.75, 0.0, 0.25], [0.0, 0.5, 0.25, 0.25], [0.0, 1.0, 0.0, 0.0]]


def sample(name: str = "first take", **changes: object) -> Transcribed:
    """Neutral, then angry; two words in one frame, and characters that formats have to escape."""
    duration = 1.125
    labels = [FOUR_EMOTIONS.names[int(np.argmax(row))] for row in _FRAMES]
    given = {
        "text": 'GO "R&B" NOW<',
        "emotion": "ang",
        "posteriors": np.array([0.05, 0.8, 0.05, 0.1], np.float32),
        "words": (
            Word(0.0, 0.25, "GO", 0.5, "neu", 0.7),
            Word(0.25, 0.5, '"R&B"', 0.25, "ang", 0.75),
            Word(0.25, 1.0, "NOW<", 1.0, "ang", 0.75),
        ),
        "timeline": EmotionTimeline.from_frames(labels, GRID, duration, "neu"),
        "frame_posteriors": np.array(_FRAMES, np.float32),
        "duration": duration,
        "emotions": FOUR_EMOTIONS.names,
        "grid": GRID,
        **changes,
    }
    return Transcribed(name, EmotionTranscript(**given))


SILENCE = sample("nothing", text="", words=(), remark="silent")
WITHOUT_TIMELINE = sample("flat", timeline=None, frame_posteriors=None)
WORDS_ALONE = sample("words", timeline=None, frame_posteriors=None, emotion=None, posteriors=None)
EMPTY = sample(
    "empty",
    text="",
    words=(),
    timeline=EmotionTimeline(0.0, (), "neu"),
    frame_posteriors=np.zeros((0, 4), np.float32),
    duration=0.0,
    nbest=(Alternative("", -np.inf),),
)
ALL = (sample(), SILENCE, WITHOUT_TIMELINE, WORDS_ALONE, EMPTY)
