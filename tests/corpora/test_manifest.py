"""Reading manifests: formats, columns, and what is wrong with their form."""

from __future__ import annotations

from pathlib import Path

import pytest

from espnet_ent.corpora.manifest import Manifest, read_manifest
from espnet_ent.corpora.manifest_columns import parse_pairs
from espnet_ent.errors import ConfigError, DataError


def read(tmp_path: Path, content: str | bytes, name: str = "m.tsv", **mapping: str) -> Manifest:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_manifest(path, mapping)


def lines(manifest: Manifest) -> list[str]:
    """Defects without the path."""
    return [str(defect).removeprefix(str(manifest.path)) for defect in manifest.log.defects]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("m.tsv", 'file\tspk\ttext\na b.wav\ts1\tShe said "no, no"\nc.wav\ts2\tü\n'),
        ("m.csv", 'file,spk,text\na b.wav,s1,"She said ""no, no"""\nc.wav,s2,ü\n'),
        (
            "m.jsonl",
            '{"file": "a b.wav", "spk": "s1", "text": "She said \\"no, no\\""}\n{"file":"c.wav","spk":"s2","text":"ü"}',
        ),
    ],
)
def test_formats_say_the_same(tmp_path: Path, name: str, content: str) -> None:
    manifest = read(tmp_path, content, name)
    assert [dict(row.cells) for row in manifest.rows] == [
        {"audio": "a b.wav", "speaker": "s1", "transcript": 'She said "no, no"'},
        {"audio": "c.wav", "speaker": "s2", "transcript": "ü"},
    ]
    assert lines(manifest) == []


def test_byte_order_mark_and_carriage_returns_are_accepted(tmp_path: Path) -> None:
    for name, separator in (("m.tsv", "\t"), ("m.csv", ",")):
        content = f"\ufeffaudio{separator}text\r\na.wav{separator}yes\r\n"
        manifest = read(tmp_path, content, name)
        assert [dict(row.cells) for row in manifest.rows] == [{"audio": "a.wav", "transcript": "yes"}]
        assert lines(manifest) == []


def test_lines_are_those_of_the_file_in_csv_with_line_breaks(tmp_path: Path) -> None:
    manifest = read(tmp_path, 'audio,text\na.wav,"two\nlines"\nb.wav,one\n', "m.csv")
    assert [row.line for row in manifest.rows] == [2, 4]


@pytest.mark.parametrize(
    ("header", "mapping", "found"),
    [
        ("PATH utt_id Spk Label sentence subset", {}, "audio id speaker emotion transcript split"),
        ("file emotion emotion4", {"emotion": "emotion4"}, "audio emotion"),
        ("file emotion", {"emotion": "-"}, "audio"),
        ("file text", {"audio": "text", "transcript": "-"}, "audio"),
        ("audio file", {}, "audio"),
        ("wav start end intervals session dialogue", {}, "audio start end emo_segments session dialog"),
    ],
)
def test_columns_are_found_by_name_alias_or_mapping(
    tmp_path: Path, header: str, mapping: dict[str, str], found: str
) -> None:
    names = header.split()
    manifest = read(tmp_path, "\t".join(names) + "\n" + "\t".join(names) + "\n", **mapping)
    assert lines(manifest) == []
    assert set(manifest.rows[0].cells) == set(found.split())
    if "emotion4" in names:
        assert manifest.rows[0].cells["emotion"] == "emotion4"


@pytest.mark.parametrize(
    ("name", "content", "mapping", "defects"),
    [
        ("m.tsv", "", {}, [":1: no header"]),
        ("m.tsv", "audio\n", {}, [": no rows"]),
        ("m.jsonl", "", {}, [": no rows"]),
        ("m.tsv", "text\nyes\n", {}, [":1: no audio column, expected audio | file"]),
        ("m.tsv", "audio\ttext\ttext\na\tb\tc\n", {}, [":1: column 'text' occurs twice in the header"]),
        ("m.tsv", "audio\temotion4\na\tb\n", {"emotion": "emotion5"}, [":1: no column 'emotion5', which --columns"]),
        ("m.tsv", "audio\tlabel\temo\na\tb\tc\n", {}, [":1: columns 'label', 'emo' could all be the emotion"]),
        (
            "m.tsv",
            "audio\ttext\na\na\tb\n\nc\td\te\n",
            {},
            [":2: wrong number", ":4: warning: blank", ":5: wrong number"],
        ),
        ("m.tsv", b"audio\ttext\na\tb\na\t\xff\n", {}, [":3: not UTF-8"]),
        ("m.tsv", b"audio\t\xff\na\tb\n", {}, [":1: not UTF-8"]),
        ("m.tsv", "audio\na\n".encode("utf-16"), {}, [": not UTF-8: the file is UTF-16"]),
        ("m.csv", b'audio,text\na,"b\n\xff"\n', {}, [":3: not UTF-8"]),
        ("m.csv", 'audio,text\na,"b"c\nd,e\nf,"g\n', {}, [":2: malformed CSV: ',' expected", ":4: malformed CSV"]),
        ("m.jsonl", '{"audio": "a"}\n{"audio": \n', {}, [":2: malformed JSON"]),
        (
            "m.jsonl",
            '{"audio": "a"}\n["a"]\n3',
            {},
            [":2: JSON line is not an object: got list", ":3: JSON line is not"],
        ),
        ("m.jsonl", '{"audio": "a", "audio": "b"}\n', {}, [":1: malformed JSON: key 'audio' occurs twice"]),
        ("m.jsonl", "[" * 100000, {}, [":1: malformed JSON"]),
    ],
)
def test_faults_of_form(
    tmp_path: Path, name: str, content: str | bytes, mapping: dict[str, str], defects: list[str]
) -> None:
    found = lines(read(tmp_path, content, name, **mapping))
    assert len(found) == len(defects), found
    for line, start in zip(found, defects, strict=True):
        assert line.startswith(start)


def test_a_row_at_fault_is_still_counted(tmp_path: Path) -> None:
    manifest = read(tmp_path, "audio\ttext\na\nb\tc\n")
    assert [(row.line, bool(row.cells)) for row in manifest.rows] == [(2, False), (3, True)]


def test_options_that_make_no_sense_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "m.txt").write_text("audio\na\n")
    with pytest.raises(DataError, match=r"m.tsv: manifest is missing; next: "):
        read_manifest(tmp_path / "m.tsv")
    with pytest.raises(ConfigError, match=r"m.txt: the extension does not tell .*--manifest_format"):
        read_manifest(tmp_path / "m.txt")
    assert len(read_manifest(tmp_path / "m.txt", manifest_format="tsv").rows) == 1
    with pytest.raises(ConfigError, match=r"unknown manifest format; expected tsv \| csv \| jsonl; got xml"):
        read_manifest(tmp_path / "m.txt", manifest_format="xml")
    with pytest.raises(ConfigError, match="option --columns: unknown column 'speakr'; did you mean 'speaker'"):
        read_manifest(tmp_path / "m.txt", {"speakr": "s"}, "tsv")


@pytest.mark.parametrize("text", ["audio", "audio=", "=file", "audio=a,audio=b"])
def test_malformed_mappings_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="option --columns: "):
        parse_pairs(text, "--columns")
    assert parse_pairs("", "--columns") == {}
