"""Every kind of audio that comes along: it is read, or refused in one line; a validation goes on to the next file."""

from __future__ import annotations

import io
import os
import struct
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from espnet_ent.data.audio import audio_info, read_audio
from espnet_ent.data.scanning import ValidationConfig
from espnet_ent.data.validate import validate_data_dir
from espnet_ent.errors import AudioError
from espnet_ent.labels import FOUR_EMOTIONS
from tests.plugin import forked

RATE = 16000
TONE = 0.3 * np.sin(2 * np.pi * 300 * np.arange(RATE) / RATE)


def _write(subtype: str = "PCM_16", rate: int = RATE, channels: int = 1, form: str = "WAV") -> Callable[[Path], None]:
    """Writes a second of a tone."""
    tone = 0.3 * np.sin(2 * np.pi * 300 * np.arange(rate) / rate)

    def write(path: Path) -> None:
        samples = tone if channels == 1 else np.repeat(tone[:, None], channels, axis=1)
        soundfile.write(path, samples, rate, format=form, subtype=subtype)

    return write


def _samples(samples: np.ndarray, subtype: str = "PCM_16") -> Callable[[Path], None]:
    return lambda path: soundfile.write(path, samples, RATE, format="WAV", subtype=subtype)


def _wav() -> bytes:
    file = io.BytesIO()
    soundfile.write(file, TONE, RATE, format="WAV", subtype="PCM_16")
    return file.getvalue()


def _field(position: int, layout: str, value: int) -> Callable[[Path], None]:
    """A wav file of which one field of the header is another."""

    def write(path: Path) -> None:
        data = bytearray(_wav())
        struct.pack_into(layout, data, position, value)
        path.write_bytes(data)

    return write


def _flac_of_other_length(path: Path) -> None:
    """STREAMINFO promises 2^36 - 1 samples: 256 GiB as float32."""
    file = io.BytesIO()
    soundfile.write(file, TONE, RATE, format="FLAC", subtype="PCM_16")
    data = bytearray(file.getvalue())
    data[21] |= 0x0F
    data[22:26] = b"\xff\xff\xff\xff"
    path.write_bytes(data)


def _unreadable(path: Path) -> None:
    path.write_bytes(_wav())
    path.chmod(0)


def _eight_bits(path: Path) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 1, RATE, 0, "NONE", ""))
        file.writeframes(np.round(128 + 127 * TONE).astype(np.uint8).tobytes())


