"""Bootstrap intervals against a loop over the same draws, and their laws."""

from __future__ import annotations

import numpy as np
import pytest

from espnet_ent.metrics.bootstrap import SpeakerBootstrap
from espnet_ent.metrics.classification import confusion_matrix, unweighted_average_recall

SPEAKERS = ["b", "a", "c", "a", "b", "d", "d", "a", "e", "c"]
NUMERATORS = [1, 0, 3, 2, 5, 0, 1, 1, 2, 4]
DENOMINATORS = [4, 3, 6, 2, 9, 3, 4, 5, 6, 7]
REFERENCE = [0, 1, 2, 0, 1, 2, 3, 0, 1, 1]
HYPOTHESIS = [0, 1, 0, 0, 2, 2, 3, 1, 1, 1]


def _resamples(num_resamples: int, seed: int) -> list[list[int]]:
    """Utterances of each resample, spelled out."""
    names = sorted(set(SPEAKERS))
    draws = np.random.default_rng(seed).integers(0, len(names), size=(num_resamples, len(names)))
    return [[utt for draw in row for utt, speaker in enumerate(SPEAKERS) if speaker == names[draw]] for row in draws]


def test_ratio_is_that_of_a_plain_loop() -> None:
    ratios = [
        sum(NUMERATORS[u] for u in sample) / sum(DENOMINATORS[u] for u in sample) for sample in _resamples(200, seed=3)
    ]
    interval = SpeakerBootstrap(SPEAKERS, num_resamples=200, seed=3).ratio(NUMERATORS, DENOMINATORS)
    assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(ratios, [0.025, 0.975])))


def test_unweighted_average_recall_is_that_of_a_plain_loop() -> None:
    scores = [
        unweighted_average_recall(confusion_matrix([REFERENCE[u] for u in sample], [HYPOTHESIS[u] for u in sample], 4))
        for sample in _resamples(50, seed=1)
    ]
    bootstrap = SpeakerBootstrap(SPEAKERS, num_resamples=50, seed=1)
    interval = bootstrap.unweighted_average_recall(REFERENCE, HYPOTHESIS, 4)
    assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(scores, [0.025, 0.975])))


def test_order_of_utterances_does_not_matter() -> None:
    forth = SpeakerBootstrap(SPEAKERS).ratio(NUMERATORS, DENOMINATORS)
    back = SpeakerBootstrap(SPEAKERS[::-1]).ratio(NUMERATORS[::-1], DENOMINATORS[::-1])
    assert forth == back


def test_seed_decides() -> None:
    def interval(seed: int) -> object:
        return SpeakerBootstrap(SPEAKERS, num_resamples=20, seed=seed).ratio(NUMERATORS, DENOMINATORS)

    assert interval(1) == interval(1)
    assert interval(1) != interval(2)


def test_speakers_who_do_not_differ_give_a_point() -> None:
    interval = SpeakerBootstrap(["a", "b", "c"]).ratio([1, 1, 1], [4, 4, 4])
    assert (interval.low, interval.high) == (0.25, 0.25)


def test_interval_covers_about_as_often_as_it_says() -> None:
    """With 40 speakers, a 90 % interval of a mean covers the true mean in 90 % of experiments, roughly."""
    rng = np.random.default_rng(0)
    speakers = [f"s{index:02d}" for index in range(40)]
    hits = 0
    for _ in range(200):
        interval = SpeakerBootstrap(speakers, num_resamples=300, level=0.9).ratio(rng.normal(1.0, 0.3, 40), np.ones(40))
        hits += interval.low <= 1.0 <= interval.high
    assert 165 <= hits <= 195


def test_one_speaker_has_no_interval() -> None:
    bootstrap = SpeakerBootstrap(["a", "a"])
    assert bootstrap.num_speakers == 1
    assert bootstrap.ratio([1, 0], [2, 2]) is None
    assert bootstrap.unweighted_average_recall([0, 1], [0, 0], 2) is None


def test_resamples_without_reference_are_dropped() -> None:
    interval = SpeakerBootstrap(["a", "b"]).ratio([1, 0], [2, 0])
    assert (interval.low, interval.high) == (0.5, 0.5)
    assert SpeakerBootstrap(["a", "b"]).ratio([0, 0], [0, 0]) is None
