"""What can be had without listening: the baselines that stand beside every figure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from espnet_ent.errors import ScoringError
from espnet_ent.labels import EmotionInventory
from espnet_ent.timeline import EmotionTimeline

ALL_NEUTRAL = "all_neutral"
PREDICTED_LABEL = "predicted_label"
GOLD_LABEL = "gold_label_oracle"


def majority_emotion(train_emotions: Iterable[str], inventory: EmotionInventory) -> str:
    """The most frequent training emotion; of equally frequent ones the first in the inventory.

    Args:
        train_emotions: Names or aliases.
        inventory: The classes.

    Raises:
        ScoringError: If there are no training emotions.
        LabelError: If one is unknown.
    """
    counts = Counter(inventory.index(emotion, where="training labels") for emotion in train_emotions)
    if not counts:
        raise ScoringError("no training label to take the majority class from")
    most = max(counts.values())
    return inventory.names[min(index for index, count in counts.items() if count == most)]


def trivial_timelines(
    durations: Mapping[str, float],
    predicted: Mapping[str, str],
    gold: Mapping[str, str],
    neutral: str,
) -> dict[str, dict[str, EmotionTimeline]]:
    """Timelines with one label from start to end.

    The gold label is known to no system, so that baseline is an oracle, not a trivial one.

    Args:
        durations: Seconds of each utterance.
        predicted: The recognised emotion of each utterance, canonical.
        gold: The reference emotion of each utterance, canonical.
        neutral: The neutral label.

    Returns:
        ``all_neutral``, ``predicted_label`` and ``gold_label_oracle``, each with a timeline an utterance.
    """
    constant = dict.fromkeys(durations, neutral)
    return {
        name: {
            utterance: EmotionTimeline.uniform(labels[utterance], duration, neutral)
            for utterance, duration in durations.items()
        }
        for name, labels in ((ALL_NEUTRAL, constant), (PREDICTED_LABEL, predicted), (GOLD_LABEL, gold))
    }