ONE_SECOND = "16000 samples"
# What is made, and what becomes of it: a number of samples at 16 kHz, or a part of the error.
KINDS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no byte": (lambda path: path.touch(), "audio file has no content"),
    "header without samples": (_samples(np.zeros(0)), "audio is empty"),
    "half a header": (lambda path: path.write_bytes(_wav()[:20]), "wav file is truncated"),
    "header cut before the data": (lambda path: path.write_bytes(_wav()[:36]), "wav file is truncated"),
    "truncated samples": (lambda path: path.write_bytes(_wav()[:-1000]), "wav file is truncated"),
    "one sample": (_samples(np.array([0.5])), "1 samples"),
    "two samples": (_samples(np.array([0.5, -0.5])), "2 samples"),
    "silence": (_samples(np.zeros(RATE)), ONE_SECOND),
    "NaN": (_samples(np.array([0.0, np.nan, 0.0]), "FLOAT"), "values that are not finite"),
    "infinity": (_samples(np.array([0.0, np.inf, 0.0]), "FLOAT"), "values that are not finite"),
    "opposite infinities": (_samples(np.array([[np.inf, -np.inf]] * 9), "FLOAT"), "values that are not finite"),
    "beyond float32": (_samples(np.array([[3e38, 3e38]] * 9), "FLOAT"), "values that are not finite"),
    "clipped": (_samples(np.clip(20 * TONE, -1, 1)), ONE_SECOND),
    "float beyond full scale": (_samples(3 * TONE, "FLOAT"), ONE_SECOND),
    "8 bits": (_eight_bits, ONE_SECOND),
    "24 bits": (_write("PCM_24"), ONE_SECOND),
    "32 bits": (_write("PCM_32"), ONE_SECOND),
    "float": (_write("FLOAT"), ONE_SECOND),
    "double": (_write("DOUBLE"), ONE_SECOND),
    "mu-law": (_write("ULAW"), ONE_SECOND),
    "stereo": (_write(channels=2), ONE_SECOND),
    "6 channels": (_write(channels=6), ONE_SECOND),
    "8 kHz": (_write(rate=8000), ONE_SECOND),
    "11.025 kHz": (_write(rate=11025), ONE_SECOND),
    "22.05 kHz": (_write(rate=22050), ONE_SECOND),
    "44.1 kHz": (_write(rate=44100), ONE_SECOND),
    "48 kHz": (_write(rate=48000), ONE_SECOND),
    "96 kHz": (_write(rate=96000), ONE_SECOND),
    "flac named wav": (_write(form="FLAC"), ONE_SECOND),
    "ogg named wav": (_write("VORBIS", form="OGG"), ONE_SECOND),
    "text file": (lambda path: path.write_text("this is no audio\n" * 50), "not an audio file"),
    "random bytes": (lambda path: path.write_bytes(np.random.default_rng(0).bytes(5000)), "not an audio file"),
    "directory": (lambda path: path.mkdir(), "audio file is missing"),
    "dangling link": (lambda path: path.symlink_to("nowhere.wav"), "audio file is missing"),
    "link to itself": (lambda path: path.symlink_to(path), "audio file is missing"),
    "pipe": (os.mkfifo, "audio file is missing"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "audio file is missing"),
    "unreadable": (_unreadable, "audio file can't be read"),
    "length of 2 GiB": (_field(40, "<I", 0x7FFFEFFF), "wav file is truncated"),
    "length of 4 GiB, as of a stream": (_field(40, "<I", 0xFFFFFFFF), ONE_SECOND),
    "chunk of 4 GiB before the samples": (_field(16, "<I", 0xFFFFFFFE), "wav file is truncated|not an audio file"),
    "flac of 2^36 samples": (_flac_of_other_length, "audio is truncated|can't be decoded"),
    "0 Hz": (_field(24, "<I", 0), "not an audio file|sample rate"),
    "1 Hz": (_field(24, "<I", 1), "sample rate"),
    "4 GHz": (_field(24, "<I", 0xFFFFFFFF), "not an audio file|sample rate"),
    "no channels": (_field(22, "<H", 0), "not an audio file"),
    "unknown coding": (_field(20, "<H", 0x7777), "not an audio file"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_audio_is_read_or_refused_in_one_line(kind: str, tmp_path: Path, figures) -> None:
    make, outcome = KINDS[kind]
    path = tmp_path / "a.wav"
    make(path)
    figures("Data", "kinds of audio that are read, or refused in one line and reported by the validation", kinds=1)
    if kind == "unreadable" and os.geteuid() == 0:  # root reads everything
        status = forked.run(_as_nobody, path, outcome)
        if status == _NO_OTHER_USER:
            pytest.skip("there is no other user here")
        assert status == forked.SUCCESS
        return
    config = ValidationConfig(FOUR_EMOTIONS)
    for name, value in {"wav.scp": path, "utt2spk": "s", "text": "GO", "utt2emo": "neu"}.items():
        (tmp_path / name).write_text(f"u {value}\n")
    (tmp_path / "spk2utt").write_text("s u\n")
    defects = [str(defect) for defect in validate_data_dir(tmp_path, config)]
    if outcome.endswith(" samples"):
        samples = read_audio(path, RATE, resample=True)
        assert len(samples) == int(outcome.split()[0])
        assert samples.dtype == np.float32
        assert np.isfinite(samples).all()
        assert audio_info(path).num_samples > 0
        assert defects == []
    else:
        with pytest.raises(AudioError, match=outcome) as raised:
            read_audio(path, RATE, resample=True)
        assert str(path) in str(raised.value)
        assert len(str(raised.value).splitlines()) == 1
        assert len(defects) == 1


_NO_OTHER_USER = 77


def _as_nobody(path: Path, outcome: str) -> None:
    os.chdir(path.parent)  # the folders above it are root's own
    path.parent.chmod(0o755)
    try:
        os.setresuid(65534, 65534, 65534)
    except OSError:
        os._exit(_NO_OTHER_USER)
    with pytest.raises(AudioError, match=outcome):
        read_audio(path.name, RATE)


def test_one_tone_is_the_same_whatever_its_coding(tmp_path: Path) -> None:
    """Not only its length: what is read is the tone."""
    for kind in ("8 bits", "24 bits", "32 bits", "float", "double", "mu-law", "stereo", "6 channels", "flac named wav"):
        path = tmp_path / "a.wav"
        KINDS[kind][0](path)
        np.testing.assert_allclose(read_audio(path, RATE), TONE, atol=0.02, err_msg=kind)
    for kind in ("22.05 kHz", "44.1 kHz", "48 kHz", "96 kHz"):
        KINDS[kind][0](path)
        found = read_audio(path, RATE, resample=True)
        np.testing.assert_allclose(found[500:-500], TONE[500:-500], atol=2e-3, err_msg=kind)
