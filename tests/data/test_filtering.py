"""The filter drops by length and by empty text, and says what it dropped."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet_ent.data.datadir import read_data_dir, write_data_dir
from espnet_ent.data.filtering import DROPPED, filter_data_dir
from espnet_ent.data.utterance import Utterance
from espnet_ent.errors import ConfigError, DataError
from tests.data.dirs import make_data_dir, read_tree


def test_report_by_class(tmp_path: Path) -> None:
    data = make_data_dir(tmp_path)
    report = filter_data_dir(data, tmp_path / "out", 0.3, 1.2, 16000)
    assert report.lines() == [
        "ang: kept 1, dropped 0",
        "hap: kept 0, dropped 1 (short 1)",
        "neu: kept 1, dropped 1 (long 1)",
        "sad: kept 0, dropped 1 (empty 1)",
    ]
    assert (tmp_path / "out" / DROPPED).read_text() == "s0-u2 sad empty\ns0-u4 neu long\ns1-u3 hap short\n"
    assert [u.utt_id for u in read_data_dir(tmp_path / "out")] == ["s0-u0", "s1-u1"]


def test_the_kept_utterances_are_unchanged_and_get_one_line_forms(tmp_path: Path) -> None:
    data = make_data_dir(tmp_path, words=True)
    (data / "feats_type").write_text("raw\n")
    filter_data_dir(data, tmp_path / "out", 0.1, 20, 16000)
    before = {u.utt_id: u for u in read_data_dir(data)}
    assert {u.utt_id: u for u in read_data_dir(tmp_path / "out")} == {i: u for i, u in before.items() if u.text}
    assert (tmp_path / "out" / "utt2emo_segments").read_text() == (
        "s0-u0 0.1000 0.2000 ang\ns0-u4 none\ns1-u1 none\ns1-u3 0.1000 0.2000 hap\n"
    )
    assert (tmp_path / "out" / "utt2emo_words").read_text() == "s0-u0 0 1 ang\ns0-u4 none\ns1-u1 none\ns1-u3 0 1 hap\n"
    assert (tmp_path / "out" / "feats_type").read_text() == "raw\n"


def test_the_limits_themselves_are_kept(tmp_path: Path) -> None:
    data = make_data_dir(tmp_path, intervals=False)
    report = filter_data_dir(data, tmp_path / "out", 0.25, 1.5, 16000)
    assert sum(report.dropped.values()) == 1  # the empty text
    assert not (tmp_path / "out" / "utt2emo_segments").exists()


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40000), st.sampled_from(["", "A", "A B"]), st.sampled_from("xyz")), min_size=1),
    st.integers(0, 20000),
    st.integers(20001, 40000),
)
def test_kept_and_dropped_are_found(tmp_path_factory, entries, shortest: int, longest: int) -> None:
    root = tmp_path_factory.mktemp("filter")
    utterances = [
        Utterance(f"u{i}", "s", "a.wav", text, label, num_samples=count)
        for i, (count, text, label) in enumerate(entries)
    ]
    expected = {u.utt_id for u in utterances if u.text and shortest <= u.num_samples <= longest}
    write_data_dir(root / "data", utterances)
    if not expected:
        with pytest.raises(DataError, match="no utterance is left"):
            filter_data_dir(root / "data", root / "out", shortest / 16000, longest / 16000, 16000)
        return
    report = filter_data_dir(root / "data", root / "out", shortest / 16000, longest / 16000, 16000)
    assert {u.utt_id for u in read_data_dir(root / "out")} == expected
    dropped = {line.split()[0] for line in (root / "out" / DROPPED).read_text().splitlines()}
    assert dropped | expected == {u.utt_id for u in utterances}
    assert not dropped & expected
    assert (sum(report.kept.values()), sum(report.dropped.values())) == (len(expected), len(dropped))


def test_a_second_run_changes_no_byte(tmp_path: Path) -> None:
    data = make_data_dir(tmp_path)
    first = filter_data_dir(data, tmp_path / "out", 0.1, 20, 16000)
    tree = read_tree(tmp_path / "out")
    assert filter_data_dir(data, tmp_path / "out", 0.1, 20, 16000) == first
    assert read_tree(tmp_path / "out") == tree
    filter_data_dir(data, tmp_path / "out", 0.3, 20, 16000)
    assert read_tree(tmp_path / "out") != tree


def test_faults(tmp_path: Path) -> None:
    data = make_data_dir(tmp_path)
    with pytest.raises(ConfigError, match="--min_wav_duration, --max_wav_duration: no duration can pass"):
        filter_data_dir(data, tmp_path / "out", 2, 1, 16000)
    with pytest.raises(DataError, match="no utterance is left; got 5 dropped; next: check --min_wav_duration"):
        filter_data_dir(data, tmp_path / "out", 5, 10, 16000)
    (data / "utt2num_samples").unlink()
    with pytest.raises(DataError, match="utt2num_samples is missing; next: rerun stage 3"):
        filter_data_dir(data, tmp_path / "out", 0.1, 20, 16000)
    assert not (tmp_path / "out").exists()
