"""Names of recordings are unique, whatever the files are called."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from espnet_ent.data.datadir import read_data_dir, write_data_dir
from espnet_ent.data.recordings import recording_names
from espnet_ent.data.utterance import Utterance

FILES = st.lists(st.from_regex(r"/?([ab] ?[ab]?/){0,3}[ab][ _]?[ab]?(\.wav|\.flac)", fullmatch=True), max_size=8)


@given(FILES)
def test_names_are_unique_without_white_space_and_independent_of_the_order(files: list[str]) -> None:
    names = recording_names(files)
    assert set(names) == set(files)
    assert len(set(names.values())) == len(names)
    assert all(len(name.split()) == 1 and "/" not in name for name in names.values())
    assert recording_names(reversed(files)) == names


def test_folders_are_named_only_where_it_takes_them() -> None:
    files = ["/corpus/x/1/hall.wav", "/corpus/y/1/hall.wav", "/corpus/y/2/hall.wav", "/corpus/y/my yard.wav"]
    assert list(recording_names(files).values()) == ["x-1-hall", "y-1-hall", "2-hall", "my_yard"]
    assert list(recording_names(["a.flac", "a.wav"]).values()) == ["a", "a-2"]


def test_recordings_of_one_name_keep_apart_in_a_data_directory(tmp_path) -> None:
    utterances = [
        Utterance("u1", "s", "day 1/hall.wav", text="GO", start=0.0, end=1.234567),
        Utterance("u2", "s", "day 2/hall.wav", text="ON", start=1.5, end=2.5),
        Utterance("u3", "s", "day 1/hall.wav", text="YES", start=1.5, end=2.0),
    ]
    write_data_dir(tmp_path / "data", utterances)
    assert (tmp_path / "data" / "wav.scp").read_text() == "day_1-hall day 1/hall.wav\nday_2-hall day 2/hall.wav\n"
    assert (tmp_path / "data" / "segments").read_text().startswith("u1 day_1-hall 0.0000 1.234567\n")
    assert read_data_dir(tmp_path / "data") == utterances
