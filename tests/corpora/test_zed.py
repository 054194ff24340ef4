"""The reader of ZED on a tiny tree in its layout."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from espnet_ent.corpora.zed import read_zed
from espnet_ent.data.datadir import read_data_dir
from espnet_ent.data.utterance import WordTime
from espnet_ent.errors import AudioError, DataError, EntError, LabelError
from espnet_ent.labels import FOUR_EMOTIONS
from espnet_ent.timeline import EmotionSegment
from tests.corpora.trees import ZED_ENTRIES, write_tone, write_zed


def test_reads_text_speaker_and_times(tmp_path: Path) -> None:
    reading = read_zed(write_zed(tmp_path / "ZED"), FOUR_EMOTIONS)
    utterances = [entry.utterance for entry in reading.used]
    assert [(u.utt_id, u.speaker, u.emotion, u.text) for u in utterances] == [
        ("anna_001", "anna", "hap", "THE KETTLE SINGS LISTEN"),
        ("bert_002", "bert", "ang", "WHO MOVED THE LADDER"),
        ("carl_003", "carl", "neu", "IT RAINS"),
    ]
    assert utterances[0].emo_segments == (EmotionSegment(0.25, 0.75, "hap"),)
    assert utterances[2].emo_segments == ()
    assert reading.num_found == 3
    assert reading.excluded == ()


def test_intervals_are_sorted_and_cut_off_at_the_end_of_the_audio(tmp_path: Path) -> None:
    bert = read_zed(write_zed(tmp_path / "ZED"), FOUR_EMOTIONS).used[1].utterance
    assert bert.emo_segments == (EmotionSegment(0.1, 0.4, "sad"), EmotionSegment(0.9, 1.5, "ang"))


def test_written_directory_holds_the_same(tmp_path: Path) -> None:
    reading = read_zed(write_zed(tmp_path / "ZED"), FOUR_EMOTIONS)
    reading.write(tmp_path / "data")
    assert read_data_dir(tmp_path / "data") == [entry.utterance for entry in reading.used]
    assert (tmp_path / "data" / "emo_segments").read_text() == (
        "anna_001 0.2500 0.7500 hap\nbert_002 0.1000 0.4000 sad\nbert_002 0.9000 1.5000 ang\n"
    )


def changed(utt_id: str, **changes: object) -> dict[str, dict]:
    entries = copy.deepcopy(ZED_ENTRIES)
    entries[utt_id].update(changes)
    return entries


@pytest.mark.parametrize(
    ("entries", "error", "message"),
    [
        ({}, DataError, "ZED.json: no utterances"),
        (
            {"anna_001": {"wav": "datafolder/a.wav"}},
            DataError,
            "ZED.json: anna_001: entry is not complete; .*'emotion'",
        ),
        ({"anna_001": "a.wav"}, DataError, "entry is not complete"),
        (changed("anna_001", emotion=[{"emo": "hpy", "start": 0, "end": 1}]), LabelError, "anna_001: unknown .* 'hpy'"),
        (
            changed("anna_001", emotion=[{"emo": "sad", "start": 0.5, "end": 0.5}]),
            DataError,
            "anna_001: emotion segment is",
        ),
        (
            changed("anna_001", emotion=[{"emo": "sad", "start": 0.5}]),
            DataError,
            "anna_001: malformed emotion interval",
        ),
        (changed("anna_001", emotion=["sad"]), DataError, "anna_001: malformed emotion interval"),
        (changed("anna_001", emotion="sad"), DataError, "anna_001: entry is not complete; .* a list"),
        (
            changed("anna_001", emotion=[{"emo": e, "start": 0, "end": 0.5} for e in ("sad", "angry")]),
            DataError,
            "anna_001: emotion segments overlap",
        ),
        (changed("anna_001", emotion=None), DataError, "anna_001: entry is not complete; .* .emotion."),
        (changed("anna_001", transcription=None), DataError, "anna_001: .*transcription"),
        (changed("anna_001", wav=3), DataError, "anna_001: .*wav"),
    ],
)
def test_a_faulty_entry_is_named(tmp_path: Path, entries: dict, error: type[EntError], message: str) -> None:
    write_zed(tmp_path / "ZED", entries)
    with pytest.raises(error, match=message):
        read_zed(tmp_path / "ZED", FOUR_EMOTIONS)


CTM = """\
;; words of the test's tree
anna_001 1 0.10 0.15 The
anna_001 1 0.25 0.25 kettle
anna_001 1 0.50 0.25 sings,
anna_001 1 0.75 0.2501 listen! 0.98
bert_002 1 0.1 0.2 Who
bert_002 1 0.3 0.2 moved
bert_002 1 0.5 0.2 the
bert_002 1 0.7 0.1 --
bert_002 1 0.8 0.4 ladder?
carl_003 1 0 0.1 It
carl_003 1 0.1 0.6 rains.
"""


def test_words_in_time_are_read_where_somebody_has_put_them(tmp_path: Path) -> None:
    root = write_zed(tmp_path / "ZED")
    assert [entry.utterance.word_times for entry in read_zed(root, FOUR_EMOTIONS).used] == [None] * 3
    (root / "words.ctm").write_text(CTM)
    reading = read_zed(root, FOUR_EMOTIONS)
    anna, bert, carl = (entry.utterance.word_times for entry in reading.used)
    assert anna == (
        WordTime(0.1, 0.25, "THE"),
        WordTime(0.25, 0.5, "KETTLE"),
        WordTime(0.5, 0.75, "SINGS"),
        WordTime(0.75, 1.0, "LISTEN"),  # cut off at the end of the audio
    )
    assert [word.word for word in bert] == ["WHO", "MOVED", "THE", "LADDER"]
    assert carl[-1] == WordTime(0.1, 0.7, "RAINS")
    reading.write(tmp_path / "data")
    assert read_data_dir(tmp_path / "data") == [entry.utterance for entry in reading.used]
    assert (tmp_path / "data/word_times").read_text().splitlines()[0] == "anna_001 0.1000 0.2500 THE"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1 0.25 0.25 kettle", "1 0.25 kettle", r"words.ctm:3: malformed line; expected <utt> <channel> .*; got 'anna"),
        ("1 0.25 0.25 kettle", "1 0.25 x kettle", "words.ctm:3: not a number"),
        ("1 0.25 0.25 kettle", "1 0.25 -0.1 kettle", "words.ctm:3: times of a word are reversed"),
        ("1 0.25 0.25 kettle", "1 0.25 0.0 kettle", "words.ctm: anna_001: word is empty, not sorted"),
        ("1 0.25 0.25 kettle", "1 0.25 0.30 kettle", "anna_001: word is empty, not sorted, overlaps the one before"),
        ("1 0.75 0.2501 listen", "1 0.75 0.26 listen", "anna_001: .*outside the utterance; expected .* end <= 1; got"),
        ("kettle", "kittle", "words.ctm: anna_001: words are not those of the transcript; expected 'THE KETTLE SINGS"),
        ("1 0.25 0.25 kettle", "1 0.25 0.25 kettle-sings", "anna_001: words are not those of the transcript"),
        ("carl_003 1 0 0.1 It\n", "", "carl_003: words are not those of the transcript; .* got 'RAINS'"),
        ("carl_003 1 0 0.1", "carla 1 0 0.1", "words.ctm: utterance is not in ZED.json; got carla"),
    ],
)
def test_words_that_do_not_fit_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    root = write_zed(tmp_path / "ZED")
    assert CTM.count(old) == 1
    (root / "words.ctm").write_text(CTM.replace(old, new))
    with pytest.raises(DataError, match=message) as caught:
        read_zed(root, FOUR_EMOTIONS)
    assert "\n" not in str(caught.value)


def break_json(root: Path) -> None:
    (root / "ZED.json").write_text(json.dumps(ZED_ENTRIES)[:-20])


def cut_wav(root: Path) -> None:
    path = root / ZED_ENTRIES["anna_001"]["wav"]
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (lambda root: (root / "ZED.json").unlink(), DataError, "not a copy of ZED; expected ZED.json; next: set ZED"),
        (break_json, DataError, "ZED.json: not JSON"),
        (lambda root: (root / "ZED.json").write_bytes(b'{"a": "\xff"}'), DataError, "ZED.json: not JSON"),
        (cut_wav, AudioError, "anna_001.wav: wav file is truncated"),
        (
            lambda root: (root / ZED_ENTRIES["carl_003"]["wav"]).unlink(),
            AudioError,
            "carl_003.wav: audio file is missing",
        ),
        (
            lambda root: write_tone(root / ZED_ENTRIES["carl_003"]["wav"], 1, sample_rate=48000),
            AudioError,
            "carl_003.wav: wrong sample rate; expected 16000 Hz; got 48000 Hz",
        ),
    ],
)
def test_a_damaged_tree_gives_one_clear_line(tmp_path: Path, damage, error: type[EntError], message: str) -> None:
    damage(write_zed(tmp_path / "ZED"))
    with pytest.raises(error, match=message):
        read_zed(tmp_path / "ZED", FOUR_EMOTIONS)
