"""Fixing makes a sound directory in a new place; used + dropped = found."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings

from espnet_ent.data.datadir import read_data_dir, write_data_dir, write_one_line_forms
from espnet_ent.data.fix import DROPPED, fix_data_dir
from espnet_ent.data.utterance import Utterance
from espnet_ent.data.validate import ValidationConfig, validate_data_dir
from espnet_ent.errors import DataError
from tests.corpora.trees import write_tone
from tests.data.dirs import make_data_dir, read_tree
from tests.data.test_validate import DAMAGES, RANDOM_DAMAGES, STRICT, WORD_DAMAGES, RandomDamage


@pytest.fixture
def data(tmp_path: Path) -> Path:
    data = make_data_dir(tmp_path)
    write_one_line_forms(data, read_data_dir(data))
    return data


def test_a_sound_directory_is_copied(data: Path, tmp_path: Path) -> None:
    (data / "feats_type").write_text("raw\n")
    report = fix_data_dir(data, tmp_path / "fixed", STRICT)
    assert (report.num_found, report.num_dropped, report.repaired) == (5, 0, ())
    fixed = read_tree(tmp_path / "fixed")
    assert fixed.pop(DROPPED) == b""
    assert fixed == read_tree(data)


@pytest.mark.parametrize("damage", [pytest.param(case[1], id=case[0]) for case in DAMAGES])
def test_every_damage_is_fixed(data: Path, tmp_path: Path, damage) -> None:
    damage(data)
    before = read_tree(data)
    report = fix_data_dir(data, tmp_path / "fixed", STRICT)
    assert read_tree(data) == before
    assert [defect for defect in validate_data_dir(tmp_path / "fixed", STRICT) if not defect.warning] == []
    assert len(report.used) + report.num_dropped == report.num_found == 5
    listed = {line.split(" ", 1)[0] for line in (tmp_path / "fixed" / DROPPED).read_text().splitlines()}
    assert listed == {utt_id for utt_id, _ in report.dropped}
    assert tuple(u.utt_id for u in read_data_dir(tmp_path / "fixed")) == report.used


@pytest.mark.parametrize("damage", [case[0] for case in WORD_DAMAGES])
def test_damaged_times_of_words_cost_their_utterance_alone(tmp_path: Path, damage) -> None:
    data = make_data_dir(tmp_path, words=True)
    before = {utterance.utt_id: utterance.word_times for utterance in read_data_dir(data)}
    damage(data)
    report = fix_data_dir(data, tmp_path / "fixed", STRICT)
    assert [str(defect) for defect in validate_data_dir(tmp_path / "fixed", STRICT) if not defect.warning] == []
    assert len(report.used) >= 4
    assert {u.utt_id: u.word_times for u in read_data_dir(tmp_path / "fixed")} == {i: before[i] for i in report.used}


def test_the_order_of_words_is_repaired(tmp_path: Path) -> None:
    data = make_data_dir(tmp_path, words=True)
    sound = (data / "word_times").read_text()
    (data / "word_times").write_text("".join(reversed(sound.splitlines(keepends=True))))
    assert fix_data_dir(data, tmp_path / "fixed", STRICT).num_dropped == 0
    assert (tmp_path / "fixed/word_times").read_text() == sound


def test_the_reason_is_told(data: Path, tmp_path: Path) -> None:
    (data / "utt2emo").write_text((data / "utt2emo").read_text().replace("s0-u0 ang", "s0-u0 hpy"))
    report = fix_data_dir(data, tmp_path / "fixed", STRICT)
    assert (tmp_path / "fixed" / DROPPED).read_text() == (
        f"s0-u0 {data}/utt2emo:1: unknown emotion label 'hpy', expected one of hap ang sad neu\n"
    )
    assert report.used == ("s0-u2", "s0-u4", "s1-u1", "s1-u3")


def test_order_lengths_and_speaker_lists_are_repaired_and_told(data: Path, tmp_path: Path) -> None:
    sound = read_tree(data)
    for name in ("text", "utt2emo", "wav.scp", "emo_segments"):
        lines = (data / name).read_text().splitlines(keepends=True)
        (data / name).write_text("".join(reversed(lines)))
    (data / "utt2spk").write_bytes((data / "utt2spk").read_bytes().replace(b"\n", b"\r\n") + b"\n")
    (data / "spk2utt").unlink()
    (data / "utt2num_samples").write_text("s0-u0 1\n")
    report = fix_data_dir(data, tmp_path / "fixed", STRICT)
    fixed = read_tree(tmp_path / "fixed")
    assert fixed.pop(DROPPED) == b""
    assert fixed == sound
    assert f"{data}/spk2utt: file is missing" in report.repaired
    assert f"{data}/utt2spk:6: blank line" in report.repaired


def test_lengths_that_nobody_counted_are_left_out(data: Path, tmp_path: Path) -> None:
    (data / "utt2num_samples").write_text("s0-u0 8000\n")
    fix_data_dir(data, tmp_path / "fixed", ValidationConfig(audio="none"))
    assert not (tmp_path / "fixed" / "utt2num_samples").exists()
    assert len(read_data_dir(tmp_path / "fixed")) == 5


def test_a_faulty_recording_costs_all_its_utterances(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_tone(tmp_path / f"{name}.wav", 2.0)
    utterances = [
        Utterance(f"u{i}", "s", str(tmp_path / f"{'aab'[i]}.wav"), "A", "neu", start=0.0, end=1.0 + i / 2)
        for i in range(3)
    ]
    write_data_dir(tmp_path / "data", utterances)
    (tmp_path / "a.wav").write_bytes((tmp_path / "a.wav").read_bytes()[:-2])
    report = fix_data_dir(tmp_path / "data", tmp_path / "fixed", STRICT)
    assert (report.used, report.num_dropped) == (("u2",), 2)
    assert read_data_dir(tmp_path / "fixed") == utterances[2:]


def test_what_cannot_be_fixed(data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a directory is never fixed in place"):
        fix_data_dir(data, data.parent / "." / "data")
    (data / "utt2emo").write_text("".join(f"{u.utt_id} hpy\n" for u in read_data_dir(data)))
    with pytest.raises(DataError, match="no utterance is left; got 5 with defects"):
        fix_data_dir(data, tmp_path / "fixed", STRICT)
    (data / "utt2emo").unlink()
    with pytest.raises(DataError, match="utt2emo: can't be fixed: file is missing"):
        fix_data_dir(data, tmp_path / "fixed", STRICT)
    assert not (tmp_path / "fixed").exists()


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data_dir(tmp_path_factory.mktemp("sound"))


@settings(max_examples=60)
@given(damages=RANDOM_DAMAGES)
def test_any_damage_is_fixed_or_refused(sound: Path, damages: list[RandomDamage]) -> None:
    data, fixed = sound.parent / "damaged", sound.parent / "fixed"
    shutil.copytree(sound, data, dirs_exist_ok=True)
    for damage in damages:
        damage(data)
    try:
        report = fix_data_dir(data, fixed, STRICT)
    except DataError:
        return
    assert [str(defect) for defect in validate_data_dir(fixed, STRICT) if not defect.warning] == []
    assert len(report.used) + report.num_dropped == report.num_found
    assert [utterance.utt_id for utterance in read_data_dir(fixed)] == list(report.used)
