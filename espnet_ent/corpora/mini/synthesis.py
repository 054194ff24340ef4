"""Speech from eSpeak NG, repeatable to the bit.

eSpeak NG keeps state from one utterance to the next, so every utterance is spoken by a child process forked from
a parent that has initialised the library and never speaks.
"""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from espnet_ent.corpora.mini.word_events import PHONEME, WORD, SpeechEvent, word_starts
from espnet_ent.errors import DataError

_AUDIO_OUTPUT_SYNCHRONOUS = 2
_BUFFER_MS = 200
_PHONEME_EVENTS = 1
_CHARS_UTF8 = 1
_POSITION_CHARACTER = 1
_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4
_RATE_LIMITS = (80, 450)
_SETTING_LIMITS = (0, 99)
_LAST_EVENT = 0


class _Event(ctypes.Structure):
    """``espeak_EVENT`` of eSpeak NG's speak_lib.h."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),  # from 1
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),  # a union: of a phoneme event, its mnemonic
    )


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True)
class Phrase:
    """A text to speak with one setting of the synthesiser.

    Attributes:
        text: Words.
        voice: Voice name of eSpeak NG.
        words_per_minute: Speaking rate.
        pitch: Pitch setting, 0-99.
        pitch_range: Pitch range setting, 0-99.
    """

    text: str
    voice: str
    words_per_minute: float
    pitch: float
    pitch_range: float


@dataclass(frozen=True)
class SpokenSound:
    """A phrase as eSpeak NG speaks it.

    Attributes:
        samples: int16 (num_samples,).
        word_starts: Sample at which each word of the phrase starts.
    """

    samples: np.ndarray
    word_starts: tuple[int, ...]


def _clip(value: float, limits: tuple[int, int]) -> int:
    return max(limits[0], min(limits[1], round(value)))


class Synthesizer:
    """A freshly initialised eSpeak NG that lends itself to forked children.

    Raises:
        DataError: If the package ``espeakng-loader`` (extra ``mini``) is missing or a voice is unknown.
    """

    def __init__(self) -> None:
        try:
            import espeakng_loader
        except ImportError:
            raise DataError("the mini corpus needs eSpeak NG", next_step="pip install 'espnet_ent[mini]'") from None
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        self._library.espeak_Synth.argtypes = [
            ctypes.c_char_p,
            ctypes.c_size_t,
            ctypes.c_uint,
            ctypes.c_int,
            ctypes.c_uint,
            ctypes.c_uint,
            ctypes.c_void_p,
            ctypes.c_void_p,
        ]
        data_path = espeakng_loader.get_data_path().encode()
        self.sample_rate: int = self._library.espeak_Initialize(
            _AUDIO_OUTPUT_SYNCHRONOUS, _BUFFER_MS, data_path, _PHONEME_EVENTS
        )
        if self.sample_rate <= 0:
            raise DataError("eSpeak NG did not start", where=data_path.decode())

    def speak(self, phrases: Sequence[Phrase]) -> list[SpokenSound]:
        """Speak phrases one after the other in a fresh child process.

        Returns:
            A sound for each phrase, at ``self.sample_rate``.

        Raises:
            DataError: If the child failed, or eSpeak NG takes other words for words than the phrase has.
        """
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.close(read_end)
                with os.fdopen(write_end, "wb") as pipe:
                    for phrase in phrases:
                        samples, events = self._speak_here(phrase)
                        told = json.dumps(events).encode()
                        pipe.write(np.array([len(told), len(samples)], np.int64).tobytes() + told + samples.tobytes())
                status = 0
            finally:
                os._exit(status)
        os.close(write_end)
        with os.fdopen(read_end, "rb") as pipe:
            data = pipe.read()
        _, status = os.waitpid(child, 0)
        if status != 0:
            raise DataError("eSpeak NG failed", where=phrases[0].voice, got=f"status {status}")
        return [
            SpokenSound(samples, tuple(word_starts(phrase.text, events)))
            for phrase, (samples, events) in zip(phrases, _split(data), strict=True)
        ]

    def _speak_here(self, phrase: Phrase) -> tuple[np.ndarray, list[SpeechEvent]]:
        blocks: list[np.ndarray] = []
        told: list[SpeechEvent] = []

        def collect(samples: object, num_samples: int, events: object) -> int:
            if samples and num_samples > 0:
                blocks.append(np.ctypeslib.as_array(samples, shape=(num_samples,)).copy())
            told.extend(_speech_events(events))
            return 0

        callback = _CALLBACK(collect)
        library = self._library
        library.espeak_SetSynthCallback(callback)
        if library.espeak_SetVoiceByName(phrase.voice.encode()) != 0:
            raise DataError("voice unknown to eSpeak NG", got=phrase.voice)
        library.espeak_SetParameter(_RATE, _clip(phrase.words_per_minute, _RATE_LIMITS), 0)
        library.espeak_SetParameter(_VOLUME, 100, 0)
        library.espeak_SetParameter(_PITCH, _clip(phrase.pitch, _SETTING_LIMITS), 0)
        library.espeak_SetParameter(_RANGE, _clip(phrase.pitch_range, _SETTING_LIMITS), 0)
        text = phrase.text.encode()
        library.espeak_Synth(text, len(text) + 1, 0, _POSITION_CHARACTER, 0, _CHARS_UTF8, None, None)
        library.espeak_Synchronize()
        return (np.concatenate(blocks) if blocks else np.zeros(0, np.int16)), told


def _speech_events(events: object) -> Iterator[SpeechEvent]:
    """Words and phonemes of the array that the callback gets; it may be absent."""
    index = 0
    while events and events[index].type != _LAST_EVENT:
        event = events[index]
        if event.type in (WORD, PHONEME):
            phoneme = event.id.decode(errors="replace") if event.type == PHONEME else ""
            yield SpeechEvent(event.type, event.sample, event.text_position - 1, phoneme)
        index += 1


def _split(data: bytes) -> list[tuple[np.ndarray, list[SpeechEvent]]]:
    """Undo the framing of :meth:`Synthesizer.speak`: the lengths of events and samples, then these."""
    sounds, position = [], 0
    while position < len(data):
        num_bytes, num_samples = np.frombuffer(data, np.int64, 2, position).tolist()
        position += 16
        events = [SpeechEvent(*event) for event in json.loads(data[position : position + num_bytes])]
        position += num_bytes
        sounds.append((np.frombuffer(data[position : position + 2 * num_samples], np.int16), events))
        position += 2 * num_samples
    return sounds
