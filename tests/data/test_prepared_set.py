"""Data directories of other recipes."""

from __future__ import annotations

from pathlib import Path

import pytest

from espnet_ent.bin import ent_copy_set
from espnet_ent.data.datadir import read_data_dir
from espnet_ent.data.prepared_set import copy_prepared_set
from espnet_ent.errors import DataError
from tests.corpora.trees import write_tone


def _write_set(folder: Path, prefix: str = "") -> Path:
    """A set with relative audio paths, as recipes make them, below ``folder``."""
    data = folder / "data/train"
    data.mkdir(parents=True)
    for name in ("a1", "a2"):
        write_tone(folder / f"wav/{name}.wav", 0.2, 16000, seed=1)
    (data / "wav.scp").write_text(f"a1 {prefix}wav/a1.wav\na2 {prefix}wav/a2.wav\n")
    (data / "utt2spk").write_text("a1 ann\na2 ann\n")
    (data / "text").write_text("a1 YES\na2\n")
    (data / "untranscribed").write_text("a2\n")
    (data / "utt2emo").write_text("a1 hap\na2 neu\n")
    (data / "utt2session").write_text("a1 x-1\na2 x-1\n")
    (data.parent / "emotion_list").write_text("hap emotion\nneu neutral\n")
    return data


def test_audio_of_a_copy_is_found_from_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = _write_set(tmp_path / "recipe")
    monkeypatch.chdir(tmp_path)
    (source / "word_times").write_text("a1 0.0500 0.1500 YES\n")
    assert copy_prepared_set("recipe/data/train", "copy") == 2
    first, second = read_data_dir("copy")
    assert first.audio == str(tmp_path / "recipe/wav/a1.wav")
    assert (first.text, first.emotion, first.speaker) == ("YES", "hap", "ann")
    assert second.text is None
    assert [(word.start, word.end, word.word) for word in first.word_times] == [(0.05, 0.15, "YES")]
    assert Path("copy/utt2session").read_bytes() == (source / "utt2session").read_bytes()


def test_absolute_paths_stay(tmp_path: Path) -> None:
    source = _write_set(tmp_path / "recipe", prefix=f"{tmp_path}/recipe/")
    copy_prepared_set(source, tmp_path / "copy")
    assert read_data_dir(tmp_path / "copy")[0].audio == f"{tmp_path}/recipe/wav/a1.wav"


def test_entries_of_archives_keep_their_offset(tmp_path: Path) -> None:
    source = _write_set(tmp_path / "recipe")
    (tmp_path / "recipe/wav/all.ark").write_bytes(b"x")
    (source / "wav.scp").write_text("a1 wav/all.ark:3\na2 wav/all.ark:40\n")
    copy_prepared_set(source, tmp_path / "copy")
    assert read_data_dir(tmp_path / "copy")[1].audio == f"{tmp_path}/recipe/wav/all.ark:40"


def test_audio_that_is_nowhere_is_named(tmp_path: Path) -> None:
    source = _write_set(tmp_path / "recipe")
    (tmp_path / "recipe/wav/a1.wav").unlink()
    with pytest.raises(DataError, match=r"wav.scp: audio of the set is not found; .* got wav/a1.wav"):
        copy_prepared_set(source, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_the_command_takes_the_emotion_list_along(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = _write_set(tmp_path / "recipe")
    options = ["--data", str(source), "--out", str(tmp_path / "copy"), "--emotion_list", str(tmp_path / "emotion_list")]
    ent_copy_set.main(options)
    assert capsys.readouterr().out == f"{tmp_path}/copy: 2 utterances of {source}\n"
    assert (tmp_path / "emotion_list").read_text() == "hap emotion\nneu neutral\n"
