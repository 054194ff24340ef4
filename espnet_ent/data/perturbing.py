"""Speed perturbation (stage 2): audio, speakers, and times of emotions and of words are carried along."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import soxr

from espnet_ent.data.atomic import atomic_directory
from espnet_ent.data.audio import audio_info, read_audio, write_pcm16
from espnet_ent.data.datadir import read_data_dir, write_tables
from espnet_ent.data.provenance import digest_audio, digest_data_dir, is_made_from, write_provenance
from espnet_ent.data.utterance import Utterance, WordTime
from espnet_ent.data.worker_pool import worker_pool
from espnet_ent.errors import ConfigError
from espnet_ent.frames import samples_to_seconds
from espnet_ent.timeline import EmotionSegment

Progress = Callable[[Iterable], Iterable]
_SLOWEST, _FASTEST = 0.5, 2.0


def perturb_speed(samples: np.ndarray, factor: float, sample_rate: int) -> np.ndarray:
    """Samples (N,) played ``factor`` times as fast (pitch changes too), about N / factor of them."""
    return soxr.resample(samples, sample_rate * factor, sample_rate).astype(np.float32)


def perturb_data_dir(
    data: str | Path,
    out: str | Path,
    factors: Sequence[float],
    sample_rate: int = 16000,
    nj: int = 1,
    progress: Progress = iter,
    *,
    resample: bool = False,
) -> bool:
    """Write a data directory with a copy of every utterance at each speed.

    Copies are named ``sp<factor>-<utt>``, their speakers ``sp<factor>-<speaker>``: a changed pitch is another speaker.
    Factor 1 is the original, untouched. Times of emotion segments and of words are divided by the
    factor.

    Args:
        data: Data directory.
        out: Directory to make; new audio lies in ``<out>/audio``.
        factors: Speeds, such as 0.9 1.0 1.1.
        sample_rate: Samples a second.
        nj: Parallel processes.
        progress: Wraps the iterable of finished utterances.
        resample: Convert audio of another rate, which is an error otherwise.

    Returns:
        False if ``out`` was made from just this before and was left alone.

    Raises:
        ConfigError: If a factor is out of range or occurs twice.
    """
    in_range = all(_SLOWEST <= factor <= _FASTEST for factor in factors)
    if not factors or not in_range or len(set(factors)) != len(factors):
        raise ConfigError(
            "speed factors are missing, out of range or twice", expected=f"{_SLOWEST} to {_FASTEST}", got=list(factors)
        )
    data, out = Path(data), Path(out)
    utterances = read_data_dir(data)
    made_from = {
        "data": digest_data_dir(data),
        "audio": digest_audio(utterance.audio for utterance in utterances),
        "factors": list(factors),
        "fs": sample_rate,
        "resample": resample,
    }
    if is_made_from(out, made_from):
        return False
    jobs = [(utterance, factor) for factor in factors for utterance in utterances]
    with atomic_directory(out) as root:
        (root / "audio").mkdir()
        places = (root / "audio", out / "audio")
        work = partial(_perturb_one, places=places, sample_rate=sample_rate, resample=resample)
        with worker_pool(nj) as pool:
            perturbed = list(progress(pool.map(work, jobs, chunksize=8)))
        write_tables(root, perturbed)
        write_provenance(root, made_from)
    return True


def _perturb_one(
    job: tuple[Utterance, float], places: tuple[Path, Path], sample_rate: int, resample: bool
) -> Utterance:
    """Write a copy to the first place, where it lies until the directory is whole; it will lie in the second."""
    utterance, factor = job
    samples = read_audio(utterance.audio, sample_rate, resample=resample, start=utterance.start, end=utterance.end)
    if factor == 1:
        if utterance.start is None and audio_info(utterance.audio).sample_rate == sample_rate:
            return replace(utterance, num_samples=len(samples))
    else:
        samples = perturb_speed(samples, factor, sample_rate)
        utterance = replace(
            utterance,
            utt_id=f"sp{factor:g}-{utterance.utt_id}",
            speaker=f"sp{factor:g}-{utterance.speaker}",
            emo_segments=_scaled(utterance.emo_segments, factor, len(samples), sample_rate),
            word_times=_scaled_words(utterance.word_times, factor, samples_to_seconds(len(samples), sample_rate)),
        )
    name = f"{utterance.utt_id}.wav"
    write_pcm16(places[0] / name, samples, sample_rate, "wav")
    return replace(utterance, audio=str(places[1] / name), start=None, end=None, num_samples=len(samples))


def _scaled(
    segments: tuple[EmotionSegment, ...] | None, factor: float, num_samples: int, sample_rate: int
) -> tuple[EmotionSegment, ...] | None:
    if segments is None:
        return None
    duration = samples_to_seconds(num_samples, sample_rate)
    return tuple(
        EmotionSegment(segment.start / factor, min(segment.end / factor, duration), segment.label)
        for segment in segments
        if segment.start / factor < duration
    )


def _scaled_words(words: tuple[WordTime, ...] | None, factor: float, duration: float) -> tuple[WordTime, ...] | None:
    """No word is dropped: there must be as many as in the text."""
    if words is None:
        return None
    return tuple(WordTime(w.start / factor, min(w.end / factor, duration), w.word) for w in words)
