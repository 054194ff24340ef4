"""Data directories: golden files, writing and reading back, and the faults of hand-made ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from espnet_ent.data.datadir import (
    read_data_dir,
    read_emo_segments,
    read_emo_words,
    read_lines,
    read_table,
    read_word_times,
    write_data_dir,
    write_one_line_forms,
)
from espnet_ent.data.utterance import Utterance, WordSpan, WordTime
from espnet_ent.data.validate import validate_data_dir
from espnet_ent.errors import DataError
from espnet_ent.timeline import EmotionSegment
from tests.amounts import amount
from tests.data.dirs import make_data_dir, make_utterances, read_tree

UTTERANCES = [
    Utterance("b-1", "b", "a dir/b1.wav", "HI THERE", "hap", (EmotionSegment(0.39, 1.1, "hap"),), num_samples=17600),
    Utterance("a-2", "a", "x.ark:17", "", "neu", (), num_samples=8000),
    Utterance(
        "a-10",
        "a",
        "x.ark:2",
        "GRÜN",
        "sad",
        (EmotionSegment(0, 1, "sad"), EmotionSegment(1.5, 2, "ang")),
        num_samples=9,
    ),
]


def test_golden_files(tmp_path: Path) -> None:
    write_data_dir(tmp_path / "data", UTTERANCES)
    assert {name: data.decode() for name, data in read_tree(tmp_path / "data").items()} == {
        "wav.scp": "a-10 x.ark:2\na-2 x.ark:17\nb-1 a dir/b1.wav\n",
        "text": "a-10 GRÜN\na-2\nb-1 HI THERE\n",
        "utt2spk": "a-10 a\na-2 a\nb-1 b\n",
        "spk2utt": "a a-10 a-2\nb b-1\n",
        "utt2emo": "a-10 sad\na-2 neu\nb-1 hap\n",
        "utt2num_samples": "a-10 9\na-2 8000\nb-1 17600\n",
        "emo_segments": "a-10 0.0000 1.0000 sad\na-10 1.5000 2.0000 ang\nb-1 0.3900 1.1000 hap\n",
    }
    write_one_line_forms(tmp_path / "data", sorted(UTTERANCES, key=lambda u: u.utt_id))
    assert (tmp_path / "data" / "utt2emo_segments").read_text() == (
        "a-10 0.0000 1.0000 sad 1.5000 2.0000 ang\na-2 none\nb-1 0.3900 1.1000 hap\n"
    )
    assert not (tmp_path / "data" / "utt2emo_words").exists()


def test_golden_word_times(tmp_path: Path) -> None:
    times = {
        "b-1": (WordTime(0.39, 0.5, "HI"), WordTime(0.5, 1.000062, "THERE")),
        "a-2": (),
        "a-10": (WordTime(0, 1, "GRÜN"),),
    }
    utterances = [replace(utterance, word_times=times[utterance.utt_id]) for utterance in UTTERANCES]
    write_data_dir(tmp_path / "data", utterances)
    assert (tmp_path / "data" / "word_times").read_text() == (
        "a-10 0.0000 1.0000 GRÜN\nb-1 0.3900 0.5000 HI\nb-1 0.5000 1.000062 THERE\n"
    )
    assert [len(utterance.word_times) for utterance in read_data_dir(tmp_path / "data")] == [1, 0, 2]


def test_segments_of_recordings(tmp_path: Path) -> None:
    utterances = [
        Utterance("u2", "s", "long.flac", start=2.5, end=4.0),
        Utterance("u1", "s", "long.flac", start=0.0, end=2.5),
    ]
    write_data_dir(tmp_path / "data", utterances)
    files = read_tree(tmp_path / "data")
    assert files["wav.scp"] == b"long long.flac\n"
    assert files["segments"] == b"u1 long 0.0000 2.5000\nu2 long 2.5000 4.0000\n"
    assert read_data_dir(tmp_path / "data") == utterances[::-1]


NAME = st.from_regex(r"[^\s/\x00-\x20\x7f-\xa0]{1,8}", fullmatch=True).filter(lambda name: len(name.split()) == 1)
WORDS = st.lists(NAME, max_size=4).map(" ".join)
STEPS = st.lists(st.integers(0, 10**5), max_size=6, unique=True).map(sorted)


@st.composite
def data_dirs(draw: st.DrawFn) -> list[Utterance]:
    has_text, has_emotion, has_segments, has_words, has_times = (draw(st.booleans()) for _ in range(5))
    utterances = []
    for utt_id in draw(st.lists(NAME, min_size=1, max_size=5, unique=True)):
        steps = draw(STEPS)
        intervals = list(zip(steps[::2], steps[1::2], strict=False))
        label = draw(NAME)
        utterances.append(
            Utterance(
                utt_id,
                draw(NAME),
                draw(WORDS.filter(bool)),
                text=draw(WORDS) if has_text else None,
                emotion=label if has_emotion else None,
                emo_segments=tuple(EmotionSegment(a / 1e4, b / 1e4, label) for a, b in intervals)
                if has_segments
                else None,
                emo_words=tuple(WordSpan(a, b, label) for a, b in intervals) if has_words else None,
                word_times=tuple(WordTime(a / 1e4, b / 1e4, label) for a, b in intervals) if has_times else None,
            )
        )
    return utterances


@settings(max_examples=amount(500, 40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(utterances=data_dirs())
def test_written_and_read_back(tmp_path_factory: pytest.TempPathFactory, figures, utterances: list[Utterance]) -> None:
    figures(
        "Data", "a data directory that is written and read back is the same, and written again to the byte", examples=1
    )
    path = tmp_path_factory.mktemp("dirs") / "data"
    write_data_dir(path, utterances)
    again = read_data_dir(path)
    assert again == sorted(utterances, key=lambda utterance: utterance.utt_id.encode())
    first = read_tree(path)
    write_data_dir(path, reversed(again))
    assert read_tree(path) == first


def test_a_missing_table_is_no_field(tmp_path: Path) -> None:
    data = make_data_dir(tmp_path)
    for name in ("text", "utt2emo", "emo_segments", "emo_words", "utt2num_samples"):
        (data / name).unlink()
    assert {(u.text, u.emotion, u.emo_segments, u.emo_words, u.num_samples) for u in read_data_dir(data)} == {
        (None,) * 5
    }


def test_without_lines_in_emo_segments_an_utterance_is_neutral(tmp_path: Path) -> None:
    data = make_data_dir(tmp_path)
    assert [u.emo_segments for u in read_data_dir(data) if u.emotion == "neu"] == [(), ()]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda us: [*us, us[0]], "utterance occurs twice; got s0-u0"),
        (lambda us: [replace(us[0], emotion=None), *us[1:]], "some utterances have emotion, others not; got s0-u0"),
        (lambda us: [replace(us[0], start=0.0, end=1.0), *us[1:]], "some utterances have start, others not"),
        (lambda us: [replace(us[0], utt_id="a b"), *us[1:]], "a name is empty or holds white space; got 'a b'"),
        (lambda us: [replace(us[0], speaker=""), *us[1:]], "a name is empty or holds white space; got ''"),
    ],
)
def test_what_cannot_be_written(tmp_path: Path, change, message: str) -> None:
    with pytest.raises(DataError, match=message):
        write_data_dir(tmp_path / "data", change(make_utterances(tmp_path)))
    assert not (tmp_path / "data").exists()


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a 1\na 2\n", "table:2: identifier occurs twice; got a"),
        (b"a 1\n\nb 2\n", "table:2: line without an identifier"),
        (b" a 1\n", "table:1: line without an identifier"),
        (b"a \xff\n", "table: not UTF-8; got byte 2"),
    ],
)
def test_faults_of_a_table(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_table(write(tmp_path / "table", content))


def test_a_table(tmp_path: Path) -> None:
    path = write(tmp_path / "table", b"b  two words \na\nc 1")
    assert read_table(path) == {"b": "two words", "a": "", "c": "1"}
    assert read_lines(write(path, b"")) == []


def test_only_line_feeds_end_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "table", "a x\u2028y\x0bz\n".encode())
    assert read_table(path) == {"a": "x\u2028y\x0bz"}


@pytest.mark.parametrize(
    ("read", "content", "message"),
    [
        (read_emo_segments, b"a 0 1\n", "f:1: malformed line; expected <utt> <start s> <end s> <label>; got 'a 0 1'"),
        (read_emo_segments, b"a 0 1 ang\na x 1 ang\n", "f:2: not a number"),
        (read_emo_segments, b"a 2 1 ang\n", "f:1: emotion segment is empty, reversed"),
        (read_emo_segments, b"a nan 1 ang\n", "f:1: emotion segment is empty, reversed"),
        (read_emo_words, b"a 0 1.5 ang\n", "f:1: not a number"),
        (read_word_times, b"a 0 1\n", "f:1: malformed line; expected <utt> <start s> <end s> <word>; got 'a 0 1'"),
        (read_word_times, b"a 0 1 GO\na 2 1 ON\n", "f:2: times of a word are reversed or negative; got 2 1 ON"),
        (read_word_times, b"a 0 inf GO\n", "f:1: times of a word are reversed"),
        (read_emo_words, b"a 0 1 2 ang\n", "f:1: malformed line"),
    ],
)
def test_faults_of_intervals(tmp_path: Path, read, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(write(tmp_path / "f", content))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("wav.scp", b"s0-u0 a.wav\n", "wav.scp: identifier is missing; got s0-u2; next: run ent_validate"),
        ("text", b"s0-u0 A\n", "text: identifier is missing; got s0-u2"),
        ("utt2num_samples", b"s0-u0 many\n", "utt2num_samples: s0-u0: not a number of samples; got 'many'"),
        ("segments", b"s0-u0 rec 0\n", "segments: malformed line of utterance s0-u0"),
        ("segments", b"s0-u0 rec 0 x\n", "segments: malformed line of utterance s0-u0"),
    ],
)
def test_faults_of_a_directory(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    data = make_data_dir(tmp_path)
    (data / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_data_dir(data)


def test_missing_parts_name_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="data: data directory is missing; next: rerun the stage"):
        read_data_dir(tmp_path / "data")
    data = make_data_dir(tmp_path)
    (data / "wav.scp").unlink()
    with pytest.raises(DataError, match=r"wav.scp: file is missing; next: rerun the stage"):
        read_data_dir(data)


def test_what_nobody_has_transcribed_is_told_from_what_has_no_words(tmp_path: Path) -> None:
    first, *others = make_utterances(tmp_path / "audio")
    utterances = [replace(first, text=None, emo_words=()), *others]
    write_data_dir(tmp_path / "data", utterances)
    assert (tmp_path / "data/untranscribed").read_text() == "s0-u0\n"
    read = {u.utt_id: u.text for u in read_data_dir(tmp_path / "data")}
    assert read["s0-u0"] is None
    assert read["s0-u2"] == ""
    texts = [str(defect) for defect in validate_data_dir(tmp_path / "data") if "text" in str(defect)]
    assert [text.partition("text:")[2] for text in texts] == ["2: warning: text is empty"]  # that of s0-u2


def test_faults_of_the_list_of_untranscribed_utterances(tmp_path: Path) -> None:
    write_data_dir(tmp_path / "data", make_utterances(tmp_path / "audio"))
    (tmp_path / "data/untranscribed").write_text("s0-u0\ns7-u7\n")
    messages = [
        defect.message for defect in validate_data_dir(tmp_path / "data") if defect.path.name == "untranscribed"
    ]
    assert messages == ["utterance 's0-u0' has a text", "unknown utterance 's7-u7'"]
