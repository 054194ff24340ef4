"""Corpora that a manifest describes: what they become, and that every defect is found in one run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from espnet_ent.corpora.custom import CustomReading, read_custom
from espnet_ent.corpora.custom_options import make_config
from espnet_ent.data.datadir import read_data_dir
from espnet_ent.data.utterance import Utterance
from espnet_ent.data.validate import validate_data_dir
from espnet_ent.errors import ConfigError, DataError
from espnet_ent.labels import EmotionInventory
from espnet_ent.timeline import EmotionSegment
from tests.corpora.manifests import sound_rows, write_jsonl, write_tsv
from tests.corpora.trees import write_tone
from tests.data.dirs import read_tree


def read(manifest: Path, **options: Any) -> CustomReading:
    return read_custom(make_config(manifest, **options))


def errors(reading: CustomReading) -> list[str]:
    """Defects without the folder, warnings left out."""
    folder = f"{reading.manifest.parent}/"
    return [str(defect).replace(folder, "") for defect in reading.defects if not defect.warning]


def warnings(reading: CustomReading) -> list[str]:
    return [defect.message for defect in reading.defects if defect.warning]


def utterances(reading: CustomReading) -> dict[str, Utterance]:
    return {u.utterance.utt_id: u.utterance for part in reading.sets.values() for u in part.used}


def used_and_excluded(reading: CustomReading) -> int:
    return sum(part.num_found for part in reading.sets.values())


# The defects of rows: what is changed in a sound row, and what is said about it.
FAULTS: list[tuple[dict[str, str], str]] = [
    ({"audio": ""}, "audio is empty"),
    ({"audio": "anna/lost.wav"}, "audio file is missing: anna/lost.wav"),
    ({"audio": "/no/such/folder/a.wav"}, "audio file is missing: /no/such/folder/a.wav"),
    ({"audio": "anna"}, "audio is a directory"),
    ({"audio": "text.wav"}, "not an audio file"),
    ({"audio": "nothing.wav"}, "audio file has no content"),
    ({"audio": "header.wav"}, "audio is empty: header.wav"),
    ({"audio": "cut.wav"}, "wav file is truncated"),
    ({"audio": "nan.wav"}, "audio holds values that are not finite"),
    ({"audio": "short.wav"}, "audio is too short: 0.05 s, at least 0.1 s"),
    ({"audio": "sox a.wav -t wav - |"}, "a command in place of a file"),
    ({"audio": "../outside.wav"}, "path leads out of the audio root"),
    ({"id": "anna-00"}, "identifier occurs twice: 'anna-00', first on line 2"),
    ({"id": "two words"}, "identifier with white space: 'two words'"),
    ({"id": "a/b"}, "identifier with a slash: 'a/b'"),
    ({"id": ""}, "identifier is empty"),
    ({"id": "x" * 201}, "identifier is too long: 201 bytes, at most 200"),
    ({"id": "be\x07ll"}, "control character: U+0007 in column id"),
    ({"speaker": ""}, "speaker is empty"),
    ({"speaker": "anna b"}, "speaker with white space: 'anna b'"),
    ({"emotion": "angyr"}, "unknown emotion label: 'angyr'; did you mean 'angry'?"),
    ({"emotion": ""}, "emotion is empty: give one, or --missing_emotion exclude"),
    ({"emotion": "sad"}, "emotion intervals are missing: the emotion is sad, and other rows have them"),
    ({"split": "trian"}, "unknown split: 'trian'; expected train, dev or test"),
    ({"split": ""}, "split is empty"),
    ({"transcript": ""}, "transcript is empty"),
    ({"transcript": "the \x1b lamp"}, "control character: U+001B in column transcript"),
    ({"transcript": "-- ?!"}, "transcript has no words: '-- ?!'"),
    ({"start": "0.1"}, "start without end"),
    ({"end": "0.4"}, "end without start"),
    ({"start": "0.4", "end": "0.1"}, "start is not before end: 0.4 to 0.1 s"),
    ({"start": "-0.1", "end": "0.4"}, "negative time: column start: -0.1"),
    ({"start": "0", "end": "0.9"}, "end is after the audio's end: 0.9 s of 0.5 s"),
    ({"start": "0,1", "end": "0.4"}, "not a number: column start: expected seconds, got '0,1'"),
    ({"start": "0", "end": "inf"}, "time is not finite: column end: inf"),
    ({"start": "nan", "end": "0.4"}, "time is not finite: column start: nan"),
    ({"start": "0.1", "end": "0.15"}, "audio is too short: 0.05 s"),
    ({"emo_segments": "0.1:ang"}, "malformed emotion interval: expected start, end and emotion, got '0.1:ang'"),
    ({"emo_segments": "0-0.2:ang|0.1-0.3:ang"}, "emotion intervals overlap: 0-0.2:ang and 0.1-0.3:ang"),
    ({"emo_segments": "0.3-0.2:ang"}, "empty or reversed emotion interval: 0.3 to 0.2 s"),
    ({"emo_segments": "0.3-x:ang"}, "malformed emotion interval: not a number: '0.3-x:ang'"),
    ({"emo_segments": "0.3-0.9:ang"}, "emotion interval after the utterance's end: 0.3 to 0.9 s of 0.5 s"),
    ({"emo_segments": "0.3-0.4:agn"}, "unknown emotion label: 'agn'; did you mean 'ang'?"),
]
SOUND = {"emotion": "neutral", "split": "train", "start": "", "end": "", "emo_segments": ""}


def write_faulty_audio(root: Path) -> None:
    """The files that ``FAULTS`` names."""
    (root / "text.wav").write_text("no audio at all, but longer than a header of a wav file would be")
    (root / "nothing.wav").write_bytes(b"")
    soundfile.write(root / "header.wav", np.zeros(0), 16000)
    write_tone(root / "cut.wav", 0.5)
    (root / "cut.wav").write_bytes((root / "cut.wav").read_bytes()[:-100])
    samples = np.zeros(8000, dtype=np.float32)
    samples[100] = np.nan
    soundfile.write(root / "nan.wav", samples, 16000, subtype="FLOAT")
    write_tone(root / "short.wav", 0.05, seed=99)
    write_tone(root.parent / "outside.wav", 0.5, seed=98)


def faulty_rows(root: Path) -> list[dict[str, str]]:
    """Four sound rows (dev, test and emotional ones among them), then the faulty ones, then leaks."""
    rows = sound_rows(root, 4 + len(FAULTS) + 3, **SOUND)
    rows[0]["emo_segments"] = "0.1-0.2:ang|0.2-0.3:sad"
    rows[0]["emotion"] = "ang"
    rows[1] |= {"split": "valid"}
    rows[2] |= {"split": "Eval"}
    for row, (changes, _) in zip(rows[4:], FAULTS, strict=False):
        row["speaker"] = "dora"
        row.update(changes)
    bert, carl, copy = rows[-3:]
    bert |= {"speaker": "bert"}  # who is in dev
    carl |= {"speaker": "eve", "audio": rows[2]["audio"]}  # what is in test
    data, rate = soundfile.read(root / rows[1]["audio"])
    soundfile.write(root / "copy.flac", data, rate)
    copy |= {"speaker": "finn", "audio": "copy.flac"}  # what is in dev, in another format
    return rows


def test_every_defect_of_a_manifest_and_its_audio_is_found_in_one_run(tmp_path: Path, figures) -> None:
    root = tmp_path / "corpus"
    rows = faulty_rows(root)
    write_faulty_audio(root)
    manifest = write_tsv(root / "m.tsv", rows)
    last = len(rows) + 1
    lines = manifest.read_bytes() + b"u\xff\ta.wav" + b"\tx" * 7 + b"\nonly one field\n"
    manifest.write_bytes(lines)
    reading = read(manifest)
    expected = [f"m.tsv:{line}: {message}" for line, (_, message) in enumerate(FAULTS, 6)]
    expected += [
        f"m.tsv:{last - 2}: speaker in two splits: 'bert' is in train (1 row) and in dev (line 3)",
        f"m.tsv:{last - 1}: the same audio in two splits: train, and test on line 4",
        f"m.tsv:{last}: the same audio in two splits: train, and dev on line 3",
        f"m.tsv:{last + 1}: not UTF-8",
        f"m.tsv:{last + 2}: wrong number of fields: expected 9 as in the header, got 1",
    ]
    found = errors(reading)
    assert len(found) == len(expected) == reading.num_blocking, "\n".join(found)
    for line, start in zip(found, expected, strict=True):
        assert line.startswith(start), f"{line}\n{start}"
    kinds = {message.partition(":")[0] for message in (line.split(": ", 1)[1] for line in found)}
    assert len(kinds) >= 40
    promise = "defects of a manifest and its audio: all in one report; none is told of a sound one"
    figures("Data", promise, defects=len(found), kinds_of_defects=len(kinds))
    with pytest.raises(
        DataError, match=rf"m.tsv: {len(found)} defects; nothing is written; next: mend them, or .*exclude"
    ):
        reading.write(tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_rows_at_fault_can_be_excluded_and_counted(tmp_path: Path) -> None:
    root = tmp_path / "corpus"
    rows = faulty_rows(root)
    write_faulty_audio(root)
    reading = read(write_tsv(root / "m.tsv", rows), on_defects="exclude")
    assert len(errors(reading)) == len(FAULTS) + 3
    reading.write(tmp_path / "data")
    assert set(utterances(reading)) == {row["id"] for row in rows[:4]}
    assert used_and_excluded(reading) == len(rows) == reading.num_rows
    excluded = (tmp_path / "data/train/excluded").read_text().splitlines()
    assert len(excluded) == len(rows) - 4
    assert "line-18 identifier occurs twice" in excluded
    assert f"{rows[-1]['id']} the same audio in two splits" in excluded


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"audio": 3}, "value of the wrong type: column audio: expected a text, got the number 3"),
        ({"start": [0], "end": 1}, "value of the wrong type: column start: expected a text, got a list"),
        ({"transcript": True}, "value of the wrong type: column transcript: expected a text, got true or false"),
        ({"emo_segments": {"start": 0}}, "value of the wrong type: column emo_segments: expected a list or a text"),
        ({"emo_segments": [3]}, "malformed emotion interval: expected start, end and emotion, got 3"),
        ({"emo_segments": [{"start": 0, "end": 0.2}]}, "malformed emotion interval: expected start, end"),
        ({"emo_segments": [{"start": 0, "end": None, "emo": "ang"}]}, "malformed emotion interval: value of the wrong"),
        (
            {"emo_segments": [{"start": 0, "end": 1e999, "emo": "ang"}]},
            "malformed emotion interval: time is not finite",
        ),
        ({"emo_segments": [{"start": 0.1, "end": 0.1, "emo": "ang"}]}, "empty or reversed emotion interval"),
    ],
)
def test_values_of_the_wrong_type_in_json(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    rows: list[dict[str, Any]] = list(sound_rows(tmp_path, 4))
    rows[0]["emo_segments"] = [{"start": 0, "end": 0.2, "label": "ang"}]
    rows[1].update({"emotion": None, "emo_segments": [{"start": 0, "end": 0.2, "emo": "ang"}]} | row)
    rows[2] |= {"emo_segments": "0-0.1:hap", "emotion": "hap"}
    rows[3] |= {"emo_segments": "0-0.1:hap", "emotion": "hap"}
    found = errors(read(write_jsonl(tmp_path / "m.jsonl", rows)))
    assert len(found) == 1
    assert found[0].startswith(f"m.jsonl:2: {message}")


def test_a_sound_manifest_becomes_sound_data_directories(tmp_path: Path) -> None:
    rows = sound_rows(tmp_path, 16)
    reading = read(write_tsv(tmp_path / "m.tsv", rows))
    assert (errors(reading), warnings(reading)) == ([], [])
    reading.write(tmp_path / "data")
    found = [u for part in ("train", "dev", "test") for u in read_data_dir(tmp_path / "data" / part)]
    assert sorted(u.utt_id for u in found) == sorted(row["id"] for row in rows)
    by_id = {u.utt_id: u for u in found}
    assert (by_id["bert-01"].emotion, by_id["bert-13"].emotion) == ("ang", "hap")
    assert by_id["bert-13"].text == "ŻÓŁTE ŚWIECE GROSSE ÄPFEL"
    assert by_id["bert-13"].num_samples == 8000
    for part in ("train", "dev", "test"):
        assert validate_data_dir(tmp_path / "data" / part) == []
    assert EmotionInventory.read(tmp_path / "data/emotion_list").names == ("hap", "ang", "sad", "neu")
    assert reading.summaries()["dev"] == "found 4, used 4 (ang 1 hap 1 neu 1 sad 1), excluded 0; 1 speaker, 0.00 h"
    before = read_tree(tmp_path / "data")
    read(write_tsv(tmp_path / "m.tsv", rows), nj=3).write(tmp_path / "data")
    assert read_tree(tmp_path / "data") == before


def test_utterances_are_cut_from_recordings_of_the_same_name(tmp_path: Path) -> None:
    rows = []
    for i, folder in enumerate(("day 1", "day 2", "day 3")):
        write_tone(tmp_path / folder / "hall.wav", 2.0, seed=i)
        for start in (0, 1):
            rows.append(
                {"audio": f"{folder}/hall.wav", "spk": f"s{i}", "text": "go on", "start": start, "end": start + 0.9}
            )
    rows[0]["start"] = 0.123456
    reading = read(write_jsonl(tmp_path / "m.jsonl", rows))
    assert errors(reading) == []
    reading.write(tmp_path / "data")
    for part in ("train", "dev", "test"):
        assert validate_data_dir(tmp_path / "data" / part, None) != []  # no emotions here
        (recording,) = (tmp_path / "data" / part / "wav.scp").read_text().splitlines()
        assert recording.partition(" ")[0] == "hall"
    found = utterances(reading)
    assert set(found) >= {"day_1-hall-0000123-0000900", "day_2-hall-0001000-0001900"}
    assert found["day_1-hall-0000123-0000900"].num_samples == round(0.9 * 16000) - round(0.123456 * 16000)


def test_intervals_keep_their_times_and_the_longest_emotion_is_the_utterances(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{**row, "emotion": None} for row in sound_rows(tmp_path, 4)]
    rows[0]["emo_segments"] = [{"start": 0.25, "end": 0.505, "emo": "angry"}, {"start": 0, "end": 0.1, "emo": "sad"}]
    rows[1]["emo_segments"] = []
    rows[2]["emo_segments"] = "0-0.1:neutral|0.1-0.2:sad|0.2-0.3:sad"
    rows[3]["emo_segments"] = "-"
    reading = read(write_jsonl(tmp_path / "m.jsonl", rows))
    assert errors(reading) == []
    assert "emotion intervals are not sorted" in warnings(reading)
    found = [utterances(reading)[row["id"]] for row in rows]
    assert [u.emotion for u in found] == ["ang", "neu", "sad", "neu"]
    assert found[0].emo_segments == (EmotionSegment(0, 0.1, "sad"), EmotionSegment(0.25, 0.5, "ang"))
    assert [u.emo_segments for u in found[1:]] == [(), (EmotionSegment(0.1, 0.3, "sad"),), ()]
    reading.write(tmp_path / "data")
    assert all(validate_data_dir(tmp_path / "data" / part) == [] for part in reading.sets)


def test_without_emotions_no_labels_are_written(tmp_path: Path) -> None:
    rows = sound_rows(tmp_path, 8, emotion="-")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/emotion_list").write_text("of an earlier corpus\n")
    reading = read(write_tsv(tmp_path / "m.tsv", rows))
    reading.write(tmp_path / "data")
    assert errors(reading) == []
    assert [path.name for path in (tmp_path / "data").rglob("*emo*")] == ["emotion_list"]
    assert EmotionInventory.read(tmp_path / "data/emotion_list").names == ("hap", "ang", "sad", "neu")
    assert not reading.has_emotions
    assert reading.summaries()["dev"] == "found 2, used 2, excluded 0; 1 speaker, 0.00 h"


def test_without_transcripts_nothing_is_said_to_be_silent(tmp_path: Path) -> None:
    rows = sound_rows(tmp_path, 8, transcript="")
    assert {u.text for u in utterances(read(write_tsv(tmp_path / "m.tsv", rows))).values()} == {None}
    nothing = read(write_tsv(tmp_path / "m.tsv", rows, ["id", "audio", "speaker"]))
    assert errors(nothing) == ["m.tsv: neither a transcript nor an emotion in any row"]


def test_a_label_map_names_and_excludes(tmp_path: Path) -> None:
    rows = sound_rows(tmp_path, 16)
    for row in rows[:4]:
        row["emotion"] = "very cross"
    rows[4]["emotion"] = "bored"
    rows[5]["emotion"] = "ANGRY"
    rows[6]["emotion"] = "fru"
    (tmp_path / "map").write_text("very cross\tang\n\nbored -\nhappy sad\n")
    reading = read(write_tsv(tmp_path / "m.tsv", rows), label_map=tmp_path / "map", drop_labels="fru,xxx")
    assert errors(reading) == []
    found = utterances(reading)
    assert [found[row["id"]].emotion for row in (rows[0], rows[5], rows[-1])] == ["ang", "ang", "sad"]
    reasons = [entry.reason for part in reading.sets.values() for entry in part.excluded]
    assert sorted(reasons) == ["label bored", "label fru"]
    assert used_and_excluded(reading) == 16
    assert "no utterance of train is hap" in warnings(reading)


def test_defects_of_a_label_map_are_reported_with_the_others(tmp_path: Path) -> None:
    rows = sound_rows(tmp_path, 8)
    rows[0]["emotion"] = "boredom"
    (tmp_path / "map").write_text("cross ang\nalone\ncross sad\nbored agn\n")
    manifest = write_tsv(tmp_path / "m.tsv", rows)
    for on_defects in ("error", "exclude"):
        reading = read(manifest, label_map=tmp_path / "map", on_defects=on_defects)
        assert errors(reading) == [
            "m.tsv:2: unknown emotion label: 'boredom'; expected one of hap ang sad neu",
            "map:2: malformed line: expected <raw label> <class>, got 'alone'",
            "map:3: label 'cross' is mapped twice",
            "map:4: unknown class 'agn'; did you mean 'ang'?",
        ]
        with pytest.raises(DataError, match="4 defects"):
            reading.write(tmp_path / "data")


def test_missing_emotions_can_be_excluded(tmp_path: Path) -> None:
    rows = sound_rows(tmp_path, 8)
    rows[0]["emotion"] = "-"
    manifest = write_tsv(tmp_path / "m.tsv", rows)
    assert errors(read(manifest)) == ["m.tsv:2: emotion is empty: give one, or --missing_emotion exclude"]
    reading = read(manifest, missing_emotion="exclude")
    assert [entry.reason for part in reading.sets.values() for entry in part.excluded] == ["no emotion"]
    assert used_and_excluded(reading) == 8


def test_splits_are_mapped_left_out_and_made_where_they_lack(tmp_path: Path) -> None:
    rows = sound_rows(tmp_path, 16)
    for row in rows:
        row["split"] = {"dora": "valid", "carl": "spare"}.get(row["speaker"], "train")
    manifest = write_tsv(tmp_path / "m.tsv", rows)
    reading = read(manifest, split_map="valid=test,spare=-", dev_share=0.3)
    assert warnings(reading) == ["no split dev: taken from train, without a common speaker"]
    speakers = {part: {u.utterance.speaker for u in found.used} for part, found in reading.sets.items()}
    assert speakers["test"] == {"dora"}
    assert speakers["train"] | speakers["dev"] == {"anna", "bert"}
    assert len(speakers["train"]) == len(speakers["dev"]) == 1
    assert used_and_excluded(reading) == 16
    assert errors(read(manifest, split_map="vaild=test,spare=-")) == [
        "m.tsv: no row has the split 'vaild', which --split_map names; did you mean 'valid'?"
    ]


def test_a_part_whose_rows_are_all_excluded_is_not_made_up(tmp_path: Path) -> None:
    rows = sound_rows(tmp_path, 12)
    for row in rows:
        row["split"] = {"dora": "test", "carl": "dev"}.get(row["speaker"], "train")
        row["emotion"] = "hpy" if row["speaker"] == "dora" else row["emotion"]
    with pytest.raises(DataError, match=r"no utterance of test is left; got found 3, used 0"):
        read(write_tsv(tmp_path / "m.tsv", rows), on_defects="exclude").write(tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_speakers_may_overlap_when_that_is_meant(tmp_path: Path) -> None:
    rows = sound_rows(tmp_path, 12)
    for row in rows:
        row["split"] = {"take 00": "dev", "take 01": "test"}.get(row["audio"].split("/")[1][:7], "train")
    manifest = write_tsv(tmp_path / "m.tsv", rows)
    assert [line.split(": ")[1] for line in errors(read(manifest))] == ["speaker in two splits"] * 2
    reading = read(manifest, allow_speaker_overlap=True)
    assert {part: len(found.used) for part, found in reading.sets.items()} == {"train": 10, "dev": 1, "test": 1}


def test_a_made_split_keeps_the_same_audio_together(tmp_path: Path) -> None:
    rows = sound_rows(tmp_path, 16)
    rows[1]["audio"] = rows[0]["audio"]  # of anna, and now of bert
    for seed in range(5):
        reading = read(write_tsv(tmp_path / "m.tsv", rows), split_seed=seed)
        assert "the same audio as on line 2" in warnings(reading)
        parts = {u.utterance.speaker: part for part, found in reading.sets.items() for u in found.used}
        assert parts["anna"] == parts["bert"]


def test_an_emotion_that_its_intervals_do_not_name_is_a_warning(tmp_path: Path) -> None:
    rows = sound_rows(tmp_path, 4, emo_segments="0.1-0.2:sad")
    assert [message for message in warnings(read(write_tsv(tmp_path / "m.tsv", rows))) if "intervals" in message] == [
        "the emotion is ang, but the intervals say sad"
    ] * 4


def test_speakers_are_found_in_identifiers_or_not_at_all(tmp_path: Path) -> None:
    rows = sound_rows(tmp_path, 8)
    manifest = write_tsv(tmp_path / "m.tsv", rows, ["audio", "emotion", "transcript"])
    reading = read(manifest, speaker_from_id="^([a-z]+)-take")
    assert {u.speaker for u in utterances(reading).values()} == {"anna", "bert", "carl", "dora"}
    assert set(utterances(reading)) >= {"anna-take_00", "dora-take_07"}
    assert errors(read(manifest, speaker_from_id="^(z+)"))[0].startswith(
        "m.tsv:2: no speaker in the identifier: 'anna-take_00' does not match"
    )
    reading = read(manifest)
    assert "no speaker column: every utterance counts as a speaker" in warnings(reading)[0]
    assert {u.speaker for u in utterances(reading).values()} == set(utterances(reading))
    with pytest.raises(ConfigError, match="option --speaker_from_id: not a regular expression"):
        read(manifest, speaker_from_id="(")


def test_derived_identifiers_are_unique(tmp_path: Path) -> None:
    for i, name in enumerate(("a/b.wav", "a-b.wav", "a/b.flac")):
        write_tone(tmp_path / name, 0.5, seed=i)
    rows = [{"audio": name, "text": "go"} for name in ("a/b.wav", "a-b.wav", "a/b.flac", str(tmp_path / "a/b.wav"))]
    reading = read(write_jsonl(tmp_path / "m.jsonl", rows), dev_share=0)
    assert set(utterances(reading)) == {"a-b", "a-b-2", "a-b-3", "a-b-4"}
    assert "the same audio as on line 1" in warnings(reading)


def test_any_rate_and_number_of_channels_is_read_unless_refused(tmp_path: Path) -> None:
    rows = sound_rows(tmp_path, 16)
    write_tone(tmp_path / rows[0]["audio"], 0.5, sample_rate=8000)
    soundfile.write(tmp_path / rows[1]["audio"], np.random.default_rng(0).uniform(-1, 1, (24000, 2)), 48000)
    manifest = write_tsv(tmp_path / "m.tsv", rows)
    reading = read(manifest)
    assert errors(reading) == []
    assert warnings(reading) == [
        "1 of 16 audio files are below 16000 Hz: "
        "they are going to be resampled, and hold nothing above half their own rate",
        "1 of 16 audio files have several channels: their average is used",
    ]
    assert [utterances(reading)[row["id"]].num_samples for row in rows[:3]] == [4000, 24000, 8000]
    assert [line.partition(":")[0] for line in errors(read(manifest, resample=False))] == ["m.tsv"] * 2


def test_text_can_be_kept(tmp_path: Path) -> None:
    rows = sound_rows(tmp_path, 8, transcript="Oh  [LAUGHTER], \u0065\u0301t\u00e9!")
    manifest = write_tsv(tmp_path / "m.tsv", rows)
    for options, text in (
        ({}, "OH ÉTÉ"),
        ({"tags": "keep"}, "OH <laughter> ÉTÉ"),
        ({"text_case": "keep"}, "Oh [LAUGHTER], été!"),
    ):
        assert {u.text for u in utterances(read(manifest, **options)).values()} == {text}


def test_sessions_and_dialogs_come_along_and_stay_together(tmp_path: Path) -> None:
    rows = sound_rows(tmp_path, 8)
    for row in rows:
        row["session"] = "room-b" if row["speaker"] < "c" else "room-a"
        row["dialog"] = f"{row['session']}-1"
    reading = read(write_tsv(tmp_path / "m.tsv", rows), test_share=0)
    found = {u.utterance.speaker: (u.session, u.dialog) for part in reading.sets.values() for u in part.used}
    ours = {"room-b": (2, "room-b-1"), "room-a": (1, "room-a-1")}
    assert found == {"anna": ours["room-b"], "bert": ours["room-b"], "carl": ours["room-a"], "dora": ours["room-a"]}
    assert {part: len({u.session for u in one.used}) for part, one in reading.sets.items()} == {"train": 1, "dev": 1}
    reading.sets["train"].write(tmp_path / "train")
    assert {line.split()[1] for line in (tmp_path / "train/utt2session").read_text().splitlines()} < {
        "custom-1",
        "custom-2",
    }


def test_dialogs_without_sessions_are_written_alone(tmp_path: Path) -> None:
    rows = sound_rows(tmp_path, 8)
    for row in rows:
        row["dialog"] = f"d-{row['speaker']}"
    part = read(write_tsv(tmp_path / "m.tsv", rows)).sets["train"]
    part.write(tmp_path / "train")
    assert not (tmp_path / "train/utt2session").exists()
    assert (tmp_path / "train/utt2dialog").read_text().splitlines()[0].split()[1].startswith("custom-d-")


def few_speakers(root: Path) -> dict[str, Any]:
    return {"manifest": write_tsv(root / "m.tsv", sound_rows(root, 2))}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            few_speakers,
            "m.tsv: too few speakers .* that share none; expected at least 3",
        ),
        (
            lambda root: few_speakers(root) | {"dev_share": 1.0},
            "option --dev_share: not a share; expected 0 to 1; got 1",
        ),
        (lambda root: few_speakers(root) | {"dev_share": 0.5, "test_share": 0.5}, "leave nothing to train on"),
        (lambda root: few_speakers(root) | {"audio_root": root / "no"}, "no: no such directory; next: give the folder"),
        (lambda root: few_speakers(root) | {"label_map": root / "no"}, "no: file is missing"),
        (lambda root: few_speakers(root) | {"split_map": "valid"}, "option --split_map: not a mapping"),
        (lambda root: {"manifest": root / "no.tsv"}, "no.tsv: manifest is missing"),
        (lambda root: few_speakers(root) | {"nj": 0}, "option --nj or --fs is not positive"),
    ],
)
def test_options_that_make_no_sense_are_one_line(
    tmp_path: Path, options: Callable[[Path], dict[str, Any]], message: str
) -> None:
    with pytest.raises((ConfigError, DataError), match=message) as caught:
        read(**options(tmp_path))
    assert "\n" not in str(caught.value)
