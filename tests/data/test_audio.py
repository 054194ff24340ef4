"""The one audio reader against soundfile and kaldiio, and every fault that it refuses by name."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import kaldiio
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from espnet_ent.data import audio
from espnet_ent.data.audio import AudioInfo, audio_info, read_audio, to_pcm16, write_pcm16
from espnet_ent.data.formatting import format_data_dir
from espnet_ent.data.validate import validate_data_dir
from espnet_ent.errors import AudioError

RATE = 16000


def noise(num_samples: int = 4000, channels: int = 1, seed: int = 0) -> np.ndarray:
    samples = np.random.default_rng(seed).integers(-20000, 20000, (num_samples, channels), dtype=np.int16)
    return samples[:, 0] if channels == 1 else samples


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    path = tmp_path / "a b.wav"
    soundfile.write(path, noise(), RATE, subtype="PCM_16")
    return path


@pytest.mark.parametrize(
    ("audio_format", "subtype"),
    [("wav", "PCM_16"), ("wav", "PCM_24"), ("wav", "FLOAT"), ("wav", "ULAW"), ("flac", "PCM_16"), ("ogg", "VORBIS")],
)
def test_reads_what_soundfile_reads(tmp_path: Path, audio_format: str, subtype: str) -> None:
    path = tmp_path / f"a.{audio_format}"
    soundfile.write(path, noise(), RATE, format=audio_format, subtype=subtype)
    expected, _ = soundfile.read(path, dtype="float32")
    samples = read_audio(path, RATE)
    assert samples.dtype == np.float32
    assert samples.flags.c_contiguous
    np.testing.assert_array_equal(samples, expected)
    assert audio_info(path) == AudioInfo(4000, RATE, 1)


@pytest.mark.parametrize("audio_format", ["wav", "flac"])
def test_reads_entries_of_kaldiio_arks(tmp_path: Path, audio_format: str) -> None:
    entries = {f"u{i}": (RATE, noise(1000 + i, seed=i)) for i in range(3)}
    ark, scp = tmp_path / f"x:y.{audio_format}.ark", tmp_path / "wav.scp"
    with ark.open("wb") as file, scp.open("w") as index:
        kaldiio.save_ark(file, entries, index, write_function="soundfile", write_kwargs={"format": audio_format})
    for line in scp.read_text().splitlines():
        utt_id, source = line.split(" ", 1)
        _, expected = kaldiio.load_mat(source)
        np.testing.assert_array_equal(read_audio(source, RATE), expected.astype(np.float32))
        assert audio_info(source).num_samples == len(entries[utt_id][1])


def test_reads_bare_wav_entries_as_kaldi_writes_them_with_the_same_scale(tmp_path: Path) -> None:
    ark = tmp_path / "a.ark"
    with ark.open("wb") as file:
        kaldiio.save_ark(file, {"u0": (RATE, noise()), "u1": (RATE, noise(seed=1))})
    offset = ark.read_bytes().index(b"RIFF", 100)
    np.testing.assert_array_equal(read_audio(f"{ark}:{offset}", RATE), noise(seed=1) / np.float32(32768))


def test_channels_are_averaged(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    soundfile.write(path, noise(channels=2), RATE)
    np.testing.assert_allclose(read_audio(path, RATE), noise(channels=2).mean(axis=1) / 32768, atol=1e-7)
    assert audio_info(path).channels == 2


@pytest.mark.parametrize("audio_format", ["wav", "flac"])
def test_a_segment_is_cut_out(tmp_path: Path, audio_format: str) -> None:
    path = tmp_path / f"a.{audio_format}"
    soundfile.write(path, noise(), RATE)
    whole = read_audio(path, RATE)
    np.testing.assert_array_equal(read_audio(path, RATE, start=0.05, end=0.125), whole[800:2000])
    np.testing.assert_array_equal(read_audio(path, RATE, start=0.1), whole[1600:])
    np.testing.assert_array_equal(read_audio(path, RATE, end=9.0), whole)


def test_resampling_is_only_on_request_and_keeps_the_duration(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    times = np.arange(44100) / 44100
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * 440 * times), 44100)
    with pytest.raises(AudioError, match=r"a.wav: wrong sample rate; expected 16000 Hz; got 44100 Hz"):
        read_audio(path, RATE)
    samples = read_audio(path, RATE, resample=True)
    assert abs(len(samples) - RATE) <= 1
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(len(samples)) / RATE)
    np.testing.assert_allclose(samples[500:-500], expected[500:-500], atol=1e-3)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(["wav", "flac"]), arrays(np.int16, st.integers(1, 300)))
def test_sixteen_bits_are_written_unchanged(tmp_path_factory, audio_format: str, integers: np.ndarray) -> None:
    path = tmp_path_factory.mktemp("pcm") / "a"
    soundfile.write(path, integers, RATE, format="wav", subtype="PCM_16")
    samples = read_audio(path, RATE)
    np.testing.assert_array_equal(to_pcm16(samples), integers)
    write_pcm16(path, samples, RATE, audio_format)
    np.testing.assert_array_equal(soundfile.read(path, dtype="int16")[0], integers)


@pytest.mark.parametrize("audio_format", ["wav", "flac"])
def test_values_out_of_range_are_clipped(tmp_path: Path, audio_format: str) -> None:
    write_pcm16(tmp_path / "a", np.array([1.5, -1.5, 0.5], dtype=np.float32), RATE, audio_format)
    assert list(soundfile.read(tmp_path / "a", dtype="int16")[0]) == [32767, -32768, 16384]


@pytest.mark.parametrize("keep", [0, 3, 11, 12, 20, 43, 44, 100, 8043])
def test_a_wav_cut_off_anywhere_is_refused(wav: Path, keep: int) -> None:
    data = wav.read_bytes()
    assert len(data) == 8044
    wav.write_bytes(data[:keep])
    for read in (audio_info, lambda path: read_audio(path, RATE)):
        with pytest.raises(
            AudioError, match=r"a b\.wav: (wav file is truncated|audio file has no content|not an audio)"
        ):
            read(wav)


def add_chunk(data: bytes, name: bytes, content: bytes) -> bytes:
    chunk = name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
    return data[:4] + struct.pack("<I", len(data) + len(chunk) - 8) + data[8:] + chunk


def test_a_cut_in_notes_behind_the_audio_does_no_harm(wav: Path) -> None:
    expected = read_audio(wav, RATE)
    wav.write_bytes(add_chunk(wav.read_bytes(), b"LIST", b"INFO" + b"x" * 101)[:-50])
    np.testing.assert_array_equal(read_audio(wav, RATE), expected)


def test_an_odd_chunk_before_the_audio_is_padded(wav: Path) -> None:
    data = wav.read_bytes()
    wav.write_bytes(data[:36] + b"note" + struct.pack("<I", 3) + b"abc\0" + data[36:])
    assert audio_info(wav).num_samples == 4000
    wav.write_bytes(wav.read_bytes()[:-2])
    with pytest.raises(AudioError, match="wav file is truncated"):
        audio_info(wav)


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF])
def test_an_unknown_length_of_a_streamed_wav_is_no_fault(wav: Path, size: int) -> None:
    data = wav.read_bytes()
    wav.write_bytes(data[:4] + struct.pack("<I", 0xFFFFFFFF) + data[8:40] + struct.pack("<I", size) + data[44:])
    assert len(read_audio(wav, RATE)) == 4000


def test_a_truncated_flac_is_refused_when_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, noise(), RATE)
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(AudioError, match=r"a.flac: audio (is truncated|can't be decoded)"):
        read_audio(path, RATE)


def nan_wav(path: Path) -> None:
    soundfile.write(path, np.array([0.0, np.nan], dtype=np.float32), RATE, subtype="FLOAT")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "a b.wav: audio file is missing"),
        (lambda path: (path.unlink(), path.mkdir()), "a b.wav: audio file is missing"),
        (lambda path: path.write_text("no audio at all"), "a b.wav: not an audio file"),
        (lambda path: soundfile.write(path, [], RATE), "a b.wav: audio is empty"),
        (nan_wav, "a b.wav: audio holds values that are not finite"),
    ],
)
def test_faulty_files_are_named(wav: Path, damage, message: str) -> None:
    damage(wav)
    with pytest.raises(AudioError, match=message):
        read_audio(wav, RATE)


COMMANDS = ["sph2pipe a.sph |", "cat a.wav | ", "touch made |", "touch made|", "touch made |\t", "(touch made) |"]
COMMANDS += [
    "touch made; cat a.wav |",
    "sox a.wav -t wav - gain -1 |",
    "$(touch made) |",
    "|",
    " |",
    "a.wav && touch made |",
]


@pytest.mark.security
@pytest.mark.parametrize("source", COMMANDS)
def test_commands_are_never_run(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, figures) -> None:
    monkeypatch.chdir(tmp_path)
    soundfile.write("a.wav", np.zeros(RATE), RATE)
    (tmp_path / "data").mkdir()
    for name, value in {"wav.scp": source, "utt2spk": "s", "text": "GO", "utt2emo": "neu"}.items():
        (tmp_path / "data" / name).write_text(f"u {value}\n")
    (tmp_path / "data/spk2utt").write_text("s u\n")
    with pytest.raises(AudioError, match="a command in place of a file"):
        read_audio(source, RATE)
    assert "a command in place of a file" in str(validate_data_dir(tmp_path / "data"))
    with pytest.raises(AudioError, match="a command in place of a file"):
        format_data_dir(tmp_path / "data", tmp_path / "dump")
    assert not {"made", "dump"} & {path.name for path in tmp_path.iterdir()}
    figures("Security", "commands in wav.scp are refused wherever audio is read; nothing allows them", commands=1)


@pytest.mark.security
@pytest.mark.parametrize("source", ["| cat a.wav", "a.wav | cat", "`touch made`", "$(touch made)", "-"])
def test_what_is_no_file_is_not_run(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AudioError, match="missing"):
        read_audio(source, RATE)
    assert list(tmp_path.iterdir()) == []


def test_a_segment_outside_the_audio_is_refused(wav: Path) -> None:
    with pytest.raises(AudioError, match=r"a b.wav: segment outside the audio; expected 0 to 0.25 s; got \(3.0, 4.0\)"):
        read_audio(wav, RATE, start=3.0, end=4.0)


def test_faulty_ark_entries_are_named(tmp_path: Path) -> None:
    ark = tmp_path / "a.ark"
    encoded = io.BytesIO()
    soundfile.write(encoded, noise(), RATE, format="wav")
    with ark.open("wb") as file:
        kaldiio.save_ark(file, {"u": (RATE, noise())}, write_function="soundfile")
    size = ark.stat().st_size
    for source, message in [
        (f"{ark}:1", "a.ark:1: not an entry of an audio ark"),
        (f"{ark}:{size + 5}", "not an entry of an audio ark|truncated"),
        (f"{tmp_path}/none.ark:2", "audio file is missing"),
    ]:
        with pytest.raises(AudioError, match=message):
            read_audio(source, RATE)
    ark.write_bytes(ark.read_bytes()[:-10])
    with pytest.raises(AudioError, match=r"a.ark:2: audio ark is truncated"):
        read_audio(f"{ark}:2", RATE)


def test_samples_are_the_same_read_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for channels in (1, 3):
        soundfile.write(tmp_path / "a.wav", noise(channels=channels), RATE)
        whole = read_audio(tmp_path / "a.wav", RATE)
        for at_once in (1000, 1001, 4000, 12000):
            monkeypatch.setattr(audio, "_AT_ONCE", at_once)
            np.testing.assert_array_equal(read_audio(tmp_path / "a.wav", RATE), whole)
        monkeypatch.undo()
