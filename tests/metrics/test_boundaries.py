"""Distances of emotion changes, by hand and against a search through all of them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given

from espnet_ent.metrics.boundaries import BoundaryErrors, boundary_errors, change_points
from espnet_ent.timeline import EmotionSegment, EmotionTimeline
from tests.metrics.oracles import timelines


def timeline(*segments: tuple[float, float, str]) -> EmotionTimeline:
    return EmotionTimeline.from_segments([EmotionSegment(*segment) for segment in segments], 4.0, "neu")


def test_the_edges_of_the_utterance_are_no_changes() -> None:
    assert change_points(timeline()) == change_points(timeline((0, 4, "ang"))) == []
    assert change_points(timeline((0, 1, "ang"), (1, 2, "sad"), (3, 4, "sad"))) == [1, 2, 3]


def test_a_worked_example() -> None:
    """Changes at 1, 2 and 3 s, recognised at 1.25 and 2.5 s; in another utterance one that is not recognised."""
    errors = BoundaryErrors.sum(
        [
            boundary_errors(timeline((0, 1, "ang"), (1, 2, "sad"), (3, 4, "sad")), timeline((1.25, 2.5, "hap"))),
            boundary_errors(timeline((0, 1, "ang")), timeline((0, 4, "ang"))),
            boundary_errors(timeline(), timeline((0, 1, "ang"))),
        ]
    )
    assert errors.distances == (0.25, 0.5, 0.5)
    assert (errors.median, errors.mean) == (0.5, pytest.approx(1.25 / 3))
    assert (errors.num_reference, errors.num_without, errors.num_hypothesis, errors.share_without) == (4, 1, 3, 0.25)


def test_nothing_to_measure() -> None:
    errors = boundary_errors(timeline(), timeline())
    assert errors == BoundaryErrors.sum([])
    assert all(math.isnan(value) for value in (errors.median, errors.mean, errors.share_without))


@given(timelines(), timelines())
def test_distances_are_the_shortest_of_all(reference: EmotionTimeline, hypothesis: EmotionTimeline) -> None:
    """A change: the labels a little before and after an edge of the grid differ."""

    def changes(of: EmotionTimeline) -> list[float]:
        return [cell / 4 for cell in range(1, 24) if of.label_at(cell / 4 - 0.1) != of.label_at(cell / 4 + 0.1)]

    truth, guess = changes(reference), changes(hypothesis)
    errors = boundary_errors(reference, hypothesis)
    assert errors.num_hypothesis == len(guess)
    assert errors.num_reference == len(truth)
    expected = [min(abs(point - other) for other in guess) for point in truth] if guess else []
    assert errors.distances == pytest.approx(expected)
    assert boundary_errors(reference, reference).distances == pytest.approx([0.0] * len(truth))
