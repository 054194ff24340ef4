"""Validation finds every defect in one run, and none in a sound directory."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet_ent.data.audio import MISSING_AUDIO
from espnet_ent.data.datadir import read_data_dir, write_data_dir, write_one_line_forms
from espnet_ent.data.utterance import Utterance
from espnet_ent.data.validate import ValidationConfig, make_config, validate_data_dir
from espnet_ent.errors import ConfigError, DataError, LabelError
from espnet_ent.labels import FOUR_EMOTIONS
from tests.corpora.trees import write_tone
from tests.data.dirs import SAMPLE_RATE, make_data_dir

STRICT = ValidationConfig(FOUR_EMOTIONS, SAMPLE_RATE)
Damage = Callable[[Path], object]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    data = make_data_dir(tmp_path)
    write_one_line_forms(data, read_data_dir(data))
    return data


def defects_of(data: Path, config: ValidationConfig = STRICT) -> list[str]:
    """Defects that are not warnings, with paths below the data directory's parent made short."""
    defects = [str(defect) for defect in validate_data_dir(data, config) if not defect.warning]
    return [defect.replace(f"{data}/", "").replace(f"{data.parent}/", "") for defect in defects]


def edit(name: str, old: str, new: str, encoding: str = "utf-8") -> Damage:
    """Replace text that occurs once in a file."""

    def damage(data: Path) -> None:
        content = (data / name).read_bytes()
        assert content.count(old.encode()) == 1, (name, old)
        (data / name).write_bytes(content.replace(old.encode(), new.encode(encoding)))

    return damage


def append(name: str, text: str) -> Damage:
    return lambda data: (data / name).write_text((data / name).read_text() + text)


def remove(name: str) -> Damage:
    return lambda data: (data / name).unlink()


def cut_wav(data: Path) -> None:
    path = data.parent / "audio" / "rec 1.wav"
    path.write_bytes(path.read_bytes()[:-200])


def test_a_sound_directory_has_no_defect(data: Path) -> None:
    assert defects_of(data) == []


def test_empty_text_is_a_warning_or_a_defect(data: Path) -> None:
    assert [str(d) for d in validate_data_dir(data, STRICT)] == [f"{data}/text:2: warning: text is empty"]
    strict = ValidationConfig(FOUR_EMOTIONS, SAMPLE_RATE, empty_text_is_error=True)
    assert defects_of(data, strict) == ["text:2: text is empty"]


