"""How near the changes of a recognised emotion timeline lie to the true ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from espnet_ent.timeline import EmotionTimeline


@dataclass(frozen=True)
class BoundaryErrors:
    """Distances from changes of reference timelines to the nearest change of the hypothesis in the same utterance.

    The measure is about the reference's changes alone: a hypothesis that changes all the time is near to all of them,
    which is why both numbers of changes stand beside the distances.

    Attributes:
        distances: Seconds, one for each change of a reference whose hypothesis has any.
        num_without: Changes of references whose hypothesis has none.
        num_hypothesis: Changes of the hypotheses.
    """

    distances: tuple[float, ...]
    num_without: int
    num_hypothesis: int

    @classmethod
    def sum(cls, errors: Iterable[BoundaryErrors]) -> BoundaryErrors:
        """Errors of many utterances."""
        errors = list(errors)
        return cls(
            tuple(distance for one in errors for distance in one.distances),
            sum(one.num_without for one in errors),
            sum(one.num_hypothesis for one in errors),
        )

    @property
    def num_reference(self) -> int:
        """Changes of the references."""
        return len(self.distances) + self.num_without

    @property
    def share_without(self) -> float:
        """Share of the references' changes whose hypothesis has none; NaN where the references do not change."""
        return self.num_without / self.num_reference if self.num_reference else float("nan")

    @property
    def median(self) -> float:
        """Median distance in seconds; NaN of none."""
        return float(np.median(self.distances)) if self.distances else float("nan")

    @property
    def mean(self) -> float:
        """Mean distance in seconds; NaN of none."""
        return float(np.mean(self.distances)) if self.distances else float("nan")


def change_points(timeline: EmotionTimeline) -> list[float]:
    """Seconds at which one emotion gives way to another, inside the utterance.

    >>> from espnet_ent.timeline import EmotionSegment
    >>> change_points(EmotionTimeline(2.0, (EmotionSegment(0.0, 0.5, "sad"), EmotionSegment(1.5, 2.0, "sad")), "neu"))
    [0.5, 1.5]
    """
    return [after.start for before, after in pairwise(timeline.filled()) if before.label != after.label]


def boundary_errors(reference: EmotionTimeline, hypothesis: EmotionTimeline) -> BoundaryErrors:
    """Errors of one utterance."""
    truth, guess = change_points(reference), np.array(change_points(hypothesis))
    if not guess.size:
        return BoundaryErrors((), len(truth), 0)
    return BoundaryErrors(tuple(float(np.abs(guess - point).min()) for point in truth), 0, guess.size)
