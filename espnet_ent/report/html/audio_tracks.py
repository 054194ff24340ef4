"""Waveforms and audio for a page: peaks to draw, and compressed sound as far as the budget goes."""

from __future__ import annotations

import base64
import io
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import soundfile

from espnet_ent.data.audio import read_audio
from espnet_ent.errors import AudioError, ConfigError
from espnet_ent.frames import samples_to_seconds
from espnet_ent.report.html.quantised import quantised

AUDIO_KINDS = ("embed", "link", "none")
PLAYBACK_RATE = 16000
"""Samples a second of what is drawn and played; other rates are converted."""
_PEAKS_PER_SECOND = 100
_MOST_PEAKS = 60_000
# MP3 is what every browser plays. LAME writes how much it padded, so that players keep time with the waveform; at the
# lowest rates of libsndfile's scale it does not.
_FORMAT = {"format": "MP3", "subtype": "MPEG_LAYER_III"}
_QUALITY = {"compression_level": 0.9, "bitrate_mode": "AVERAGE"}
_BYTES_PER_SECOND = 3400
_MEGABYTE = 1_000_000
_BASE64 = 4 / 3


@dataclass(frozen=True)
class AudioOptions:
    """How sound gets into a page.

    Attributes:
        kind: ``embed``: compressed, in the page; ``link``: the page plays files beside it; ``none``: none.
        megabytes: Most that embedded sound takes of the page.

    Raises:
        ConfigError: If the kind is unknown or the budget negative.
    """

    kind: str = "embed"
    megabytes: float = 20.0

    def __post_init__(self) -> None:
        if self.kind not in AUDIO_KINDS:
            raise ConfigError("unknown kind of audio", expected=" | ".join(AUDIO_KINDS), got=repr(self.kind))
        if not self.megabytes >= 0:
            raise ConfigError("budget of audio out of range", expected="0 MB or more", got=self.megabytes)


@dataclass(frozen=True)
class AudioSource:
    """A recording, or a part of it.

    Attributes:
        audio: A path, an ark entry ``file.ark:offset``, or float samples (N,) at ``sample_rate``.
        sample_rate: That of samples; files have their own.
        start: Start in the file in seconds; None: the beginning.
        end: End in the file in seconds; None: the end.
    """

    audio: str | Path | np.ndarray
    sample_rate: int = 16000
    start: float | None = None
    end: float | None = None

    def read(self) -> np.ndarray:
        """float32 samples (N,) at :data:`PLAYBACK_RATE`.

        Raises:
            AudioError: If the file can't be read.
        """
        if not isinstance(self.audio, np.ndarray):
            return read_audio(self.audio, PLAYBACK_RATE, resample=True, start=self.start, end=self.end)
        samples = self.audio.astype(np.float32)
        if self.sample_rate == PLAYBACK_RATE or not len(samples):
            return samples
        import soxr

        return soxr.resample(samples, self.sample_rate, PLAYBACK_RATE)

    @property
    def file(self) -> Path | None:
        """The file that holds this recording and nothing else, or None."""
        if isinstance(self.audio, np.ndarray) or self.start is not None:
            return None
        path = Path(self.audio)
        return path if path.is_file() else None


class AudioTracks:
    """Gives the tracks of a page, one after the other, until the budget is spent.

    Args:
        options: How, and how much.
        beside: Directory of the page, which links start from.

    Attributes:
        counts: How many recordings were ``embedded`` or ``linked``, had no place (``over_budget``), could not be linked
            (``not_a_file``) or not be read (``unreadable``).
        num_bytes: What embedded sound takes of the page.
    """

    def __init__(self, options: AudioOptions, beside: str | Path = ".") -> None:
        self.options = options
        self.beside = Path(beside)
        self.counts: Counter[str] = Counter()
        self.num_bytes = 0

    def add(self, source: AudioSource) -> dict[str, Any]:
        """What a page needs of a recording.

        Returns:
            ``peaks`` (see :func:`peaks_of`), ``loudest`` and, where it can be played, ``src``; ``fault`` where it can't
            be read.
        """
        try:
            samples = source.read()
        except AudioError as error:
            self.counts["unreadable"] += 1
            return {"fault": error.what}
        peaks = peaks_of(samples)
        loudest = float(peaks.max(initial=0.0))
        track: dict[str, Any] = {"peaks": quantised(peaks / (loudest or 1.0)), "loudest": round(loudest, 4)}
        src = self._src(source, samples)
        return track if src is None else {**track, "src": src}

    def _src(self, source: AudioSource, samples: np.ndarray) -> str | None:
        if self.options.kind == "none":
            return None
        if self.options.kind == "link":
            self.counts["linked" if source.file else "not_a_file"] += 1
            return quote(Path(os.path.relpath(source.file, self.beside)).as_posix()) if source.file else None
        budget = self.options.megabytes * _MEGABYTE
        expected = samples_to_seconds(len(samples), PLAYBACK_RATE) * _BYTES_PER_SECOND * _BASE64
        sound = encoded(samples) if self.num_bytes + expected <= budget else None
        if sound is None or self.num_bytes + len(sound) > budget:
            self.counts["over_budget"] += 1
            return None
        self.counts["embedded"] += 1
        self.num_bytes += len(sound)
        return sound


def peaks_of(samples: np.ndarray) -> np.ndarray:
    """Largest absolute value of each of equal parts of samples (N,), about 100 a second; float32 (P,), P >= 1."""
    seconds = samples_to_seconds(len(samples), PLAYBACK_RATE)
    number = int(np.clip(seconds * _PEAKS_PER_SECOND, 1, min(_MOST_PEAKS, max(1, len(samples)))))
    if len(samples) == 0:
        return np.zeros(1, np.float32)
    edges = np.arange(number) * len(samples) // number
    return np.maximum.reduceat(np.abs(samples), edges)


def encoded(samples: np.ndarray) -> str:
    """Samples (N,) as MP3 in a data URI; equal samples give equal text.

    Raises:
        AudioError: If this libsndfile does not write MP3.
    """
    buffer = io.BytesIO()
    try:
        with soundfile.SoundFile(buffer, "w", PLAYBACK_RATE, 1, **_FORMAT, **_QUALITY) as file:
            file.write(np.clip(samples, -1, 1))
    except (ValueError, TypeError, soundfile.LibsndfileError) as error:
        raise AudioError("sound can't be compressed", got=error, next_step="--audio link, or --audio none") from error
    return "data:audio/mpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
