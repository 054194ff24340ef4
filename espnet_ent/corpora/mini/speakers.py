"""Synthetic speakers: a voice of eSpeak NG, a pitch, a speaking rate, a vocal tract and a room."""

from __future__ import annotations

import random
from dataclasses import dataclass

NOISE_FREE_VOICES = ("en-us", "en-us+f1", "en-us+m1", "en-us+m3", "en-us+m7", "en-us+klatt")
"""Voices whose source holds no noise; breathy ones draw theirs from the clock and are not repeatable."""


@dataclass(frozen=True)
class Speaker:
    """A synthetic speaker.

    Attributes:
        name: Identifier, unique in the corpus.
        voice: Voice name of eSpeak NG.
        pitch: Pitch setting of eSpeak NG (0-99) in neutral speech.
        pitch_range: Pitch range setting (0-99) in neutral speech.
        words_per_minute: Speaking rate in neutral speech.
        vocal_tract: Factor on all formants and on the pitch.
        level_db: Gain of the microphone.
        tilt: Coefficient of a one-zero filter: positive dampens high frequencies.
        noise_db: Level of the room's noise relative to full scale.
    """

    name: str
    voice: str
    pitch: float
    pitch_range: float
    words_per_minute: float
    vocal_tract: float
    level_db: float
    tilt: float
    noise_db: float


def make_speaker(name: str, female: bool, number: int, seed: int) -> Speaker:
    """Draw a speaker; ``number`` walks through the voices so that neighbours differ."""
    rng = random.Random(f"{seed}/speaker/{name}")
    return Speaker(
        name=name,
        voice=NOISE_FREE_VOICES[number % len(NOISE_FREE_VOICES)],
        pitch=rng.uniform(48, 64) if female else rng.uniform(32, 50),
        pitch_range=rng.uniform(38, 58),
        words_per_minute=rng.uniform(175, 215),
        vocal_tract=rng.uniform(1.02, 1.14) if female else rng.uniform(0.92, 1.03),
        level_db=rng.uniform(-2.5, 2.5),
        tilt=rng.uniform(-0.1, 0.1),
        noise_db=rng.uniform(-62, -50),
    )
