"""Audio in all forms in which a caller may have it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from espnet_ent.data.recording import Recording, lower_rate
from espnet_ent.errors import AudioError

Audio = str | Path | bytes | BinaryIO | np.ndarray | tuple[np.ndarray, int]
"""A path, the content of a file, an open file, samples, or samples with their rate."""
_EXPECTED = "a path, bytes, a binary file, samples (N,) or (N, channels), or a pair (samples, rate)"


def recording_of(audio: Audio, sample_rate: int, given_rate: int | None = None) -> Recording:
    """Audio as a recording at the wanted rate, averaged over channels.

    Args:
        audio: Audio; a path may also be an entry ``file.ark:offset``. Samples are floating-point numbers, or signed
            or unsigned integers of full scale.
        sample_rate: Wanted samples a second.
        given_rate: Rate of samples that come without one; None: the wanted one.

    Raises:
        AudioError: If it can't be read, or is nothing of the kind.
    """
    if isinstance(audio, (str, Path, bytes)):
        return Recording.of_file(audio, sample_rate, resample=True)
    if isinstance(audio, (bytearray, memoryview)):
        return Recording.of_file(bytes(audio), sample_rate, resample=True)
    if hasattr(audio, "read"):
        content = audio.read()
        if not isinstance(content, bytes):
            raise AudioError("the file was opened as text", expected='open(path, "rb")')
        return Recording.of_file(content, sample_rate, resample=True)
    if isinstance(audio, tuple):
        if len(audio) != 2:
            raise AudioError("not audio", expected="a pair (samples, rate in Hz)", got=f"a tuple of {len(audio)}")
        audio, given_rate = audio[0], _hertz(audio[1])
    rate = sample_rate if given_rate is None else _hertz(given_rate)
    samples = _mono(audio)
    if not np.isfinite(samples).all():
        raise AudioError("samples are not finite")
    samples = _resampled(samples, rate, sample_rate)
    return Recording.of_samples(samples, lower_rate(rate, sample_rate) if len(samples) else None)


def _hertz(rate: Any) -> int:
    """A sample rate that a caller gave."""
    is_number = isinstance(rate, (int, float, np.integer, np.floating)) and not isinstance(rate, bool)
    if is_number and rate >= 1 and float(rate).is_integer():
        return int(rate)
    raise AudioError("not a sample rate", expected="a whole number of Hz, 1 or more", got=repr(rate))


def _mono(samples: Any) -> np.ndarray:
    """float32 (N,) of samples (N,) or (N, channels)."""
    if not hasattr(samples, "__array__"):
        raise AudioError("not audio", expected=_EXPECTED, got=type(samples).__name__)
    samples = np.asarray(samples)
    if samples.dtype.kind not in "fiu":
        raise AudioError("not audio", expected="floating-point or whole numbers", got=samples.dtype)
    if samples.ndim not in (1, 2) or (samples.ndim == 2 and samples.shape[1] == 0):
        raise AudioError("not audio", expected="samples (N,) or (N, channels)", got=samples.shape)
    if samples.ndim == 2 and samples.shape[1] > samples.shape[0] > 0:
        raise AudioError(
            "more channels than samples", expected="(N, channels)", got=samples.shape, next_step="transpose them"
        )
    if samples.dtype.kind == "u":
        half = 2.0 ** (8 * samples.dtype.itemsize - 1)
        samples = samples / half - 1.0
    elif samples.dtype.kind == "i":
        samples = samples / 2.0 ** (8 * samples.dtype.itemsize - 1)
    mono = samples if samples.ndim == 1 else samples.mean(axis=1)
    return np.ascontiguousarray(mono, dtype=np.float32)


def _resampled(samples: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    if rate == wanted or len(samples) == 0:
        return samples
    import soxr

    return soxr.resample(samples, rate, wanted)
