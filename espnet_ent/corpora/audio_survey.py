"""Length, rate and content of a corpus's audio files, and what is wrong with them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from espnet_ent.data.audio import audio_info, read_audio
from espnet_ent.data.worker_pool import worker_pool
from espnet_ent.errors import AudioError
from espnet_ent.frames import samples_to_seconds

Progress = Callable[[Iterable], Iterable]


@dataclass(frozen=True)
class AudioFacts:
    """What is known of an audio file after decoding all of it.

    Attributes:
        num_samples: Samples of each channel; 0 if it can't be read.
        sample_rate: Samples a second.
        channels: Number of channels.
        content: SHA-256 over its samples (channels averaged) and rate: the same for a copy in another lossless format.
        is_silent: Whether all samples are 0.
        error: What is wrong with it; None: nothing.
        error_detail: Particulars.
    """

    num_samples: int = 0
    sample_rate: int = 0
    channels: int = 0
    content: str = ""
    is_silent: bool = False
    error: str | None = None
    error_detail: str = ""

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return samples_to_seconds(self.num_samples, self.sample_rate) if self.sample_rate else 0.0


def survey_audio(paths: Iterable[str], nj: int = 1, progress: Progress = iter) -> dict[str, AudioFacts]:
    """Decode every file once.

    Args:
        paths: Audio files; one that occurs several times is read once.
        nj: Parallel processes; the result does not depend on it.
        progress: Wraps the iterable of files.
    """
    files = list(dict.fromkeys(paths))
    if nj <= 1 or len(files) < 2:
        return {path: _facts(path) for path in progress(files)}
    with worker_pool(nj) as pool:
        facts = pool.map(_facts, files, chunksize=1 if len(files) < 16 * nj else 8)
        return dict(zip(progress(files), facts, strict=True))


def _facts(path: str) -> AudioFacts:
    try:
        info = audio_info(path)
        samples = read_audio(path, info.sample_rate)
    except AudioError as error:
        return AudioFacts(error=error.what, error_detail=_detail(error))
    digest = hashlib.sha256(f"{info.sample_rate} ".encode() + samples.tobytes())
    return AudioFacts(info.num_samples, info.sample_rate, info.channels, digest.hexdigest(), not samples.any())


def _detail(error: AudioError) -> str:
    parts = [str(error.where)]
    parts += [f"expected {error.expected}"] if error.expected is not None else []
    parts += [f"got {error.got}"] if error.got is not None else []
    return "; ".join(parts)