# Each damages another utterance or file than the ones before, so that all can be made at once.
DAMAGES: list[tuple[str, Damage, list[str]]] = [
    (
        "an emotion that is not in the list",
        edit("utt2emo", "s1-u1 neu", "s1-u1 hpy"),
        ["utt2emo:4: unknown emotion label 'hpy', expected one of hap ang sad neu"],
    ),
    (
        "too many columns",
        edit("utt2emo", "s0-u4 neu", "s0-u4 neu neu"),
        ["utt2emo:3: 3 columns, expected <utt> <emotion>"],
    ),
    (
        "a missing speaker",
        edit("utt2spk", "s0-u4 s0", "s0-u4"),
        [
            "spk2utt:1: utterance 's0-u4': utt2spk says no speaker",
            "utt2spk:3: 1 columns, expected <utt> <speaker>",
        ],
    ),
    (
        "another speaker",
        edit("spk2utt", "s1 s1-u1 s1-u3", "s1 s1-u3 s0-u0 s9-u9"),
        [
            "spk2utt: utterance 's1-u1' is missing",
            "spk2utt:2: utterance 's0-u0' occurs twice",
            "spk2utt:2: utterance 's0-u0': utt2spk says speaker 's0'",
            "spk2utt:2: utterance 's9-u9': utt2spk says no speaker",
        ],
    ),
    (
        "a line that is missing",
        edit("text", "s1-u3 I LIKE PEARS\n", ""),
        ["text: no line of utterance 's1-u3' (wav.scp:5 names it)"],
    ),
    ("not UTF-8", edit("text", "RIVER", "R\xcdVER", "latin-1"), ["text:4: not UTF-8 (byte 12 of the line)"]),
    ("a control character", edit("text", "OPEN THE", "OPEN\tTHE"), ["text:1: control character U+0009"]),
    (
        "truncated audio",
        cut_wav,
        ["wav.scp:4: audio/rec 1.wav: wav file is truncated; expected 24044 bytes; got 23844 bytes"],
    ),
    (
        "a command",
        edit("wav.scp", "audio/rec 2.wav", "audio/rec 2.wav |"),
        ["wav.scp:2: audio/rec 2.wav |: a command in place of a file; next: run it once and name the file it makes"],
    ),
    (
        "missing audio",
        edit("wav.scp", "rec 0.wav", "rec 9.wav"),
        [f"wav.scp:1: audio/rec 9.wav: audio file is missing; next: {MISSING_AUDIO}"],
    ),
    (
        "another rate",
        lambda data: write_tone(data.parent / "audio" / "rec 3.wav", 0.25, sample_rate=8000),
        ["wav.scp:5: audio/rec 3.wav: wrong sample rate; expected 16000 Hz, got 8000 Hz"],
    ),
    (
        "a wrong length",
        edit("utt2num_samples", "s0-u4 24000", "s0-u4 23999"),
        ["utt2num_samples:3: 23999 samples, but the audio has 24000"],
    ),
    (
        "no length",
        edit("utt2num_samples", "s0-u2 16000", "s0-u2 many"),
        ["utt2num_samples:2: 'many' is not a number of samples"],
    ),
    (
        "faulty intervals",
        append(
            "emo_segments",
            "s1-u3 0.1 0.24 sad\ns1-u3 0.15 0.12 sad\ns1-u3 0 x ang\ns1-u4 0 1 hpy\ns1-u5 1\ns0-u0 0.3 0.4 ang\n",
        ),
        [
            "emo_segments:4: overlaps the interval 0.1 0.2",
            "emo_segments:5: empty, reversed or negative interval 0.15 0.12",
            "emo_segments:6: not a number in '0 x'",
            "emo_segments:7: unknown emotion label 'hpy', expected one of hap ang sad neu",
            "emo_segments:7: unknown utterance 's1-u4'",
            "emo_segments:8: 2 columns, expected <utt> <start s> <end s> <label>",
            "emo_segments:8: unknown utterance 's1-u5'",
            "emo_segments:9: not sorted (LC_ALL=C): 's0-u0' stands after 's1-u5'",
            "utt2emo_segments:1: '0.1000 0.2000 ang' differs from emo_segments: '0.1000 0.2000 ang 0.3 0.4 ang'",
            "utt2emo_segments:5: '0.1000 0.2000 hap' differs from emo_segments: "
            "'0.1000 0.2000 hap 0.1 0.24 sad 0.15 0.12 sad 0 x ang'",
        ],
    ),
    (
        "faulty spans of words",
        append("emo_words", "s1-u3 1 2 ang\ns1-u3 4 3 ang\ns1-u3 -1 3 ang\n"),
        [
            "emo_words:3: overlaps the interval 0 2",
            "emo_words:4: reversed span of words 4 3",
            "emo_words:5: not the numbers of words: -1 3",
            "utt2emo_words:5: '0 1 hap' differs from emo_words: '0 1 hap 1 2 ang 4 3 ang -1 3 ang'",
        ],
    ),
]


@pytest.mark.parametrize(("damage", "expected"), [pytest.param(*case[1:], id=case[0]) for case in DAMAGES])
def test_a_defect_is_found_alone(data: Path, damage: Damage, expected: list[str]) -> None:
    damage(data)
    assert sorted(defects_of(data)) == sorted(expected)


def test_all_defects_are_found_at_once(data: Path) -> None:
    for _, damage, _ in DAMAGES:
        damage(data)
    found = defects_of(data)
    # Where audio or a text is gone, nothing can be said about lengths.
    expected = [message for _, _, messages in DAMAGES for message in messages]
    assert set(expected) <= set(found)
    assert len(found) == len(set(found))


MORE_DAMAGES = [
    append("word_times", "s1-u3 0.01 0.02 A\n"),
    append("word_times", "s1-u3 x 0.3 B\n"),
    append("word_times", "s1-u3 0.1 B\n"),
    append("word_times", "s9-u9 0 1 GO\n"),
    append("emo_words", "s8-u8 0 1 ang\n"),
    append("utt2emo", "t0\n"),
    append("utt2num_samples", "t1 5\n"),
    append("spk2utt", "s2\n"),
    lambda data: (data / "untranscribed").write_text("s0-u0\ns7-u7\n"),
]


