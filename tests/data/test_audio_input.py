"""Audio in all forms is the same recording."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from espnet_ent.data.audio_input import recording_of
from espnet_ent.errors import AudioError

RATE = 16000
SAMPLES = 0.5 * np.sin(np.arange(1600) * 2 * np.pi * 220 / RATE).astype(np.float32)


def samples_of(audio, *rates) -> np.ndarray:
    recording = recording_of(audio, RATE, *rates)
    return recording.read(0, recording.num_samples)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "aiff", "mp3"])
def test_a_path_its_content_and_an_open_file_are_alike(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, np.tile(SAMPLES, 4), RATE)
    expected = samples_of(path)
    assert len(expected) >= 4 * 1600
    for form in (str(path), path.read_bytes(), bytearray(path.read_bytes()), io.BytesIO(path.read_bytes())):
        np.testing.assert_array_equal(samples_of(form), expected)
    with path.open("rb") as file:
        np.testing.assert_array_equal(samples_of(file), expected)


def test_whole_numbers_are_of_full_scale(tmp_path: Path) -> None:
    for kind in (np.int16, np.int32):
        scale = 2.0 ** (8 * np.dtype(kind).itemsize - 1)
        np.testing.assert_allclose(samples_of((SAMPLES * scale).astype(kind)), SAMPLES, atol=1 / 32768)
    unsigned = (SAMPLES * 128 + 128).astype(np.uint8)
    np.testing.assert_allclose(samples_of(unsigned), SAMPLES, atol=1 / 128)


def test_channels_are_averaged() -> None:
    np.testing.assert_allclose(samples_of(np.stack([SAMPLES, 3 * SAMPLES], axis=1)), 2 * SAMPLES, rtol=1e-6)
    np.testing.assert_array_equal(samples_of(SAMPLES[:, None]), SAMPLES)


def test_a_tensor_is_samples() -> None:
    import torch

    np.testing.assert_array_equal(samples_of(torch.from_numpy(SAMPLES)), SAMPLES)


def test_another_rate_is_resampled_as_a_file_of_it_is(tmp_path: Path) -> None:
    high = 0.5 * np.sin(np.arange(4410) * 2 * np.pi * 220 / 44100).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", high, 44100, subtype="FLOAT")
    expected = samples_of(tmp_path / "a.wav")
    np.testing.assert_allclose(samples_of((high, 44100)), expected, atol=1e-6)
    np.testing.assert_allclose(samples_of(high, 44100), expected, atol=1e-6)
    np.testing.assert_allclose(expected[200:-200], SAMPLES[200:-200], atol=2e-3)


def test_a_lower_rate_is_told(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", SAMPLES, 8000)
    for audio in ((SAMPLES[:800], 8000), tmp_path / "a.wav", (tmp_path / "a.wav").read_bytes()):
        recording = recording_of(audio, RATE)
        assert recording.low_rate == recording.loaded().low_rate == 8000
    assert recording_of((SAMPLES, 44100), RATE).low_rate is recording_of(SAMPLES, RATE).low_rate is None


def test_a_rate_may_come_as_any_whole_number() -> None:
    for rate in (16000, 16000.0, np.int32(16000), np.float64(16000)):
        np.testing.assert_array_equal(samples_of((SAMPLES, rate)), SAMPLES)


def test_no_samples_are_an_empty_recording(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(0), RATE)
    for form in (
        b"",
        np.zeros(0, np.float32),
        np.zeros((0, 2)),
        (np.zeros(0), 8000),
        (tmp_path / "a.wav").read_bytes(),
    ):
        assert recording_of(form, RATE).num_samples == 0


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        (3, "not audio; expected a path, bytes"),
        (None, "not audio"),
        ([0.1, 0.2], "not audio"),
        ((SAMPLES,), r"expected a pair \(samples, rate in Hz\)"),
        ((SAMPLES, "16000"), "not a sample rate; expected a whole number of Hz, 1 or more; got '16000'"),
        ((16000, SAMPLES), "not a sample rate"),
        *(((SAMPLES, rate), "not a sample rate") for rate in (0, True, 1.5, np.nan, np.inf, None)),
        (np.array(["a"]), "floating-point or whole numbers"),
        (np.zeros(9, complex), "floating-point or whole numbers"),
        (np.zeros(9, bool), "floating-point or whole numbers"),
        (np.zeros((9, 2, 2)), r"expected samples \(N,\) or \(N, channels\)"),
        (np.zeros((9, 0)), r"expected samples"),
        (np.zeros((2, 1600)), "more channels than samples.*transpose them"),
        ((np.full(99, np.nan), 8000), "not finite"),
        (np.full(99, np.inf), "not finite"),
        (io.StringIO("text"), "opened as text"),
        (b"no audio", "audio without a file name: not an audio file"),
        ("nothing.wav", "nothing.wav: audio file is missing"),
    ],
)
def test_what_is_no_audio_is_one_line(audio: object, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        recording_of(audio, RATE)


def test_truncated_content_is_refused_like_a_truncated_file(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", SAMPLES, RATE)
    with pytest.raises(AudioError, match="audio without a file name: wav file is truncated"):
        recording_of((tmp_path / "a.wav").read_bytes()[:1000], RATE)
