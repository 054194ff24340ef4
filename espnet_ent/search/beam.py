"""Beam search over the alignment lattice, step by step of the alignment, all utterances of a batch at once.

After n steps every hypothesis has n frames and labels together, so that hypotheses with the same labels stand at the
same node: there their alignments are added up. A hypothesis' score is the sum over the alignments that the beam kept,
and its alignment is the most probable of these.

Source: Saon et al., "Alignment-length synchronous decoding for RNN transducer", 2020.
Dimensions: B batch, T frames, V vocabulary with blank = 0, R hypotheses of all utterances, J joint size.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from espnet_ent.errors import ConfigError
from espnet_ent.search.greedy import SearchableTransducer
from espnet_ent.search.hypothesis import Hypothesis
from espnet_ent.search.steps import SearchSteps
from espnet_ent.transducer.masks import BLANK
from espnet_ent.transducer.prediction import PredictionStart
from espnet_ent.transducer.states import EncoderStates

Labels = tuple[int, ...]
Trace = tuple[Any, int, float] | None
"""An alignment from its end to its start: (what came before, label or blank, its log probability)."""


class LabelScorer(Protocol):
    """A language model over the labels."""

    def score(self, prefixes: Sequence[Labels], states: Sequence[Any]) -> tuple[Tensor, list[Any]]:
        """Log probabilities (N, V) of the next label after each prefix, and the states after the prefixes.

        Args:
            prefixes: The labels so far of N hypotheses.
            states: For each the state after all of its labels but the last; None for an empty prefix.
        """


@dataclass(frozen=True)
class BeamConfig:
    """Options of a beam search.

    Attributes:
        beam_size: Hypotheses of an utterance that are followed; as many complete ones are kept.
        nbest: Hypotheses that are returned, at most ``beam_size``.
        length_normalisation: Whether the complete hypotheses are ordered by score / (labels + 1).
        lm_weight: Weight of the language model's log probabilities (shallow fusion).
        max_labels_ratio: Most labels of a hypothesis, as a multiple of its frames.

    Raises:
        ConfigError: If a value is out of its range.
    """

    beam_size: int = 5
    nbest: int = 1
    length_normalisation: bool = True
    lm_weight: float = 0.3
    max_labels_ratio: float = 1.0

    def __post_init__(self) -> None:
        checks = {
            "beam_size": (self.beam_size >= 1, "1 or more"),
            "nbest": (1 <= self.nbest <= self.beam_size, f"1 to beam_size ({self.beam_size})"),
            "lm_weight": (self.lm_weight >= 0, "0 or more"),
            "max_labels_ratio": (self.max_labels_ratio > 0, "more than 0"),
        }
        for name, (is_good, expected) in checks.items():
            if not is_good:
                raise ConfigError(f"{name} out of range", expected=expected, got=getattr(self, name))


@dataclass(eq=False, slots=True)
class _Partial:
    """An incomplete hypothesis.

    Attributes:
        labels: The labels so far.
        score: Log probability of its alignments so far.
        lm_score: Weighted log probability of its labels.
        trace_score: Log probability of its best alignment.
        trace: That alignment.
        row: Where its prediction state is, or that of the hypothesis it goes on from.
        is_new: Whether the last label is not yet in that state.
        lm_state: State of the language model, after all labels but the last where ``lm_scores`` is None.
        lm_scores: Weighted log probabilities (V,) of the next label; None where they are still to be computed.
    """

    labels: Labels
    score: float
    lm_score: float
    trace_score: float
    trace: Trace
    row: int
    is_new: bool
    lm_state: Any = None
    lm_scores: Tensor | None = None

    @property
    def total(self) -> float:
        return self.score + self.lm_score

    def merge(self, other: _Partial) -> None:
        """Add the alignments of another hypothesis with the same labels."""
        self.score = _log_add(self.score, other.score)
        if other.trace_score > self.trace_score:
            self.trace, self.trace_score = other.trace, other.trace_score
        if not other.is_new:  # its prediction state is there already
            self.row, self.is_new = other.row, False
            self.lm_state, self.lm_scores = other.lm_state, other.lm_scores


@torch.no_grad()
def beam_search(
    transducer: SearchableTransducer,
    enc: EncoderStates,
    config: BeamConfig | None = None,
    steps: SearchSteps | None = None,
    lm: LabelScorer | None = None,
    start: PredictionStart | None = None,
) -> list[list[Hypothesis]]:
    """The most probable label sequences of each utterance, best first.

    The complete hypotheses kept are the most probable ones that the beam met; ``length_normalisation`` orders these.

    Args:
        transducer: A transducer in eval mode.
        enc: Encoder states (B, T, D) with lengths (B,).
        config: Options.
        steps: Those of this transducer, if there are some from an earlier search.
        lm: A language model for shallow fusion.
        start: Where the prediction networks go on; None: at the beginning. The language model starts anew.

    Returns:
        For each utterance 1 to ``nbest`` hypotheses with their alignments; exactly one, empty, for one without frames.
    """
    config = config or BeamConfig()
    lengths = enc.lengths.tolist()
    beams = [_Beam(b, num_frames, config) for b, num_frames in enumerate(lengths)]
    steps = steps or SearchSteps(transducer)
    fusion = _Fusion(lm, config.lm_weight) if lm is not None and config.lm_weight > 0 else None
    rows = _Rows(steps, start or steps.start(len(beams)), enc.h.device)
    if first := [partial for beam in beams for partial in beam.partials]:
        rows.follow(first)  # an utterance without frames has none
        if fusion is not None:
            fusion.follow(first)
    projected = [head.flatten(0, 1) for head in transducer.project_encoder(enc)]
    while active := [beam for beam in beams if beam.partials]:
        partials = [(beam, partial) for beam in active for partial in beam.partials]
        frames = [beam.utterance * enc.h.size(1) + beam.frame_of(partial) for beam, partial in partials]
        index = torch.tensor(frames, device=enc.h.device)
        logits = transducer.combine(tuple(head.index_select(0, index) for head in projected), rows.projected)
        _expand(active, torch.log_softmax(logits, dim=-1), config)
        survivors = [partial for beam in active for partial in beam.partials]
        if survivors:
            rows.follow(survivors)
            if fusion is not None:
                fusion.follow(survivors)
    return [beam.hypotheses() for beam in beams]


class _Beam:
    """The search of one utterance."""

    def __init__(self, utterance: int, num_frames: int, config: BeamConfig) -> None:
        self.utterance, self.num_frames, self.config = utterance, num_frames, config
        self.most_labels = math.ceil(config.max_labels_ratio * num_frames)
        self.num_steps = 0
        start = _Partial((), 0.0, 0.0, 0.0, None, utterance, False)
        self.partials = [start] if num_frames else []
        self.complete = [] if num_frames else [start]

    def frame_of(self, partial: _Partial) -> int:
        return self.num_steps - len(partial.labels)

    def advance(self, candidates: Iterable[_Partial]) -> None:
        """One step: complete hypotheses are put aside, the best of the others kept."""
        self.num_steps += 1
        merged: dict[Labels, _Partial] = {}
        for candidate in candidates:
            if (known := merged.get(candidate.labels)) is None:
                merged[candidate.labels] = candidate
            else:
                known.merge(candidate)
        going_on = []
        for partial in merged.values():
            (self.complete if self.frame_of(partial) == self.num_frames else going_on).append(partial)
        size = self.config.beam_size
        self.complete = heapq.nlargest(size, self.complete, key=lambda partial: partial.total)
        self.partials = heapq.nlargest(size, going_on, key=lambda partial: partial.total)
        # No descendant can be more probable than all of what is followed together.
        if self.partials and len(self.complete) == size:
            bound = _log_sum(partial.total for partial in self.partials)
            if bound <= self.complete[-1].total:
                self.partials = []

    def hypotheses(self) -> list[Hypothesis]:
        def order(partial: _Partial) -> float:
            return -partial.total / (len(partial.labels) + 1 if self.config.length_normalisation else 1)

        return [_hypothesis(partial) for partial in sorted(self.complete, key=order)[: self.config.nbest]]


class _Rows:
    """Prediction states of the hypotheses that are followed, one a row."""

    def __init__(self, steps: SearchSteps, start: PredictionStart, device: torch.device) -> None:
        self.steps, self.device = steps, device
        self.projected, self.recurrent, _ = steps(start.labels, start.state)

    def follow(self, partials: Sequence[_Partial]) -> None:
        """Give each hypothesis a row of its own, with all its labels in it."""
        parents = torch.tensor([partial.row for partial in partials], device=self.device)
        self.projected = tuple(values.index_select(0, parents) for values in self.projected)
        self.recurrent = tuple(values.index_select(1, parents) for values in self.recurrent)
        new = [number for number, partial in enumerate(partials) if partial.is_new]
        if new:
            index = torch.tensor(new, device=self.device)
            labels = torch.tensor([partials[number].labels[-1] for number in new], device=self.device)
            projected, after, _ = self.steps(labels, tuple(values.index_select(1, index) for values in self.recurrent))
            for values, of_new in zip(self.recurrent, after, strict=True):
                values.index_copy_(1, index, of_new)
            for values, of_new in zip(self.projected, projected, strict=True):
                values.index_copy_(0, index, of_new)
        for number, partial in enumerate(partials):
            partial.row, partial.is_new = number, False


class _Fusion:
    """Shallow fusion: weighted log probabilities of a language model for every hypothesis."""

    def __init__(self, lm: LabelScorer, weight: float) -> None:
        self.lm, self.weight = lm, weight

    def follow(self, partials: Sequence[_Partial]) -> None:
        """Score what may come next, for hypotheses whose last label the language model has not seen."""
        new = [partial for partial in partials if partial.lm_scores is None]
        if new:
            scores, states = self.lm.score([partial.labels for partial in new], [partial.lm_state for partial in new])
            for partial, row, state in zip(new, self.weight * scores, states, strict=True):
                partial.lm_state, partial.lm_scores = state, row


def _expand(beams: Sequence[_Beam], log_probs: Tensor, config: BeamConfig) -> None:
    """One step of all beams; ``log_probs`` (R, V) in the order of their hypotheses."""
    partials = [partial for beam in beams for partial in beam.partials]
    of_lm = torch.zeros_like(log_probs)
    if partials[0].lm_scores is not None:
        of_lm = torch.stack([partial.lm_scores for partial in partials]).to(log_probs)
    num_labels = min(config.beam_size, log_probs.size(1) - 1)
    best = (log_probs + of_lm)[:, 1:].topk(num_labels, dim=1).indices + 1
    tables = zip(
        log_probs[:, BLANK].tolist(),
        best.tolist(),
        log_probs.gather(1, best).tolist(),
        of_lm.gather(1, best).tolist(),
        strict=True,
    )
    rows = iter(enumerate(tables))
    for beam in beams:
        candidates = []
        for partial in beam.partials:
            row, (blank, labels, scores, lm_scores) = next(rows)
            candidates.append(_extended(partial, row, BLANK, blank, 0.0))
            if len(partial.labels) < beam.most_labels:
                choices = zip(labels, scores, lm_scores, strict=True)
                candidates += [_extended(partial, row, *choice) for choice in choices]
        beam.advance(candidates)


def _extended(partial: _Partial, row: int, label: int, score: float, lm_score: float) -> _Partial:
    """A hypothesis with one label or blank more."""
    is_label = label != BLANK
    return _Partial(
        labels=(*partial.labels, label) if is_label else partial.labels,
        score=partial.score + score,
        lm_score=partial.lm_score + lm_score,
        trace_score=partial.trace_score + score,
        trace=(partial.trace, label, score),
        row=row,
        is_new=is_label,
        lm_state=partial.lm_state,
        lm_scores=None if is_label else partial.lm_scores,
    )


def _hypothesis(partial: _Partial) -> Hypothesis:
    """A complete hypothesis with its best alignment."""
    path, trace = [], partial.trace
    while trace is not None:
        trace, label, score = trace
        path.append((label, score))
    token_frames: list[int] = []
    token_scores: list[float] = []
    nodes: list[int] = []
    for label, score in reversed(path):
        if label == BLANK:
            nodes.append(len(token_frames))
        else:
            token_frames.append(len(nodes))
            token_scores.append(score)
    return Hypothesis(
        tokens=partial.labels,
        token_frames=tuple(token_frames),
        nodes=tuple(nodes),
        score=partial.trace_score,
        token_scores=tuple(token_scores),
        total_score=partial.total,
    )


def _log_add(a: float, b: float) -> float:
    high, low = max(a, b), min(a, b)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))


def _log_sum(values: Iterable[float]) -> float:
    total = -math.inf
    for value in values:
        total = _log_add(total, value)
    return total