def test_forty_defects_are_in_one_report_and_none_is_told_of_sound_data(tmp_path: Path, figures) -> None:
    """What is told of each damage alone is told of all of them together."""

    def without_line(defect: str) -> str:
        return re.sub(r":\d+: ", ": ", defect, count=1)

    def make(name: str) -> Path:
        (tmp_path / name).mkdir()
        data = make_data_dir(tmp_path / name, words=True)
        write_one_line_forms(data, read_data_dir(data))
        return data

    together, alone = make("together"), set()
    for number, damage in enumerate([*(damage for _, damage, _ in DAMAGES), *MORE_DAMAGES]):
        data = make(str(number))
        assert defects_of(data) == []
        damage(data)
        told = defects_of(data)
        assert told
        # Where audio or a text is gone or differs, nothing or something else can be said about lengths and words.
        alone |= {without_line(defect) for defect in told if "are not those of its text" not in defect}
        damage(together)
    assert alone - set(map(without_line, defects_of(together))) == set()
    assert len(alone) >= 40
    promise = "defects of a data directory: all in one report, none is told of a sound one"
    figures("Data", promise, defects=len(alone), damages=len(DAMAGES) + len(MORE_DAMAGES))


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (edit("wav.scp", "s0-u0 ", "s0/u0 "), "wav.scp:1: identifier 's0/u0' can't be a file name"),
        (edit("emo_segments", "0.2000 a", "0.6 a"), "emo_segments:1: end 0.6 s is after the utterance's end (0.5 s)"),
        (append("emo_segments", "s1-u3 0.0 0.05 hap\n"), "emo_segments:4: not sorted: starts before 0.1"),
        (edit("emo_words", "s0-u0 0 1", "s0-u0 0 3"), "emo_words:1: word 3 is after the text's last word (2)"),
        (remove("emo_segments"), "utt2emo_segments: emo_segments, from which it is made, is missing"),
        (remove("spk2utt"), "spk2utt: file is missing"),
        (append("spk2utt", "s2\n"), "spk2utt:3: speaker 's2' has no utterance"),
        (append("utt2emo", "s1-u3 hap\n"), "utt2emo:6: 's1-u3' occurs twice, first on line 5 (the same line)"),
        (append("utt2emo", "t0 hap\n"), "text: no line of utterance 't0' (utt2emo:6 names it)"),
        (edit("wav.scp", " audio/rec 0.wav", ""), "wav.scp:1: no audio is named, expected <id> <file>"),
    ],
)  # fmt: skip
def test_more_defects(data: Path, damage: Damage, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(data.parent)
    scp = data / "wav.scp"
    scp.write_text(scp.read_text().replace(f"{data.parent}/", ""))
    damage(data)
    assert expected in defects_of(data)


WORD_DAMAGES = [
    (
        edit("word_times", "0.0500 OPEN", "0.5002 OPEN"),
        [
            "word_times:1: end 0.5002 s is after the utterance's end (0.5 s)",
            "word_times:2: overlaps the interval 0 0.5002",
            "word_times:3: overlaps the interval 0 0.5002",
        ],
    ),
    (edit("word_times", "0.0500 OPEN", "x OPEN"), ["word_times:1: not a number in '0.0000 x'"]),
    (edit("word_times", "0.0600 0.1100 LIKE", "0.0600 LIKE"), ["3 columns, expected <utt> <start s> <end s> <word>"]),
    (append("word_times", "s9-u9 0 1 GO\n"), ["word_times:13: unknown utterance 's9-u9'"]),
    (append("word_times", "s1-u3 0.01 0.02 A\n"), ["word_times:13: overlaps the interval 0 0.05"]),
    (edit("text", "I LIKE PEARS", "I LIKED PEARS"), ["are not those of its text, 'I LIKED PEARS'"]),
    (
        edit("word_times", "s0-u4 0.0600 0.1100 ON\n", ""),
        ["words of 's0-u4', 'GO', are not those of its text, 'GO ON'"],
    ),
]


@pytest.mark.parametrize(("damage", "expected"), WORD_DAMAGES)
def test_faults_of_times_of_words(tmp_path: Path, damage: Damage, expected: list[str]) -> None:
    data = make_data_dir(tmp_path, words=True)
    assert defects_of(data) == []
    damage(data)
    found = defects_of(data)
    for message in expected:
        assert any(message in defect for defect in found), found
    assert all(defect.startswith("word_times") for defect in found)


def test_words_in_the_wrong_order_are_repairable(tmp_path: Path) -> None:
    data = make_data_dir(tmp_path, words=True)
    lines = (data / "word_times").read_text().splitlines(keepends=True)
    (data / "word_times").write_text("".join([lines[1], lines[0], *lines[2:]]))
    (defect,) = [defect for defect in validate_data_dir(data, STRICT) if not defect.warning]
    assert str(defect) == f"{data}/word_times:2: not sorted: starts before 0.06"
    assert defect.repairable


def test_a_time_within_rounding_of_the_end_is_no_defect(data: Path) -> None:
    edit("emo_segments", "0.2000 ang", "0.5001 ang")(data)
    edit("utt2emo_segments", "0.2000 ang", "0.5001 ang")(data)
    assert defects_of(data) == []


def test_segments_of_recordings(tmp_path: Path) -> None:
    write_tone(tmp_path / "long.wav", 2.0)
    write_tone(tmp_path / "other.wav", 1.0)
    ends = (1.0, 2.0)
    utterances = [
        Utterance(f"u{i}", "s", str(tmp_path / "long.wav"), "A", "neu", start=end - 1, end=end)
        for i, end in enumerate(ends)
    ]
    data = tmp_path / "data"
    write_data_dir(data, utterances)
    assert defects_of(data) == []
    append("wav.scp", f"other {tmp_path}/other.wav\n")(data)
    (data / "segments").write_text("u0 long 0 2.1\nu1 none 0 1\nu2 long 1\nu3 long 1 0.5\nu4 long x 1\n")
    found = [defect for defect in defects_of(data) if not defect.startswith(("text:", "utt2", "spk2utt"))]
    assert found == [
        "segments:1: end 2.1 s is after the end of 'long' (2 s)",
        "segments:2: recording 'none' is not in wav.scp",
        "segments:3: 3 columns, expected <utt> <recording> <start s> <end s>",
        "segments:4: empty, reversed or negative interval 1 0.5",
        "segments:5: not a number in 'x 1'",
        "wav.scp:2: recording 'other' has no utterance in segments",
    ]


def test_how_deep_audio_is_checked(data: Path) -> None:
    import soundfile

    path = data.parent / "audio" / "rec 0.wav"
    soundfile.write(path, soundfile.read(path)[0], SAMPLE_RATE, format="FLAC")
    path.write_bytes(path.read_bytes()[:-3000])  # only decoding tells
    for audio, num_defects in (("decode", 1), ("header", 0), ("none", 0)):
        assert len(defects_of(data, ValidationConfig(audio=audio))) == num_defects
    path.unlink()
    for audio, num_defects in (("header", 1), ("none", 0)):
        assert len(defects_of(data, ValidationConfig(audio=audio))) == num_defects
    edit("wav.scp", "rec 0.wav", "rec 0.wav |")(data)
    assert len(defects_of(data, ValidationConfig(audio="none"))) == 1


def test_missing_files_and_directories(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="data: data directory is missing; next: rerun the stage that makes it"):
        validate_data_dir(tmp_path / "data")
    (tmp_path / "data").mkdir()
    assert defects_of(tmp_path / "data") == [
        f"{tmp_path}/data: no utterance in this directory".replace(f"{tmp_path}/", ""),
        "spk2utt: file is missing",
        "text: file is missing",
        "utt2emo: file is missing",
        "utt2spk: file is missing",
        "wav.scp: file is missing",
    ]


@dataclass(frozen=True)
class RandomDamage:
    """Some bytes of a table replaced by others."""

    name: str
    position: float
    num_lost: int
    new: bytes

    def __call__(self, data: Path) -> None:
        content = bytearray((data / self.name).read_bytes())
        position = round(self.position * len(content))
        content[position : position + self.num_lost] = self.new
        (data / self.name).write_bytes(content)


TABLES = ("wav.scp", "text", "utt2spk", "spk2utt", "utt2emo", "emo_segments", "emo_words", "utt2num_samples")
RANDOM_DAMAGES = st.lists(
    st.builds(
        RandomDamage,
        st.sampled_from(TABLES),
        st.floats(0, 1),
        st.integers(0, 9),
        st.binary(max_size=5) | st.sampled_from([b"\n", b" ", b"9", b"s0-u2 ", b"\ns0-u0 neu\n"]),
    ),
    min_size=1,
    max_size=3,
)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data_dir(tmp_path_factory.mktemp("sound"))


@settings(max_examples=60)
@given(damages=RANDOM_DAMAGES)
def test_any_damage_is_reported_without_a_traceback(sound: Path, damages: list[RandomDamage]) -> None:
    """Whatever bytes the tables hold, validation ends; and what the strict reader refuses has a defect."""
    data = Path(shutil.copytree(sound, sound.parent / "damaged", dirs_exist_ok=True))
    for damage in damages:
        damage(data)
    found = defects_of(data)
    try:
        read_data_dir(data)
    except DataError:
        assert found


def test_options_of_the_commands(tmp_path: Path) -> None:
    FOUR_EMOTIONS.write(tmp_path / "emotion_list")
    config = make_config(tmp_path / "emotion_list", 16000, "header", False)
    assert (config.sample_rate, config.audio, config.empty_text_is_error) == (16000, "header", True)
    assert config.emotions is not None
    assert config.emotions.names == FOUR_EMOTIONS.names
    assert make_config(None, None, "none", True).emotions is None
    with pytest.raises(ConfigError, match=r"--audio: unknown audio check; expected decode \| header \| none; got full"):
        make_config(None, None, "full", True)
    with pytest.raises(LabelError, match="emotion list is missing"):
        make_config(tmp_path / "none", None, "none", True)
