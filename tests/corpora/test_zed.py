"""The reader of ZED on a tiny tree in its layout."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from espnet_ent.corpora.zed import read_zed
from espnet_ent.data.datadir import read_data_dir
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
