"""What a search finds for one utterance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True)
class Hypothesis:
    """A label sequence with its alignment.

    Attributes:
        tokens: Labels, without blank.
        token_frames: Encoder frame at which each label was emitted.
        nodes: For each encoder frame t the column u of the node where the frame was left: the number of
            labels emitted up to and including frame t. The frame's emotion is read there.
        score: Log probability (nats) of the alignment: all labels, and the blank of every frame.
        token_scores: Log probability (nats) of each label at its node.
        states: (U + 1, P) prediction states that the emotion branches see, column by column; None if the search did not
            keep them.
        total_score: What a beam search goes by: log probability of all alignments of the labels that it kept, and of
            the labels by the weighted language model; None after a greedy search.
    """

    tokens: tuple[int, ...]
    token_frames: tuple[int, ...]
    nodes: tuple[int, ...]
    score: float
    token_scores: tuple[float, ...] = ()
    total_score: float | None = None
    states: Tensor | None = field(default=None, compare=False, repr=False)

    @property
    def num_frames(self) -> int:
        """Number of encoder frames."""
        return len(self.nodes)


def joined(hypotheses: Sequence[Hypothesis]) -> Hypothesis:
    """One hypothesis of those of consecutive windows."""
    if len(hypotheses) == 1:
        return hypotheses[0]
    tokens: list[int] = []
    token_frames: list[int] = []
    nodes: list[int] = []
    for hypothesis in hypotheses:
        token_frames += [len(nodes) + frame for frame in hypothesis.token_frames]
        nodes += [len(tokens) + node for node in hypothesis.nodes]
        tokens += hypothesis.tokens
    return Hypothesis(
        tuple(tokens),
        tuple(token_frames),
        tuple(nodes),
        sum(hypothesis.score for hypothesis in hypotheses),
        tuple(score for hypothesis in hypotheses for score in hypothesis.token_scores),
    )
