"""Baselines that need no audio."""

from __future__ import annotations

import pytest

from espnet_ent.errors import LabelError, ScoringError
from espnet_ent.labels import FOUR_EMOTIONS
from espnet_ent.metrics.trivial import majority_emotion, trivial_timelines


def test_aliases_count_with_their_emotion() -> None:
    assert majority_emotion(["exc", "neu", "happy", "neu", "hap"], FOUR_EMOTIONS) == "hap"


def test_ties_go_to_the_first_of_the_inventory() -> None:
    assert majority_emotion(["neu", "sad", "ang"], FOUR_EMOTIONS) == "ang"


def test_training_labels_are_checked() -> None:
    with pytest.raises(ScoringError, match="no training label"):
        majority_emotion([], FOUR_EMOTIONS)
    with pytest.raises(LabelError, match="unknown emotion label"):
        majority_emotion(["joyful"], FOUR_EMOTIONS)


def test_one_label_from_start_to_end() -> None:
    trivial = trivial_timelines({"a": 2.0, "b": 3.0}, {"a": "ang", "b": "neu"}, {"a": "sad", "b": "hap"}, "neu")
    labels = {
        name: [(s.start, s.end, s.label) for utterance in "ab" for s in timelines[utterance].filled()]
        for name, timelines in trivial.items()
    }
    assert labels == {
        "all_neutral": [(0.0, 2.0, "neu"), (0.0, 3.0, "neu")],
        "predicted_label": [(0.0, 2.0, "ang"), (0.0, 3.0, "neu")],
        "gold_label_oracle": [(0.0, 2.0, "sad"), (0.0, 3.0, "hap")],
    }
