"""A recording that need not be in memory: its length, and how to read a part of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from espnet_ent.data.audio import audio_info, read_audio
from espnet_ent.errors import EmptyAudioError
from espnet_ent.frames import samples_to_seconds, seconds_to_samples


@dataclass(frozen=True, eq=False)
class Recording:
    """Audio at one sample rate.

    Attributes:
        num_samples: Its length.
        read: Gives the samples [start, end) as float32 (end - start,).
        low_rate: Rate in Hz that it was resampled from, where that is a lower one; None otherwise.
    """

    num_samples: int
    read: Callable[[int, int], np.ndarray]
    low_rate: int | None = None

    @classmethod
    def of_samples(cls, samples: np.ndarray, low_rate: int | None = None) -> Recording:
        """Samples (N,) that are in memory."""
        return cls(len(samples), lambda start, end: samples[start:end], low_rate)

    @classmethod
    def of_file(
        cls,
        source: str | Path | bytes,
        sample_rate: int,
        *,
        resample: bool = False,
        start: float | None = None,
        end: float | None = None,
    ) -> Recording:
        """A file, its content, or an ark entry, or a segment of it, read when it is needed.

        Arguments are those of :func:`read_audio`.

        A file without a sample is an empty recording.

        Raises:
            AudioError: If the file can't be read.
        """
        try:
            info = audio_info(source)
        except EmptyAudioError:
            return cls.of_samples(np.zeros(0, np.float32))
        offset = 0.0 if start is None else start
        length = samples_to_seconds(info.num_samples, info.sample_rate)
        last = length if end is None else min(end, length)
        num_samples = seconds_to_samples(max(0.0, last - offset), sample_rate)
        if num_samples == 0 and start is None:
            return cls.of_samples(np.zeros(0, np.float32))

        def read(first: int, after: int) -> np.ndarray:
            seconds = [offset + samples_to_seconds(sample, sample_rate) for sample in (first, after)]
            return read_audio(source, sample_rate, resample=resample, start=seconds[0], end=seconds[1])

        return cls(num_samples, read, lower_rate(info.sample_rate, sample_rate))

    def loaded(self) -> Recording:
        """The same with its samples in memory.

        Raises:
            AudioError: If they can't be read.
        """
        return self.of_samples(self.read(0, self.num_samples), self.low_rate)


def lower_rate(rate: int, wanted: int) -> int | None:
    """``rate`` if it is lower than the wanted one."""
    return rate if rate < wanted else None


def low_rate_note(counts: Mapping[int, int], wanted: int) -> str:
    """One line on all recordings that lack what a model has learned from.

    Args:
        counts: Number of recordings by their rate in Hz, all of them below the wanted one.
        wanted: Rate of the model in Hz.
    """
    total = sum(counts.values())
    rates = ", ".join(f"{rate} Hz: {number}" for rate, number in sorted(counts.items()))
    return (
        f"{total} recording{' has' if total == 1 else 's have'} a lower sampling rate than the model's {wanted} Hz "
        f"({rates}); frequencies above half their rate are missing, and the model has learned from speech that has them"
    )
