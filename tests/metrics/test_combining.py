"""Folds and seeds: pooled figures are those of the union, means and deviations those of ``statistics``."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ent.errors import ScoringError
from espnet_ent.metrics.combining import (
    HIGHER_IS_BETTER,
    Combination,
    combine,
    combine_seeds,
    figures,
    speaker_intervals,
    spread_of,
)
from espnet_ent.metrics.scoring import count_directories, score_directories
from espnet_ent.metrics.set_counts import MAJORITY, SYSTEM, SetCounts
from tests.metrics.oracles import write_lines
from tests.metrics.set_samples import Utterance, hand_made, three_folds, write_set

_PARTS = ("eder", "false_alarm", "missed_emotion", "confusion", "overlap")


def _counts(root: Path) -> dict[str, SetCounts]:
    return {name: count_directories(*write_set(root / name, fold)) for name, fold in three_folds().items()}


@pytest.fixture
def folds(tmp_path: Path) -> dict[str, SetCounts]:
    return _counts(tmp_path)


def _union() -> list[Utterance]:
    return [utterance for fold in three_folds().values() for utterance in fold]


@pytest.fixture
def union(tmp_path: Path) -> dict[str, Any]:
    """The utterances of all folds, scored as one set."""
    return score_directories(*write_set(tmp_path / "union", _union()))


def _figures(results: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """The figures of results.json."""
    words, emotion = results["recognition"], results["emotion"]
    by_system = {
        name: {part: eder["utterance_mean"][part] for part in _PARTS}
        | {"eder_weighted": eder["duration_weighted"]["eder"]}
        for name, eder in results["eder"].items()
    }
    by_system[SYSTEM] |= {"wer": words["wer"]["rate"], "cer": words["cer"]["rate"]}
    by_system[SYSTEM] |= {name: emotion[name] for name in ("wa", "ua", "macro_f1")}
    return {**by_system, MAJORITY: {name: emotion["majority"][name] for name in ("wa", "ua", "macro_f1")}}


def _assert_same(got: Mapping[str, Mapping[str, float]], expected: Mapping[str, Mapping[str, float]]) -> None:
    assert got.keys() == expected.keys()
    for system, rates in expected.items():
        assert got[system] == pytest.approx(rates, abs=1e-12)


def test_figures_of_a_set_are_its_scores(tmp_path: Path, folds: dict[str, SetCounts]) -> None:
    for name, fold in three_folds().items():
        _assert_same(figures(folds[name]), _figures(score_directories(*write_set(tmp_path / name, fold))))


def test_pooled_figures_are_those_of_the_union(folds: dict[str, SetCounts], union: dict[str, Any]) -> None:
    combined = combine(folds)
    _assert_same(combined.pooled, _figures(union))
    assert combined.counts.total.num_utterances == union["num_utterances"]
    assert len(combined.counts.speakers) == union["num_speakers"] == 5
    # Folds differ in size, so that means and pooled figures are two things.
    assert all(abs(combined.mean[SYSTEM][name] - combined.pooled[SYSTEM][name]) > 1e-3 for name in HIGHER_IS_BETTER)


def test_intervals_of_pooled_counts_are_those_of_the_union(folds: dict[str, SetCounts], union: dict[str, Any]) -> None:
    expected = {
        "wer": union["recognition"]["wer"]["interval"],
        "ua": union["emotion"]["ua_interval"],
        "eder": union["eder"][SYSTEM]["utterance_mean"]["interval"],
        "eder_weighted": union["eder"][SYSTEM]["duration_weighted"]["interval"],
    }
    got = {name: [interval.low, interval.high] for name, interval in combine(folds).intervals.items()}
    assert got.keys() == expected.keys()
    for name, bounds in expected.items():
        assert got[name] == pytest.approx(bounds, abs=1e-12)
        assert bounds[0] < bounds[1]


def test_speakers_without_transcript_are_not_drawn_for_wer(tmp_path: Path) -> None:
    utterances = _union()
    arguments = write_set(tmp_path, utterances)
    write_lines(arguments[0] / "untranscribed", *(one.name for one in utterances if one.speaker == "b"))
    counts, results = count_directories(*arguments), score_directories(*arguments)
    interval = speaker_intervals(counts)["wer"]
    assert [interval.low, interval.high] == pytest.approx(results["recognition"]["wer"]["interval"], abs=1e-12)
    assert figures(counts)[SYSTEM]["wer"] == pytest.approx(results["recognition"]["wer"]["rate"])


def test_mean_and_deviation_are_those_of_the_folds(tmp_path: Path, folds: dict[str, SetCounts]) -> None:
    combined = combine(folds)
    scores = [_figures(score_directories(*write_set(tmp_path / name, fold))) for name, fold in three_folds().items()]
    assert combined.mean.keys() == combined.sd.keys() == scores[0].keys()
    for system in scores[0]:
        for metric in scores[0][system]:
            rates = [one[system][metric] for one in scores]
            assert combined.mean[system][metric] == pytest.approx(statistics.mean(rates), abs=1e-12)
            assert combined.sd[system][metric] == pytest.approx(statistics.stdev(rates), abs=1e-12)
    assert combined.sd[SYSTEM]["wer"] > 0


@given(st.lists(st.floats(0, 2), min_size=2, max_size=6))
def test_spread_is_that_of_statistics(rates: list[float]) -> None:
    spread = spread_of([{SYSTEM: {"wer": rate}} for rate in rates])
    assert spread.mean[SYSTEM]["wer"] == pytest.approx(statistics.mean(rates), abs=1e-12)
    assert spread.sd[SYSTEM]["wer"] == pytest.approx(statistics.stdev(rates), abs=1e-9)


def test_what_is_not_finite_has_no_mean() -> None:
    spread = spread_of([{SYSTEM: {"wer": math.inf, "ua": 0.5}}, {SYSTEM: {"wer": 0.5, "ua": 1.0}}])
    assert math.isnan(spread.mean[SYSTEM]["wer"])
    assert math.isnan(spread.sd[SYSTEM]["wer"])
    assert spread.mean[SYSTEM]["ua"] == 0.75


@pytest.mark.parametrize("values", [[], [{SYSTEM: {"wer": 0.5}}, {SYSTEM: {"ua": 0.5}}]])
def test_other_metrics_are_not_averaged(values: list[dict[str, dict[str, float]]]) -> None:
    with pytest.raises(ScoringError, match=f"figures to be averaged are missing or not .* metrics; got {len(values)}"):
        spread_of(values)


def test_the_order_of_folds_does_not_matter(folds: dict[str, SetCounts]) -> None:
    expected = combine(folds)
    for names in permutations(folds):
        got = combine({name: folds[name] for name in names})
        assert replace(got, counts=expected.counts) == expected
        assert got.counts.to_json() == expected.counts.to_json()


def test_the_order_of_folds_does_not_matter_to_the_last_bit() -> None:
    """In floating point, 0.1 + 0.2 + 0.3 depends on the order."""
    folds = {name: hand_made(1, 2, wrong_seconds=float(f"0.{name}")) for name in ("1", "2", "3")}
    assert len({combine({name: folds[name] for name in names}).counts.to_json() for names in permutations(folds)}) == 1


def test_one_fold_has_no_deviation(folds: dict[str, SetCounts]) -> None:
    alone = combine({"2": folds["2"]})
    assert alone.sd == {}
    assert alone.mean == alone.pooled == alone.folds["2"] == figures(folds["2"])
    assert not alone.is_same_set


def test_one_speaker_has_no_interval() -> None:
    assert speaker_intervals(hand_made(1, 2, wrong_seconds=1.0)) == {}
    pooled = SetCounts.pool([hand_made(1, 2, "a"), hand_made(3, 2, "b")])
    assert speaker_intervals(pooled).keys() == {"wer", "ua"}


def test_what_is_not_scored_is_absent() -> None:
    rates = figures(hand_made(2, 7))
    assert rates == {SYSTEM: {"wer": 0.2, "cer": 0.2, "wa": 0.7, "ua": 0.7, "macro_f1": 2 * 7 / 17}}
    counts = hand_made(2, 7, wrong_seconds=2.5)
    silent = replace(counts.speakers["a"], num_transcribed=0, confusions={})
    rates = figures(replace(counts, speakers={"a": silent}))
    expected = {"eder": 0.25, "missed_emotion": 0.25, "false_alarm": 0, "confusion": 0, "overlap": 0}
    assert rates == {SYSTEM: {**expected, "eder_weighted": 0.25}}


def test_folds_on_the_same_utterances_are_known() -> None:
    same = {"1": hand_made(1, 2), "2": hand_made(3, 4)}
    assert combine(same).is_same_set
    assert not combine({**same, "3": hand_made(1, 2, "b")}).is_same_set
    one = same["1"].speakers["a"]
    longer = SetCounts(same["1"].labels, (), {"a": one + one})
    assert not combine({**same, "3": longer}).is_same_set


def test_folds_that_differ_are_not_combined() -> None:
    with pytest.raises(ScoringError, match="differ in their emotion classes or in what is scored"):
        combine({"1": hand_made(1, 2), "2": hand_made(1, 2, wrong_seconds=1.0)})
    with pytest.raises(ScoringError, match="no scored set"):
        combine({})


def _seeds() -> dict[str, Combination]:
    """Three seeds on two folds, of which the second is twice as large."""
    seeds = {}
    for seed, errors in (("1", (1, 4)), ("2", (2, 2)), ("3", (0, 9))):
        small, large = hand_made(errors[0], 5, "a"), hand_made(errors[1], 5, "b")
        seeds[seed] = combine({"1": small, "2": SetCounts.pool([large, hand_made(0, 5, "c")])})
    return seeds


def test_seeds_have_a_spread_of_their_means_and_one_of_their_pooled_figures() -> None:
    over_seeds = combine_seeds(_seeds())
    means = [(0.1 + 0.2) / 2, (0.2 + 0.1) / 2, (0 + 0.45) / 2]
    pooled = [5 / 30, 4 / 30, 9 / 30]
    for spread, rates in ((over_seeds.mean_of_folds, means), (over_seeds.pooled, pooled)):
        assert spread.mean[SYSTEM]["wer"] == pytest.approx(statistics.mean(rates))
        assert spread.sd[SYSTEM]["wer"] == pytest.approx(statistics.stdev(rates))


def test_seeds_on_other_folds_are_not_combined() -> None:
    seeds = {**_seeds(), "4": combine({"1": hand_made(1, 1), "3": hand_made(1, 1)})}
    with pytest.raises(ScoringError, match=r"seeds have different folds; got 1 2 \| 1 3"):
        combine_seeds(seeds)
    with pytest.raises(ScoringError, match="figures to be averaged are missing"):
        combine_seeds({})


def test_the_order_of_folds_does_not_matter_to_seeds() -> None:
    counts = {"1": hand_made(1, 2, "a"), "2": hand_made(3, 4, "b")}
    turned = dict(reversed(counts.items()))
    over_seeds = combine_seeds({"1": combine(counts), "2": combine(turned)})
    assert over_seeds.pooled.sd[SYSTEM] == dict.fromkeys(("wer", "cer", "wa", "ua", "macro_f1"), 0.0)


def test_a_class_that_folds_lack_counts_where_they_are_pooled() -> None:
    other = hand_made(0, 0, "b")
    only_neu = replace(other.speakers["b"], confusions={SYSTEM: np.array([[4, 6], [0, 0]])})
    combined = combine({"1": hand_made(0, 9), "2": replace(other, speakers={"b": only_neu})})
    assert [fold[SYSTEM]["ua"] for fold in combined.folds.values()] == [0.9, 0.4]
    assert combined.pooled[SYSTEM]["ua"] == pytest.approx((0.9 + 0.4) / 2)
    assert combined.pooled[SYSTEM]["wa"] == pytest.approx(13 / 20)
