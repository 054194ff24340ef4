"""The one place where audio is read."""

from __future__ import annotations

import io
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

from espnet_ent.errors import AudioError, EmptyAudioError
from espnet_ent.frames import samples_to_seconds, seconds_to_samples

MISSING_AUDIO = "check the copy of the corpus, or rerun the stage that made the file"
_ARK_ENTRY = re.compile(r"^(?P<path>.+\.ark):(?P<offset>\d+)$")
_UNKNOWN_SIZE = 0x7FFFF000  # programs that stream into a pipe write this or more as the size of the data
_PCM16_SCALE = 32768
_AT_ONCE = 1 << 26  # values; beyond, memory follows what there is and not what a header promises
_RATES = (1000, 1000000)  # Hz; what is not between them is a damaged header, and resampling it would fill the memory


@dataclass(frozen=True)
class AudioInfo:
    """Length and format of audio.

    Attributes:
        num_samples: Samples of each channel.
        sample_rate: Samples a second.
        channels: Number of channels.
    """

    num_samples: int
    sample_rate: int
    channels: int


def audio_info(source: str | Path | bytes) -> AudioInfo:
    """Length and format of an audio file (its path or its content) or ark entry, without decoding it.

    Raises:
        AudioError: As :func:`read_audio`, except for the rate.
    """
    with _open(source) as file:
        return AudioInfo(file.frames, file.samplerate, file.channels)


def read_audio(
    source: str | Path | bytes,
    sample_rate: int,
    *,
    resample: bool = False,
    start: float | None = None,
    end: float | None = None,
) -> np.ndarray:
    """Read audio as mono float32.

    Args:
        source: A file that libsndfile reads, the content of one, or an entry ``file.ark:offset`` of a wav or flac ark.
        sample_rate: Wanted samples a second.
        resample: Convert another rate instead of refusing it.
        start: Where to start, in seconds; None: at the beginning.
        end: Where to end, in seconds; None: at the end.

    Returns:
        float32 (num_samples,); several channels are averaged.

    Raises:
        AudioError: If the source is a command, is missing, empty, truncated, not audio, holds a value that is
            not finite, or has another rate or one below 1 kHz or above 1 MHz.
    """
    where = _name(source)
    with _open(source) as file:
        rate = file.samplerate
        if rate != sample_rate and not resample:
            raise AudioError("wrong sample rate", where=where, expected=f"{sample_rate} Hz", got=f"{rate} Hz")
        first = 0 if start is None else seconds_to_samples(start, rate)
        last = file.frames if end is None else min(file.frames, seconds_to_samples(end, rate))
        if first >= last:
            duration = samples_to_seconds(file.frames, rate)
            raise AudioError(
                "segment outside the audio", where=where, expected=f"0 to {duration:g} s", got=(start, end)
            )
        try:
            file.seek(first)
            samples = _read_samples(file, last - first)
        except (soundfile.LibsndfileError, RuntimeError) as error:
            raise AudioError("audio can't be decoded", where=where, got=error) from None
    if len(samples) < last - first:
        raise AudioError("audio is truncated", where=where, expected=f"{last - first} samples", got=len(samples))
    with np.errstate(invalid="ignore", over="ignore"):  # told below
        mono = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1)
    if rate != sample_rate and np.all(np.isfinite(mono)):
        import soxr

        mono = soxr.resample(mono, rate, sample_rate)
    if not np.all(np.isfinite(mono)):
        raise AudioError("audio holds values that are not finite", where=where)
    return np.ascontiguousarray(mono, dtype=np.float32)


def to_pcm16(samples: np.ndarray) -> np.ndarray:
    """int16 (num_samples,) of float samples; what was read from 16 bits comes out unchanged.

    Values outside [-1, 1) are clipped; libsndfile's flac encoder fails on them.
    """
    return np.clip(np.rint(samples * _PCM16_SCALE), -_PCM16_SCALE, _PCM16_SCALE - 1).astype(np.int16)


def write_pcm16(path: str | Path, samples: np.ndarray, sample_rate: int, audio_format: str) -> None:
    """Write float samples (num_samples,) to a ``wav`` or ``flac`` file of 16 bits a sample."""
    soundfile.write(path, to_pcm16(samples), sample_rate, format=audio_format, subtype="PCM_16")


