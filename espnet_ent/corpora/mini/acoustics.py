"""From synthesised phrases to a recording: vocal tract, spectral tilt, breath, level, joining, room noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import soxr
from scipy.signal import lfilter

from espnet_ent.corpora.mini.prosody import Prosody
from espnet_ent.corpora.mini.speakers import Speaker
from espnet_ent.corpora.mini.synthesis import Phrase, SpokenSound
from espnet_ent.data.utterance import WordTime
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
        words: All words; one ends where the next of its phrase starts, the last one where the phrase's sound ends.
    """

    samples: np.ndarray
    boundaries: tuple[float, ...]
    words: tuple[WordTime, ...]


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
    sounds: Sequence[SpokenSound],
    source_rate: int,
    rng: np.random.Generator,
) -> Recording:
    """Make the recording of an utterance from its synthesised phrases.

    Args:
        speaker: Who speaks.
        spoken: The phrases, in order.
        sounds: What the synthesiser made of each phrase, at ``source_rate``.
        source_rate: Sample rate of the synthesiser.
        rng: Source of pauses and noise.
    """
    pieces: list[np.ndarray] = [_pause(rng)]
    boundaries: list[float] = []
    words: list[WordTime] = []
    length = len(pieces[0])
    for number, (phrase, sound) in enumerate(zip(spoken, sounds, strict=True)):
        if number > 0:
            pause = _pause(rng)
            boundaries.append(samples_to_seconds(length + len(pause) // 2, SAMPLE_RATE))
            pieces.append(pause)
            length += len(pause)
        samples, num_cut = _without_silence(sound.samples / 32768.0)
        piece = _shape(samples, speaker, phrase.prosody, source_rate, rng)
        starts = [
            length + _resampled_length(max(0, start - num_cut), speaker, source_rate) for start in sound.word_starts
        ]
        pieces.append(piece)
        length += len(piece)
        words.extend(_word_times(phrase.text, [*starts, length]))
    pieces.append(_pause(rng))
    joined = np.concatenate(pieces)
    joined = joined + rng.standard_normal(len(joined)) * 10 ** (speaker.noise_db / 20)
    return Recording(np.clip(joined, -1.0, 1.0), tuple(boundaries), tuple(words))


def _pause(rng: np.random.Generator) -> np.ndarray:
    return np.zeros(seconds_to_samples(rng.uniform(0.04, 0.12), SAMPLE_RATE))


def _without_silence(samples: np.ndarray) -> tuple[np.ndarray, int]:
    """Samples without the silence at both ends, and how many were cut off at the start."""
    loud = np.flatnonzero(np.abs(samples) > _SILENCE)
    return (samples[loud[0] : loud[-1] + 1], int(loud[0])) if len(loud) else (samples, 0)


def _resampled_length(num_samples: int, speaker: Speaker, source_rate: int) -> int:
    """How many samples at 16 kHz :func:`_shape` makes of samples of the synthesiser."""
    return round(num_samples * SAMPLE_RATE / (source_rate * speaker.vocal_tract))


def _word_times(text: str, edges: Sequence[int]) -> list[WordTime]:
    """Words of a phrase, from the sample at which each starts and that at which the last one ends."""
    seconds = [samples_to_seconds(edge, SAMPLE_RATE) for edge in edges]
    return [WordTime(*times, word) for times, word in zip(pairwise(seconds), text.split(), strict=True)]


def _shape(
    samples: np.ndarray, speaker: Speaker, prosody: Prosody, source_rate: int, rng: np.random.Generator
) -> np.ndarray:
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
