"""Dumped audio is the data's audio, sample for sample, in every format and with any number of jobs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import kaldiio
import numpy as np
import pytest
import soundfile

from espnet_ent.data import formatting
from espnet_ent.data.audio import read_audio
from espnet_ent.data.datadir import read_data_dir, write_data_dir
from espnet_ent.data.formatting import AUDIO_FORMATS, format_data_dir
from espnet_ent.data.utterance import Utterance
from espnet_ent.errors import AudioError, ConfigError
from tests.corpora.trees import write_tone
from tests.data.dirs import make_data_dir, make_utterances, read_tree


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``data`` below a working directory with a space and other marks in its path."""
    recipe = tmp_path / "my recipe, v1 [x]:2"
    recipe.mkdir()
    monkeypatch.chdir(recipe)
    return make_data_dir(Path())


@pytest.mark.parametrize("audio_format", AUDIO_FORMATS)
def test_every_format_holds_the_same_samples(data: Path, audio_format: str) -> None:
    assert format_data_dir(data, "dump/raw/train", audio_format)
    for before, after in zip(read_data_dir(data), read_data_dir("dump/raw/train"), strict=True):
        np.testing.assert_array_equal(read_audio(after.audio, 16000), read_audio(before.audio, 16000))
        assert after.audio.startswith("dump/raw/train/audio/")
        assert replace(after, audio=before.audio) == before
    assert Path("dump/raw/train/feats_type").read_text() == "raw\n"
    assert Path("dump/raw/train/audio_format").read_text() == f"{audio_format}\n"


def test_times_of_words_are_carried_along(tmp_path: Path) -> None:
    data = make_data_dir(tmp_path, words=True)
    format_data_dir(data, tmp_path / "dump")
    assert (tmp_path / "dump/word_times").read_bytes() == (data / "word_times").read_bytes()


@pytest.mark.parametrize("audio_format", AUDIO_FORMATS)
def test_what_other_programs_read_from_it(data: Path, audio_format: str) -> None:
    """ESPnet reads files with soundfile and arks with kaldiio."""
    format_data_dir(data, "dump/raw/train", audio_format)
    for utterance in read_data_dir("dump/raw/train"):
        if audio_format.endswith(".ark"):
            rate, samples = kaldiio.load_mat(utterance.audio)
        else:
            samples, rate = soundfile.read(utterance.audio)
        assert rate == 16000
        np.testing.assert_array_equal(samples, read_audio(utterance.audio, 16000))
    if audio_format.endswith(".ark"):
        ids = [utt_id for ark in Path("dump/raw/train/audio").iterdir() for utt_id, _ in kaldiio.load_ark(str(ark))]
        assert sorted(ids) == [utterance.utt_id for utterance in read_data_dir(data)]


@pytest.mark.parametrize("audio_format", ["flac", "wav.ark"])
def test_the_number_of_jobs_changes_no_byte(data: Path, audio_format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formatting, "_SHARD", 2)
    for nj in (1, 3):
        format_data_dir(data, f"dump{nj}/train", audio_format, nj=nj)
    one, three = read_tree(Path("dump1/train")), read_tree(Path("dump3/train"))
    assert one.pop("wav.scp").replace(b"dump1/", b"dump3/") == three.pop("wav.scp")
    assert one == three
    assert len([name for name in one if name.startswith("audio/")]) == (3 if audio_format == "wav.ark" else 5)


def test_a_finished_stage_is_left_alone_and_changes_are_seen(data: Path) -> None:
    assert format_data_dir(data, "dump/train")
    times = {path: path.stat().st_mtime_ns for path in Path("dump/train").rglob("*")}
    assert not format_data_dir(data, "dump/train")
    assert {path: path.stat().st_mtime_ns for path in Path("dump/train").rglob("*")} == times
    (data / "text").write_text((data / "text").read_text().replace("PEARS", "PLUMS"))
    assert format_data_dir(data, "dump/train")
    assert "PLUMS" in Path("dump/train/text").read_text()
    assert format_data_dir(data, "dump/train", "wav")


def test_other_audio_under_the_same_name_is_seen(data: Path) -> None:
    format_data_dir(data, "dump/train")
    write_tone(Path(read_data_dir(data)[0].audio), 0.4, seed=9)
    assert format_data_dir(data, "dump/train")
    assert read_data_dir("dump/train")[0].num_samples == 6400


def test_segments_are_cut_out(tmp_path: Path) -> None:
    write_tone(tmp_path / "long.wav", 2.0)
    cuts = [(0.0, 0.5), (0.5, 1.25), (1.9, 2.0)]
    utterances = [Utterance(f"u{i}", "s", str(tmp_path / "long.wav"), start=a, end=b) for i, (a, b) in enumerate(cuts)]
    write_data_dir(tmp_path / "data", utterances)
    format_data_dir(tmp_path / "data", tmp_path / "dump")
    whole = read_audio(tmp_path / "long.wav", 16000)
    parts = read_data_dir(tmp_path / "dump")
    np.testing.assert_array_equal(np.concatenate([read_audio(u.audio, 16000) for u in parts[:2]]), whole[:20000])
    assert [(u.num_samples, u.start) for u in parts] == [(8000, None), (12000, None), (1600, None)]


def test_stereo_and_float_audio_become_mono_sixteen_bits(tmp_path: Path) -> None:
    stereo = np.stack([np.full(800, 1.5), np.full(800, 0.9)], axis=1)
    soundfile.write(tmp_path / "a.wav", stereo, 16000, subtype="FLOAT")
    write_data_dir(tmp_path / "data", [Utterance("u", "s", str(tmp_path / "a.wav"))])
    format_data_dir(tmp_path / "data", tmp_path / "dump")
    samples, _ = soundfile.read(tmp_path / "dump" / "audio" / "u.flac", dtype="int16")
    assert samples.shape == (800,)
    assert set(samples) == {32767}


@pytest.mark.parametrize("nj", [1, 2])
@pytest.mark.parametrize("audio_format", ["flac", "flac.ark"])
def test_a_faulty_file_leaves_nothing_behind(data: Path, nj: int, audio_format: str) -> None:
    write_tone(Path(read_data_dir(data)[4].audio), 0.5, sample_rate=8000)
    with pytest.raises(AudioError, match=r"rec 3.wav: wrong sample rate; expected 16000 Hz; got 8000 Hz"):
        format_data_dir(data, "dump/train", audio_format, nj=nj)
    assert list(Path("dump").iterdir()) == []


def test_unknown_format(data: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"unknown audio_format; expected flac \| wav \| flac.ark \| wav.ark; got mp3"
    ):
        format_data_dir(data, "dump/train", "mp3")


def test_order_of_the_input_does_not_matter(tmp_path: Path) -> None:
    utterances = make_utterances(tmp_path / "audio")
    trees = []
    for i, order in enumerate((utterances, utterances[::-1])):
        write_data_dir(tmp_path / "data", order)
        format_data_dir(tmp_path / "data", tmp_path / "dump", ["wav.ark", "flac.ark"][i])
        format_data_dir(tmp_path / "data", tmp_path / "dump", "flac")
        trees.append(read_tree(tmp_path / "dump"))
    assert trees[0] == trees[1]
