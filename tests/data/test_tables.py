"""Reading a table to its end, whatever is in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ent.data.tables import Defect, scan_table


def scan(tmp_path: Path, content: bytes, *, several_rows: bool = False) -> tuple[list[tuple[str, str]], list[str]]:
    """Rows as (key, value), and defects as ``line: message``."""
    path = tmp_path / "f"
    path.write_bytes(content)
    table = scan_table(path, several_rows=several_rows)
    return [(row.key, row.value) for row in table.rows], [str(d).removeprefix(f"{path}:") for d in table.defects]


def test_a_sound_table(tmp_path: Path) -> None:
    assert scan(tmp_path, "a\nb two  words\nä x\n".encode()) == ([("a", ""), ("b", "two  words"), ("ä", "x")], [])
    assert scan(tmp_path, b"") == ([], [])


@pytest.mark.parametrize(
    ("content", "rows", "defects"),
    [
        (b"a 1\nb 2", 2, ["2: the last line has no end; the file may be cut off"]),
        (b"a 1\n\nb 2\n  \n", 2, ["2: blank line", "4: blank line"]),
        (b" a 1\n", 0, ["1: the line starts with a space"]),
        (b"\xef\xbb\xbfa 1\n", 1, ["1: byte order mark"]),
        (b"a 1\r\nb 2\r\n", 2, ["1: the line ends in a carriage return", "2: the line ends in a carriage return"]),
        (b"a 1\nb \xff2\n", 2, ["2: not UTF-8 (byte 3 of the line)"]),
        (b"a 1\tx\n", 1, ["1: control character U+0009"]),
        ("a 1\x00\u2028\n".encode(), 1, ["1: control character U+0000 U+2028"]),
        (b"b 1\na 2\n", 2, ["2: not sorted (LC_ALL=C): 'a' stands after 'b'"]),
        (b"a 1\nB 2\n", 2, ["2: not sorted (LC_ALL=C): 'B' stands after 'a'"]),
        (b"a 1\na 2\n", 2, ["2: 'a' occurs twice, first on line 1"]),
        (b"a 1\na 1\n", 2, ["2: 'a' occurs twice, first on line 1 (the same line)"]),
    ],
)
def test_every_defect_of_form(tmp_path: Path, content: bytes, rows: int, defects: list[str]) -> None:
    found_rows, found = scan(tmp_path, content)
    assert (len(found_rows), found) == (rows, defects)


def test_a_key_may_stand_on_several_lines_where_that_is_meant(tmp_path: Path) -> None:
    assert scan(tmp_path, b"a 1\na 2\nb 3\n", several_rows=True)[1] == []


@given(st.binary(max_size=60))
def test_no_content_stops_it(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    rows, defects = scan(tmp_path_factory.mktemp("t"), content)
    if not defects:  # then it is just what a writer would have written
        assert [key for key, _ in rows] == sorted({key for key, _ in rows}, key=str.encode)
        assert len(rows) == content.count(b"\n")


def test_a_warning_says_so() -> None:
    assert str(Defect(Path("text"), 3, "text is empty", warning=True)) == "text:3: warning: text is empty"
    assert str(Defect(Path("text"), None, "file is missing")) == "text: file is missing"
