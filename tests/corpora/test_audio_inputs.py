"""What arguments stand for."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from espnet_ent.corpora.audio_inputs import FoundInputs, find_inputs


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("day1/hall.wav", "day2/hall.flac", "day2/-x y.WAV", "day2/.hidden.wav", "day2/._hall.wav", "ä.ogg"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, np.zeros(100), 16000, format="WAV")
    (tmp_path / "day1/notes.txt").write_text("no audio")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def find(*arguments: str) -> FoundInputs:
    return find_inputs(arguments, lambda: b"content")


def names(found: FoundInputs) -> dict[str, str | bytes]:
    assert not found.errors
    return {one.name: one.audio for one in found.inputs}


def test_folders_are_searched_for_audio(folder: Path) -> None:
    assert names(find(".")) == {
        "day1-hall": "day1/hall.wav",
        "day2-hall": "day2/hall.flac",
        "-x_y": "day2/-x y.WAV",
        "ä": "ä.ogg",
    }


def test_patterns_and_files_name_each_file_once(folder: Path) -> None:
    found = find("day1/hall.wav", "./day1/../day1/hall.wav", "**/*.wav", str(folder / "day1" / "hall.wav"))
    assert [one.audio for one in found.inputs] == ["day1/hall.wav"]


def test_a_file_with_magic_characters_is_a_file(folder: Path) -> None:
    (folder / "day1/hall.wav").rename(folder / "a[1].wav")
    assert names(find("a[1].wav")) == {"a[1]": "a[1].wav"}


def test_standard_input_is_read_once(folder: Path) -> None:
    found = find("-", "-")
    assert [(one.name, one.audio) for one in found.inputs] == [("stdin", b"content")]


def test_what_is_not_there_is_an_input_and_what_matches_nothing_an_error(folder: Path) -> None:
    (folder / "bare").mkdir()
    found = find("missing.wav", "*.aiff", "bare", "day1/hall.wav")
    assert [one.audio for one in found.inputs] == ["missing.wav", "day1/hall.wav"]
    first, second = map(str, found.errors)
    assert first == "*.aiff: the pattern matches no file"
    assert second.startswith("bare: no audio file in the directory; expected .aif ")


def test_wav_scp_names_its_recordings(folder: Path) -> None:
    (folder / "list.scp").write_text("b 1 day1/hall.wav\na day2/hall.flac\nc touch /tmp/x |\n")
    (folder / "segments").write_text("x a 0 1\n")
    found = find("list.scp")
    assert names(found) == {"b": "1 day1/hall.wav", "a": "day2/hall.flac", "c": "touch /tmp/x |"}
    assert found.tables == (Path("list.scp"),)
    (folder / "bad.scp").write_text("a x\na y\n")
    (error,) = find("bad.scp").errors
    assert str(error) == "bad.scp:2: identifier occurs twice; got a"


def test_a_data_directory_has_segments(folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data/wav.scp").write_text("rec day1/hall.wav\n")
    assert names(find("data")) == {"rec": "day1/hall.wav"}
    (folder / "data/segments").write_text("u1 rec 0.5 1.5\nu2 rec 2 3\n")
    found = find("data")
    assert [(one.name, one.audio, one.start, one.end) for one in found.inputs] == [
        ("u1", "day1/hall.wav", 0.5, 1.5),
        ("u2", "day1/hall.wav", 2.0, 3.0),
    ]
    for line, message in (("u1 other 0 1", "recording is not in wav.scp"), ("u1 rec 2 1", "malformed line")):
        (folder / "data/segments").write_text(line + "\n")
        (error,) = find("data").errors
        assert message in str(error)


def test_a_manifest_names_audio_identifiers_and_times(folder: Path) -> None:
    rows = ["id\tfile\tstart\tend", "one\thall.flac\t\t", "two\thall.flac\t0\t0.005", "\t-x y.WAV\t\t"]
    (folder / "day2/set.tsv").write_text("\n".join(rows) + "\n")
    found = find("day2/set.tsv")
    assert [(one.name, one.audio, one.start, one.end) for one in found.inputs] == [
        ("one", "day2/hall.flac", None, None),
        ("two", "day2/hall.flac", 0.0, 0.005),
        ("-x_y", "day2/-x y.WAV", None, None),
    ]


def test_rows_that_can_t_be_used_are_errors_and_the_others_are_used(folder: Path) -> None:
    (folder / "set.csv").write_text("audio,start\nday1/hall.wav,0\nnothing.wav,0\nday1/hall.wav,soon\n,1\n")
    found = find("set.csv")
    assert [one.audio for one in found.inputs] == ["day1/hall.wav"]
    assert [str(error).split(";")[0] for error in found.errors] == [
        "set.csv:3: audio file is missing: nothing.wav",
        "set.csv:4: not a number: column start: expected seconds, got 'soon'",
        "set.csv:5: no audio is named",
    ]
    (folder / "none.csv").write_text("sound\nx\n")
    found = find("none.csv")
    assert not found.inputs
    assert "no audio column" in str(found.errors[0])


def test_identifiers_that_occur_twice_are_numbered(folder: Path) -> None:
    (folder / "a.scp").write_text("hall a.wav\n")
    (folder / "b.scp").write_text("hall b.wav\n")
    assert names(find("a.scp", "b.scp", "day1/hall.wav")) == {
        "hall": "a.wav",
        "hall-2": "b.wav",
        "hall-3": "day1/hall.wav",
    }


def test_file_names_that_are_not_utf8_have_names_that_are(folder: Path) -> None:
    path = os.fsdecode(b"\xff.wav")
    Path("day1/hall.wav").rename(path)
    assert names(find(path)) == {"\ufffd": path}
