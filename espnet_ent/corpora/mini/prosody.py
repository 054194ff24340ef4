"""Emotion as prosody: overlapping distributions around a speaker's neutral way of speaking."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Prosody:
    """Departure from a speaker's neutral speech.

    Attributes:
        rate: Factor on the speaking rate.
        pitch: Added to the pitch setting.
        pitch_range: Factor on the pitch range setting.
        level_db: Gain in dB.
        tilt: Added to the coefficient of the speaker's one-zero filter (negative is brighter, tenser).
        breath_db: Level of aspiration noise relative to the speech, in dB.
        roughness: Depth of a fast modulation of the amplitude (0 to 1); below 0 counts as 0.
    """

    rate: float
    pitch: float
    pitch_range: float
    level_db: float
    tilt: float
    breath_db: float
    roughness: float


# Centres of the four classes. Anger and happiness are close in pitch, energy and rate (arousal) and differ in voice
# quality, as in real speech; sadness is close to neutral. ``exc`` is happiness with more arousal.
_CENTRES = {
    "neu": Prosody(rate=1.00, pitch=0, pitch_range=1.00, level_db=0.0, tilt=0.00, breath_db=-40, roughness=0.0),
    "hap": Prosody(rate=1.06, pitch=13, pitch_range=1.65, level_db=1.5, tilt=-0.45, breath_db=-40, roughness=0.0),
    "exc": Prosody(rate=1.12, pitch=16, pitch_range=1.80, level_db=2.5, tilt=-0.50, breath_db=-40, roughness=0.0),
    "ang": Prosody(rate=1.13, pitch=6, pitch_range=1.10, level_db=5.0, tilt=-0.50, breath_db=-36, roughness=0.65),
    "sad": Prosody(rate=0.85, pitch=-7, pitch_range=0.60, level_db=-4.0, tilt=0.35, breath_db=-22, roughness=0.0),
}
EMOTIONS = tuple(_CENTRES)
_SPREAD = Prosody(rate=0.04, pitch=2.5, pitch_range=0.15, level_db=1.5, tilt=0.06, breath_db=2.0, roughness=0.08)


def sample_prosody(emotion: str, rng: random.Random) -> Prosody:
    """Draw the prosody of one phrase: the class centre, scaled by an intensity, plus individual variation."""
    neutral, centre = _CENTRES["neu"], _CENTRES[emotion]
    intensity = rng.uniform(0.9, 1.4)

    def draw(name: str) -> float:
        base = getattr(neutral, name)
        return base + intensity * (getattr(centre, name) - base) + rng.gauss(0, getattr(_SPREAD, name))

    return Prosody(**{name: draw(name) for name in Prosody.__dataclass_fields__})