def _read_samples(file: soundfile.SoundFile, count: int) -> np.ndarray:
    """float32 (count or, where the file ends, fewer; channels)."""
    blocks = []
    block_size = max(1, _AT_ONCE // file.channels)
    while count > 0:
        blocks.append(file.read(min(count, block_size), dtype="float32", always_2d=True))
        count = count - block_size if len(blocks[-1]) == block_size else 0
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def _name(source: str | Path | bytes) -> str:
    """What an error calls it."""
    return "audio without a file name" if isinstance(source, bytes) else str(source)


def _open(source: str | Path | bytes) -> soundfile.SoundFile:
    where = _name(source)
    try:
        opened = _open_content(source, where) if isinstance(source, bytes) else _open_path(where)
    except soundfile.LibsndfileError as error:
        raise AudioError("not an audio file", where=where, got=error.error_string) from None
    if not _RATES[0] <= opened.samplerate <= _RATES[1]:
        opened.close()
        expected = f"{_RATES[0]} to {_RATES[1]} Hz"
        raise AudioError("sample rate out of range", where=where, expected=expected, got=f"{opened.samplerate} Hz")
    if opened.frames == 0:
        opened.close()
        raise EmptyAudioError("audio is empty", where=where)
    return opened


def _open_content(content: bytes, where: str) -> soundfile.SoundFile:
    file = io.BytesIO(content)
    _check_wav(file, where)
    file.seek(0)
    return soundfile.SoundFile(file)


def _open_path(source: str) -> soundfile.SoundFile:
    if source.rstrip().endswith("|"):
        raise AudioError(
            "a command in place of a file", where=source, next_step="run it once and name the file it makes"
        )
    entry = _ARK_ENTRY.match(source)
    path = Path(entry["path"] if entry else source)
    if not path.is_file():
        raise AudioError("audio file is missing", where=source, next_step=MISSING_AUDIO)
    try:
        with path.open("rb") as file:
            if entry:
                return soundfile.SoundFile(io.BytesIO(_ark_bytes(file, int(entry["offset"]), source)))
            _check_wav(file, source)
    except OSError as error:
        raise AudioError("audio file can't be read", where=source, got=error.strerror) from None
    return soundfile.SoundFile(str(path))


def _check_wav(file: BinaryIO, source: str) -> None:
    """Refuse a wav file that is shorter than its header says: libsndfile reads it without an error."""
    header = file.read(12)
    if len(header) == 0:
        raise EmptyAudioError("audio file has no content", where=source)
    if header[:4] != b"RIFF" or header[8:12] != b"WAVE":
        return
    size = file.seek(0, io.SEEK_END)
    position = len(header)
    while position + 8 <= size:
        file.seek(position)
        name, chunk_size = struct.unpack("<4sI", file.read(8))
        position += 8 + chunk_size + chunk_size % 2  # chunks are padded to an even length
        if name == b"data":
            promised = position - chunk_size % 2
            if chunk_size < _UNKNOWN_SIZE and size < promised:
                raise AudioError(
                    "wav file is truncated", where=source, expected=f"{promised} bytes", got=f"{size} bytes"
                )
            return
    raise AudioError("wav file is truncated", where=source, expected="a data chunk", got=f"{size} bytes")


def _ark_bytes(file: BinaryIO, offset: int, source: str) -> bytes:
    """The audio file in an ark entry: kaldiio writes ``AUDIO``, its size and the file; Kaldi a bare wav file."""
    file.seek(offset)
    magic = file.read(4)
    if magic == b"RIFF":
        (size,) = struct.unpack("<I", file.read(4))
        return magic + struct.pack("<I", size) + _read_exactly(file, size, source)
    if magic + file.read(1) == b"AUDIO":
        width = _read_exactly(file, 1, source)[0]
        size = int.from_bytes(_read_exactly(file, width, source), "little")
        return _read_exactly(file, size, source)
    raise AudioError("not an entry of an audio ark", where=source)


def _read_exactly(file: BinaryIO, size: int, source: str) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise AudioError("audio ark is truncated", where=source, expected=f"{size} bytes", got=len(data))
    return data
