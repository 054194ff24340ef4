"""Uploaded audio into what the page shows."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from espnet_ent.data.audio import audio_info
from espnet_ent.data.audio_input import recording_of
from espnet_ent.data.recording import low_rate_note
from espnet_ent.errors import AudioError, ConfigError, EmptyAudioError
from espnet_ent.frames import samples_to_seconds
from espnet_ent.inference import EmotionTranscriber

_MOST_VALUES_A_SECOND = 2 * 96000
"""Channels times rate: a small file may unpack to very much audio."""


@dataclass(frozen=True)
class DemoLimits:
    """What the page accepts.

    Attributes:
        megabytes: Largest upload.
        seconds: Longest recording.
        connections: Connections at a time; others are told to come back.
        request_seconds: Until when a request must have come in.

    Raises:
        ConfigError: If a limit is not positive.
    """

    megabytes: float = 20.0
    seconds: float = 120.0
    connections: int = 16
    request_seconds: float = 30.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ConfigError(f"{name} out of range", expected="more than 0", got=value)

    @property
    def num_bytes(self) -> int:
        """Largest upload in bytes."""
        return int(self.megabytes * 1_000_000)


class DemoService:
    """Transcribes one upload at a time."""

    def __init__(self, transcriber: EmotionTranscriber, limits: DemoLimits) -> None:
        self._transcriber = transcriber
        self._limits = limits
        self._lock = threading.Lock()

    def transcribe(self, content: bytes) -> dict[str, Any]:
        """``EmotionTranscript.to_dict`` of an audio file's content, the name of the neutral emotion, and ``notes``.

        Raises:
            AudioError: If it is no audio file, damaged or too long.
        """
        try:
            return self._transcribe(content)
        except AudioError as error:
            raise error.at(None) from None

    def _transcribe(self, content: bytes) -> dict[str, Any]:
        try:
            info = audio_info(content)
        except EmptyAudioError:
            info = None
        if info is not None:
            seconds = samples_to_seconds(info.num_samples, info.sample_rate)
            if seconds > self._limits.seconds:
                raise AudioError(
                    "recording is too long", expected=f"at most {self._limits.seconds:g} s", got=f"{seconds:.0f} s"
                )
            if info.channels * info.sample_rate > _MOST_VALUES_A_SECOND:
                raise AudioError("too many channels", got=f"{info.channels} channels of {info.sample_rate} Hz")
        rate = self._transcriber.grid.sample_rate
        recording = recording_of(content, rate)
        with self._lock:
            (transcript,) = self._transcriber.transcribe_recordings([recording])
        notes = [] if recording.low_rate is None else [low_rate_note({recording.low_rate: 1}, rate)]
        return {**transcript.to_dict(), "neutral": self._transcriber.emotions.neutral, "notes": notes}
