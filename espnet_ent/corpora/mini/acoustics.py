"""From synthesised phrases to a recording: vocal tract, spectral tilt, breath, level, joining, room noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import soxr
from scipy.signal import lfilter

from espnet_ent.corpora.mini.prosody import Prosody
from espnet_ent.corpora.mini.speakers import Speaker
from espnet_ent.corpora.mini.synthesis import Phrase
from espnet_ent.frames import samples_to_seconds, seconds_to_samples

SAMPLE_RATE = 16000
_SILENCE = 200 / 32768  # eSpeak NG ends phrases with near-silence; what lies below this is cut off
_BREATH_BANDPASS = [1.0, -0.7]  # aspiration noise is stronger at high frequencies
_REFERENCE_RMS = 0.06
_ROUGHNESS_HZ = (30.0, 40.0)  # slower than the pitch: heard as a rough voice


@dataclass(frozen=True)
class SpokenPhrase:
    """What to say and how."""

    text: str
    emotion: str
    prosody: Prosody


@dataclass(frozen=True)
class Recording:
    """A joined recording.

    Attributes:
        samples: float64 (num_samples,) at 16 kHz, inside [-1, 1].
        boundaries: Times in seconds between phrases, in the middle of the pauses.
    """

    samples: np.ndarray
    boundaries: tuple[float, ...]


def to_phrase(speaker: Speaker, spoken: SpokenPhrase) -> Phrase:
    """The synthesiser's settings for a phrase; undoes what the vocal-tract scaling will do to the rate."""
    return Phrase(
        text=spoken.text,
        voice=speaker.voice,
        words_per_minute=speaker.words_per_minute * spoken.prosody.rate / speaker.vocal_tract,
        pitch=speaker.pitch + spoken.prosody.pitch,
        pitch_range=speaker.pitch_range * spoken.prosody.pitch_range,
    )


def render(
    speaker: Speaker,
    spoken: Sequence[SpokenPhrase],
    spoken_samples: Sequence[np.ndarray],
    source_rate: int,
    rng: np.random.Generator,
) -> Recording:
    """Make the recording of an utterance from its synthesised phrases.

    Args:
        speaker: Who speaks.
        spoken: The phrases, in order.
        spoken_samples: int16 (num_samples,) for each phrase, at ``source_rate``.
        source_rate: Sample rate of the synthesiser.
        rng: Source of pauses and noise.
    """
    pieces: list[np.ndarray] = [_pause(rng)]
    boundaries: list[float] = []
    length = len(pieces[0])
    for number, (phrase, samples) in enumerate(zip(spoken, spoken_samples, strict=True)):
        if number > 0:
            pause = _pause(rng)
            boundaries.append(samples_to_seconds(length + len(pause) // 2, SAMPLE_RATE))
            pieces.append(pause)
            length += len(pause)
        piece = _shape(samples / 32768.0, speaker, phrase.prosody, source_rate, rng)
        pieces.append(piece)
        length += len(piece)
    pieces.append(_pause(rng))
    joined = np.concatenate(pieces)
    joined = joined + rng.standard_normal(len(joined)) * 10 ** (speaker.noise_db / 20)
    return Recording(np.clip(joined, -1.0, 1.0), tuple(boundaries))


def _pause(rng: np.random.Generator) -> np.ndarray:
    return np.zeros(seconds_to_samples(rng.uniform(0.04, 0.12), SAMPLE_RATE))


def _shape(
    samples: np.ndarray, speaker: Speaker, prosody: Prosody, source_rate: int, rng: np.random.Generator
) -> np.ndarray:
    loud = np.flatnonzero(np.abs(samples) > _SILENCE)
    if len(loud):
        samples = samples[loud[0] : loud[-1] + 1]
    # Reading at a rate that is vocal_tract times too high scales formants and pitch alike.
    samples = soxr.resample(samples, source_rate * speaker.vocal_tract, SAMPLE_RATE)
    tilt = float(np.clip(speaker.tilt + prosody.tilt, -0.9, 0.9))
    samples = lfilter([1.0, tilt], [1.0], samples)
    rms = np.sqrt(np.mean(samples**2)) + 1e-9
    samples = samples / rms * _REFERENCE_RMS
    envelope = np.sqrt(lfilter([0.01], [1.0, -0.99], samples**2))
    time = np.arange(len(samples)) / SAMPLE_RATE
    phase = 2 * np.pi * (rng.uniform(*_ROUGHNESS_HZ) * time + rng.uniform())
    samples = samples * (1 - np.clip(prosody.roughness, 0, 0.9) * (0.5 + 0.5 * np.cos(phase)))
    breath = lfilter(_BREATH_BANDPASS, [1.0], rng.standard_normal(len(samples)))
    samples = samples + breath * envelope * 10 ** (prosody.breath_db / 20)
    return samples * 10 ** ((speaker.level_db + prosody.level_db) / 20)
