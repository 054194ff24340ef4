"""Counts by speaker: worked out by hand for four utterances, the laws of pooling, and counts.json."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import astuple, replace
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ent.errors import ScoringError
from espnet_ent.metrics.eder import EderCounts, EderRates
from espnet_ent.metrics.scoring import count_directories
from espnet_ent.metrics.set_counts import MAJORITY, SYSTEM, EderSums, SetCounts, SpeakerCounts
from espnet_ent.metrics.wer import ErrorCounts
from tests.metrics.oracles import write_lines, write_scored_pair
from tests.metrics.set_samples import hand_made, three_folds, write_set


def _count(root: Path) -> SetCounts:
    lists = (root / "emotion_list", root / "train_utt2emo")
    return count_directories(root / "dump" / "test", root / "exp" / "ent" / "greedy" / "test", *lists)


@st.composite
def _sets(draw: st.DrawFn, speakers: str = "abc") -> SetCounts:
    """Counts whose seconds are eighths, of which sums are exact."""
    numbers, eighths = st.integers(0, 99), st.integers(0, 999).map(lambda number: number / 8)

    def speaker() -> SpeakerCounts:
        confusion = np.array(draw(st.lists(numbers, min_size=4, max_size=4)), dtype=np.int64).reshape(2, 2)
        sums = [draw(st.lists(eighths, min_size=5, max_size=5)) for _ in range(2)]
        words, characters = (ErrorCounts(*(draw(numbers) for _ in range(4))) for _ in range(2))
        timelines = {SYSTEM: EderSums(EderCounts(*sums[0]), EderRates(*sums[1]))}
        return SpeakerCounts(draw(numbers), 1 + draw(numbers), words, characters, {SYSTEM: confusion}, timelines)

    names = sorted(draw(st.sets(st.sampled_from(speakers), min_size=1)))
    majority = draw(st.sampled_from([("neu",), ("sad",), ("sad", "neu")]))
    return SetCounts(("neu", "sad"), majority, {name: speaker() for name in names})


def test_speakers_of_four_utterances(tmp_path: Path) -> None:
    write_scored_pair(tmp_path)
    counts = _count(tmp_path)
    assert (counts.labels, counts.majority) == (("hap", "ang", "sad", "neu"), ("neu",))
    assert list(counts.speakers) == ["a", "b"]
    a, b = counts.speakers.values()
    assert [(one.num_utterances, one.num_transcribed) for one in (a, b)] == [(2, 2), (2, 2)]
    assert (a.words, b.words) == (ErrorCounts(1, 2, 0, 5), ErrorCounts(0, 0, 1, 3))
    assert (a.characters.reference_length, b.characters.reference_length) == (13 + 8, 6 + 4)
    assert a.confusions[SYSTEM].tolist() == [[0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]]
    assert b.confusions[SYSTEM].tolist() == [[0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert b.confusions[MAJORITY].tolist() == [[0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert a.timelines.keys() == {"system", "all_neutral", "predicted_label", "gold_label_oracle"}
    # Seconds, then the sum of the two utterances' rates: these are not the rates of the seconds.
    assert astuple(a.timelines[SYSTEM].seconds) == pytest.approx((0.12, 0.21, 0, 0, 0.5 + 0.39 + 2))
    assert astuple(a.timelines[SYSTEM].rates) == pytest.approx((0.33 / 1.22, 0.12 / 1.22, 0.21 / 1.22, 0, 0))
    assert astuple(b.timelines[SYSTEM].seconds) == pytest.approx((1, 0.5, 1, 0, 0.5))
    assert b.timelines[SYSTEM].rates.eder == pytest.approx(1 + 0.5)


def test_what_nobody_has_transcribed_has_no_words(tmp_path: Path) -> None:
    reference, _ = write_scored_pair(tmp_path)
    write_lines(reference / "untranscribed", "b1")
    b = _count(tmp_path).speakers["b"]
    assert (b.num_utterances, b.num_transcribed) == (2, 1)
    assert b.words == ErrorCounts(0, 0, 0, 1)
    assert b.characters == ErrorCounts(0, 0, 0, 4)
    write_lines(reference / "untranscribed", "a1", "a2", "b1", "b2")
    assert not _count(tmp_path).kinds["words"]


def test_speech_recognition_alone_counts_words_alone(tmp_path: Path) -> None:
    _, hypothesis = write_scored_pair(tmp_path)
    assert all(_count(tmp_path).kinds.values())
    for name in ("utt2emo", "utt2emo_posteriors", "emo_segments", "frame_posteriors.scp"):
        (hypothesis / name).unlink()
    counts = _count(tmp_path)
    assert counts.kinds == {"words": True, "emotions": False, "majority": False, "timelines": False}
    assert counts.majority == ()
    assert counts.total.words == ErrorCounts(1, 2, 1, 8)


def test_pooled_counts_are_those_of_the_union(tmp_path: Path) -> None:
    folds = three_folds()
    pooled = SetCounts.pool(count_directories(*write_set(tmp_path / name, folds[name])) for name in folds)
    union = count_directories(*write_set(tmp_path / "union", [one for fold in folds.values() for one in fold]))
    assert list(pooled.speakers) == list(union.speakers) == ["a", "b", "c", "d", "e"]
    for got, expected in zip(pooled.speakers.values(), union.speakers.values(), strict=True):
        _assert_close(got, expected)


@given(_sets(), _sets(), _sets())
def test_pooling_is_associative(a: SetCounts, b: SetCounts, c: SetCounts) -> None:
    pooled = SetCounts.pool([a, b, c]).to_json()
    assert SetCounts.pool([SetCounts.pool([a, b]), c]).to_json() == pooled
    assert SetCounts.pool([a, SetCounts.pool([b, c])]).to_json() == pooled


@given(_sets("ab"), _sets("bc"), _sets("cd"))
def test_the_order_of_sets_does_not_matter(a: SetCounts, b: SetCounts, c: SetCounts) -> None:
    pooled = {replace(SetCounts.pool(sets), majority=()).to_json() for sets in permutations([a, b, c])}
    assert len(pooled) == 1


@given(_sets())
def test_a_set_alone_is_its_own_pool(counts: SetCounts) -> None:
    assert SetCounts.pool([counts]).to_json() == counts.to_json()


def test_a_speaker_of_several_sets_stays_one() -> None:
    pooled = SetCounts.pool([hand_made(2, 7, "b"), hand_made(1, 5, "a"), hand_made(3, 9, "b")])
    assert list(pooled.speakers) == ["a", "b"]
    assert pooled.speakers["a"].num_utterances == 10
    assert pooled.speakers["b"].num_utterances == 20
    assert pooled.speakers["b"].words == ErrorCounts(5, 0, 0, 20)
    assert pooled.speakers["b"].confusions[SYSTEM].tolist() == [[0, 0], [4, 16]]
    assert pooled.total.words.errors == 6


def test_each_majority_is_told_once() -> None:
    sets = [replace(hand_made(0, 0), majority=(label,)) for label in ("sad", "neu", "sad")]
    assert SetCounts.pool(sets).majority == ("sad", "neu")


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (replace(hand_made(1, 1), labels=("neu", "hap")), "expected neu sad, .*; got neu hap, "),
        (replace(hand_made(1, 1), labels=("sad", "neu")), "expected neu sad, .*; got sad neu, "),
        (hand_made(1, 1, wrong_seconds=2.5), "expected .*'timelines': False.*; got .*'timelines': True"),
    ],
)
def test_sets_that_differ_are_not_pooled(other: SetCounts, message: str) -> None:
    with pytest.raises(ScoringError, match=f"differ in their emotion classes or in what is scored; {message}"):
        SetCounts.pool([hand_made(1, 1), hand_made(2, 2), other])


def test_nothing_is_not_pooled() -> None:
    with pytest.raises(ScoringError, match="no scored set to pool"):
        SetCounts.pool([])


def test_json_gives_back_the_very_same_numbers(tmp_path: Path) -> None:
    utterances = three_folds()["2"]
    counts = count_directories(*write_set(tmp_path, utterances))
    path = tmp_path / "counts.json"
    path.write_text(counts.to_json(), encoding="utf-8")
    again = SetCounts.read(path)
    assert (again.labels, again.majority, list(again.speakers)) == (counts.labels, counts.majority, ["b", "c", "d"])
    for name, one in counts.speakers.items():
        got = again.speakers[name]
        assert replace(got, confusions={}) == replace(one, confusions={})
        assert got.confusions.keys() == one.confusions.keys() == {SYSTEM, MAJORITY}
        assert all(np.array_equal(got.confusions[system], one.confusions[system]) for system in one.confusions)
        assert got.confusions[SYSTEM].dtype == np.int64
    assert again.to_json() == counts.to_json()
    assert counts.to_json().count("\n") == 1
    # In whatever order the utterances lie: the same bytes.
    assert count_directories(*write_set(tmp_path, utterances[::-1])).to_json() == counts.to_json()


def _without(*keys: str) -> Callable[[dict[str, Any]], str]:
    def damage(value: dict[str, Any]) -> str:
        inner = value
        for key in keys[:-1]:
            inner = inner[key]
        del inner[keys[-1]]
        return json.dumps(value)

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        lambda value: json.dumps(value)[:-20],
        lambda value: "[]",
        lambda value: json.dumps({**value, "speakers": {}}),
        lambda value: json.dumps({**value, "speakers": ["a"]}),
        _without("labels"),
        _without("majority"),
        _without("speakers", "a", "num_transcribed"),
        _without("speakers", "a", "words", "insertions"),
        _without("speakers", "a", "timelines", "system", "rates"),
    ],
)
def test_damaged_counts_are_told_with_the_file(tmp_path: Path, damage: Callable[[dict[str, Any]], str]) -> None:
    path = tmp_path / "counts.json"
    path.write_text(damage(json.loads(hand_made(1, 1, wrong_seconds=1.0).to_json())), encoding="utf-8")
    with pytest.raises(ScoringError, match=r"counts.json: file is damaged; got .*; next: rerun stage 13 \(scoring\)"):
        SetCounts.read(path)


def test_absent_counts_are_told_with_the_file(tmp_path: Path) -> None:
    with pytest.raises(ScoringError, match=r"counts.json: file is missing; next: rerun stage 13 \(scoring\)"):
        SetCounts.read(tmp_path / "counts.json")


def _assert_close(got: SpeakerCounts, expected: SpeakerCounts) -> None:
    """Whole numbers are equal; seconds and rates but for the order of their addition."""
    plain = {"confusions": {}, "timelines": {}}
    assert replace(got, **plain) == replace(expected, **plain)
    assert {name: rows.tolist() for name, rows in got.confusions.items()} == {
        name: rows.tolist() for name, rows in expected.confusions.items()
    }
    assert got.timelines.keys() == expected.timelines.keys()
    for name, sums in expected.timelines.items():
        assert astuple(got.timelines[name].seconds) == pytest.approx(astuple(sums.seconds))
        assert astuple(got.timelines[name].rates) == pytest.approx(astuple(sums.rates))
