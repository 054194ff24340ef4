"""Files are whole, none replaces another or what is read, and names do no harm."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ent.errors import ConfigError
from espnet_ent.export.registry import formats_named
from espnet_ent.export.writing import StreamWriter, TranscriptWriter, file_stem
from tests.export.transcripts import sample


@given(st.text())
def test_a_stem_is_a_file_name_of_this_directory(text: str) -> None:
    stem = file_stem(text)
    assert stem
    assert not set(stem) & set("/\\\0\n")
    assert stem[0] not in "-."
    assert len(stem.encode()) < 220


def written(directory: Path, names: list[str], formats: str, protected: tuple[Path, ...] = ()) -> set[str]:
    with TranscriptWriter(directory, formats_named(formats), protected) as writer:
        for name in names:
            writer.write(sample(name, text=name))
    return {path.name for path in directory.iterdir()}


def test_names_that_would_meet_are_numbered(tmp_path: Path) -> None:
    names = ["a", "A", "a", "é", "e\u0301", "a.labels", "transcripts"]
    found = written(tmp_path, names, "txt,audacity,jsonl")
    assert found == {
        *("a.txt", "A-2.txt", "a-3.txt", "é.txt", "e\u0301-2.txt", "a.labels-2.txt", "transcripts.txt"),
        *("a.labels.txt", "A-2.labels.txt", "a-3.labels.txt", "é.labels.txt", "e\u0301-2.labels.txt"),
        *("a.labels-2.labels.txt", "transcripts.labels.txt", "transcripts.jsonl"),
    }
    assert (tmp_path / "A-2.txt").read_text() == "A\n"
    assert len((tmp_path / "transcripts.jsonl").read_text().splitlines()) == len(names)


@pytest.mark.security
def test_names_lead_nowhere_else(tmp_path: Path) -> None:
    names = ["../../etc/passwd", "/abs", "..", "-rf", ".hidden", "a\nb", "x" * 400]
    found = written(tmp_path / "out", names, "txt")
    assert len(found) == len(names)
    assert {path.name for path in tmp_path.iterdir()} == {"out"}
    assert not any(name.startswith(("-", ".")) for name in found)


def test_what_is_read_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("mine")
    assert written(tmp_path, ["a"], "txt", (tmp_path / "a.txt",)) == {"a.txt", "a-2.txt"}
    assert (tmp_path / "a.txt").read_text() == "mine"
    (tmp_path / "transcripts.csv").write_text("mine")
    with pytest.raises(ConfigError, match=r"transcripts.csv: the output would replace an input; next: --out "):
        TranscriptWriter(tmp_path, formats_named("csv"), [tmp_path / "transcripts.csv"])


def _write_and_fail(writer: TranscriptWriter) -> None:
    writer.write(sample("b"))
    writer.write(None)


def test_a_second_run_replaces_and_a_broken_one_leaves_what_was(tmp_path: Path) -> None:
    written(tmp_path, ["a"], "txt,csv")
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert written(tmp_path, ["a"], "txt,csv") == set(before)
    with pytest.raises(AttributeError), TranscriptWriter(tmp_path, formats_named("csv")) as writer:
        _write_and_fail(writer)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before


def test_a_directory_that_can_t_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(ConfigError, match="can't write here"),
        TranscriptWriter(tmp_path / "file", formats_named("txt")),
    ):
        pass


def test_a_stream_takes_one_format_and_tells_recordings_apart() -> None:
    stream = io.BytesIO()
    with StreamWriter(stream, formats_named("csv"), 2) as writer:
        writer.write(sample("a"))
        writer.write(sample("b"))
    assert stream.getvalue().decode().count("recording,") == 1
    with pytest.raises(ConfigError, match="standard output takes one format"):
        StreamWriter(stream, formats_named("csv,txt"), 1)
    with pytest.raises(ConfigError, match="2 recordings can't be told apart in one stream of txt"):
        StreamWriter(stream, formats_named("txt"), 2)
