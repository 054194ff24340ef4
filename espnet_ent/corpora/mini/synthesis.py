"""Speech from eSpeak NG, repeatable to the bit.

eSpeak NG keeps state from one utterance to the next, so every utterance is spoken by a child process forked from
a parent that has initialised the library and never speaks.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from espnet_ent.errors import DataError

_AUDIO_OUTPUT_SYNCHRONOUS = 2
_BUFFER_MS = 200
_CHARS_UTF8 = 1
_POSITION_CHARACTER = 1
_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4
_RATE_LIMITS = (80, 450)
_SETTING_LIMITS = (0, 99)
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


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
        self.sample_rate: int = self._library.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, _BUFFER_MS, data_path, 0)
        if self.sample_rate <= 0:
            raise DataError("eSpeak NG did not start", where=data_path.decode())

    def speak(self, phrases: Sequence[Phrase]) -> list[np.ndarray]:
        """Speak phrases one after the other in a fresh child process.

        Returns:
            One int16 array (num_samples,) a phrase, at ``self.sample_rate``.

        Raises:
            DataError: If the child failed.
        """
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.close(read_end)
                with os.fdopen(write_end, "wb") as pipe:
                    for phrase in phrases:
                        samples = self._speak_here(phrase)
                        pipe.write(np.int64(len(samples)).tobytes() + samples.tobytes())
                status = 0
            finally:
                os._exit(status)
        os.close(write_end)
        with os.fdopen(read_end, "rb") as pipe:
            data = pipe.read()
        _, status = os.waitpid(child, 0)
        if status != 0:
            raise DataError("eSpeak NG failed", where=phrases[0].voice, got=f"status {status}")
        return _split(data)

    def _speak_here(self, phrase: Phrase) -> np.ndarray:
        blocks: list[np.ndarray] = []

        def collect(samples: object, num_samples: int, _events: object) -> int:
            if samples and num_samples > 0:
                blocks.append(np.ctypeslib.as_array(samples, shape=(num_samples,)).copy())
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
        return np.concatenate(blocks) if blocks else np.zeros(0, np.int16)


def _split(data: bytes) -> list[np.ndarray]:
    """Undo the framing of :meth:`Synthesizer.speak`: each array follows its length."""
    arrays, position = [], 0
    while position < len(data):
        (num_samples,) = np.frombuffer(data, np.int64, 1, position)
        position += 8
        arrays.append(np.frombuffer(data, np.int16, int(num_samples), position))
        position += 2 * int(num_samples)
    return arrays
