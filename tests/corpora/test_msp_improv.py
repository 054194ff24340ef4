"""The reader of MSP-IMPROV on a tiny tree with every trap of the real one."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from espnet_ent.bin import ent_prepare
from espnet_ent.corpora.msp_improv import read_msp_improv
from espnet_ent.data.audio import read_audio
from espnet_ent.data.datadir import read_data_dir, read_table
from espnet_ent.data.formatting import format_data_dir
from espnet_ent.data.leakage import find_leaks
from espnet_ent.data.validate import validate_data_dir
from espnet_ent.errors import AudioError, DataError, EntError, LabelError
from espnet_ent.labels import FOUR_EMOTIONS
from tests.corpora.msp_trees import recordings_of, write_msp_improv

LABELS = {"A": "ang", "H": "hap", "S": "sad", "N": "neu"}


@pytest.fixture(scope="module")
def sound_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_msp_improv(tmp_path_factory.mktemp("msp") / "MSP-IMPROV")


@pytest.fixture
def tree(sound_tree: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound_tree, tmp_path / "MSP-IMPROV"))


def test_used_and_excluded_are_found(sound_tree: Path) -> None:
    reading = read_msp_improv(sound_tree, FOUR_EMOTIONS)
    assert reading.num_found == len(list(sound_tree.glob("Audio/session*/*/*/[!.]*.wav"))) == 54
    assert Counter(entry.utterance.emotion for entry in reading.used) == {"ang": 6, "hap": 6, "neu": 12, "sad": 12}
    assert Counter(entry.reason for entry in reading.excluded) == {"label O": 6, "label X": 6, "no label": 6}
    assert reading.summary() == (
        "found 54, used 36 (ang 6 hap 6 neu 12 sad 12), excluded 18 (label O 6, label X 6, no label 6), "
        "6 not transcribed"
    )
    assert reading.without_untranscribed().num_found == 54
    assert len(reading.without_untranscribed().used) == 30


def test_every_utterance_is_as_the_tree_says(sound_tree: Path) -> None:
    found = {entry.utterance.utt_id: entry for entry in read_msp_improv(sound_tree, FOUR_EMOTIONS).used}
    expected = {r.utt_id: (s, r) for s in range(1, 7) for r in recordings_of(s) if r.label in LABELS}
    assert found.keys() == expected.keys()
    for utt_id, (session, recording) in expected.items():
        scenario, actor, part, _ = recording.name.split("-")
        entry, utterance = found[utt_id], found[utt_id].utterance
        assert (entry.session, entry.dialog) == (session, f"session{session}-{scenario}")
        assert (utterance.speaker, utterance.emotion) == (f"MSP-{actor}", LABELS[recording.label])
        assert utterance.audio == str(sound_tree / f"Audio/session{session}/{scenario}/{part}/{utt_id}.wav")
        assert utterance.num_samples == 12000
    assert found["MSP-IMPROV-S01A-F02-S-FM02"].utterance.text == "WHO TOOK THE LADDER"
    assert found["MSP-IMPROV-S01A-M02-S-MF02"].utterance.text == "THE LADDER IS HERE"
    assert found["MSP-IMPROV-S08H-F02-R-FM02"].utterance.text is None
    assert len({entry.utterance.speaker for entry in found.values()}) == 12


@pytest.mark.parametrize("options", [{"label_file": "Evaluation.txt"}, {"audio": "."}, {"sample_rate": 16000}])
def test_copies_differ(tmp_path: Path, sound_tree: Path, options: dict) -> None:
    reading = read_msp_improv(write_msp_improv(tmp_path / "copy", **options), FOUR_EMOTIONS)
    assert reading.summary() == read_msp_improv(sound_tree, FOUR_EMOTIONS).summary()


def test_the_same_label_file_under_both_names_is_one(tree: Path) -> None:
    shutil.copy(tree / "Evalution.txt", tree / "Evaluation.txt")
    assert read_msp_improv(tree, FOUR_EMOTIONS).num_found == 54
    (tree / "Evaluation.txt").write_text("UTD-IMPROV-S01A-F01-S-FM01.avi; A;\n")
    with pytest.raises(DataError, match="two label files that differ"):
        read_msp_improv(tree, FOUR_EMOTIONS)


def edit(old: str, new: str) -> Callable[[Path], object]:
    def change(tree: Path) -> None:
        text = (tree / "Evalution.txt").read_text()
        assert text.count(old) == 1
        (tree / "Evalution.txt").write_text(text.replace(old, new))

    return change


WAV = "Audio/session3/S01A/S/MSP-IMPROV-S01A-F03-S-FM03.wav"


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (edit("S01A-F03-S-FM03.avi; A;", "S01A-F03-S-FM03.avi; B;"), LabelError, r":65: unknown emotion label; .* 'B'"),
        (edit("S01A-F03-S-FM03.avi; A;", "S01A-F03-S-FM03.avi A"), DataError, ":65: malformed label line"),
        (edit("UTD-IMPROV-S01A-F03-S-FM03", "UTD-IMPROV-S01A-F02-S-FM02"), DataError, r":65: .*labelled twice; .*:33"),
        (edit("UTD-IMPROV-S01A-F03-S-FM03", "UTD-IMPROV-S21A-F03-S-FM03"), DataError, "not a name of MSP-IMPROV"),
        (lambda tree: (tree / WAV).unlink(), AudioError, ":65: audio file is missing; .*S01A-F03-S-FM03.wav"),
        (lambda tree: (tree / WAV).write_bytes(b""), AudioError, "S01A-F03-S-FM03.wav: audio file has no content"),
        (
            lambda tree: (tree / WAV).rename(tree / WAV.replace("session3", "session4")),
            DataError,
            "file lies in a folder of other recordings; expected session3/S01A/S",
        ),
        (lambda tree: (tree / "Evalution.txt").unlink(), DataError, "not a copy of MSP-IMPROV"),
        (lambda tree: (tree / "Evalution.txt").write_text("\n"), DataError, "no label in the file"),
        (lambda tree: shutil.rmtree(tree / "Audio"), DataError, "no audio of MSP-IMPROV"),
    ],
)
def test_faults_are_named(tree: Path, damage: Callable[[Path], object], error: type[EntError], message: str) -> None:
    damage(tree)
    with pytest.raises(error, match=message):
        read_msp_improv(tree, FOUR_EMOTIONS)


def test_a_fold_is_three_sets_that_share_nothing_and_stage_3_converts_them(
    sound_tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    ent_prepare.main(
        ["--corpus", "msp_improv", "--root", str(sound_tree), "--fold", "6", "--out", str(tmp_path / "data")]
    )
    captured = capsys.readouterr()
    assert "all    6 (792)    6 (2644)" not in captured.out  # classes stand in the order of the published table
    assert "6 (792)" in captured.out
    assert "36 (7798)" in captured.out
    assert "warning: MSP-IMPROV: not the published counts: all, hap: expected 2644, got 6" in captured.err
    sets = {name: tmp_path / "data" / name for name in ("train", "dev", "test")}
    sessions = {name: set(read_table(path / "utt2session").values()) for name, path in sets.items()}
    assert sessions["test"] == {"msp_improv-6"}
    assert sessions["dev"] == {"msp_improv-1"}
    assert sessions["train"] == {f"msp_improv-{session}" for session in (2, 3, 4, 5)}
    assert all(not [d for d in validate_data_dir(path) if not d.warning] for path in sets.values())
    # Tones of a session are equal in this tree, and no two sessions share one.
    assert find_leaks(sets["train"], sets["dev"], [sets["test"]]) == []
    format_data_dir(sets["test"], tmp_path / "dump", resample=True)
    dumped = read_data_dir(tmp_path / "dump")
    assert {u.num_samples for u in dumped} == {4000}
    assert len(read_audio(dumped[0].audio, 16000)) == 4000
    with pytest.raises(AudioError, match="wrong sample rate"):
        format_data_dir(sets["test"], tmp_path / "other")


def test_the_whole_corpus_as_one_set(sound_tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    options = [
        "--corpus",
        "msp_improv",
        "--root",
        str(sound_tree),
        "--out",
        str(tmp_path),
        "--published_counts",
        "false",
    ]
    ent_prepare.main([*options, "--set_name", "test_msp", "--missing_transcripts", "exclude"])
    assert len(read_data_dir(tmp_path / "test_msp")) == 30
    assert capsys.readouterr().err == ""
