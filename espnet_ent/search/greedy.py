"""Greedy search over the alignment lattice, label by label, all utterances of a batch at once.

The outer loop goes over labels, not over frames: as long as blank is the best output, the prediction network's state
stays as it is, so that many frames of all utterances can be looked at together. That network runs once a label.

Source: Bataev et al., "Label-looping: highly efficient decoding for transducers", 2024.
Dimensions: B batch, T frames, K frames looked at together, V vocabulary with blank = 0, D encoder size, J joint size.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn

from espnet_ent.errors import ConfigError
from espnet_ent.search.hypothesis import Hypothesis
from espnet_ent.search.steps import SearchSteps
from espnet_ent.transducer.masks import BLANK
from espnet_ent.transducer.prediction import PredictionNetwork, PredictionStart
from espnet_ent.transducer.states import EncoderStates

_FRAMES_AT_ONCE = 8
_MOST_FRAMES_AT_ONCE = 64


class SearchableTransducer(Protocol):
    """What a search needs of a transducer (standard or factorized)."""

    def predictors(self) -> tuple[tuple[PredictionNetwork, nn.Linear], ...]: ...

    def project_encoder(self, enc: EncoderStates) -> tuple[Tensor, ...]: ...

    def combine(self, encoder: tuple[Tensor, ...], prediction: tuple[Tensor, ...]) -> Tensor: ...


@torch.no_grad()
def greedy_search(
    transducer: SearchableTransducer,
    enc: EncoderStates,
    max_symbols_per_frame: int = 32,
    steps: SearchSteps | None = None,
    start: PredictionStart | None = None,
) -> list[Hypothesis]:
    """The most probable label or blank at each node, from node (0, 0) on; of equal ones the first.

    A frame that has emitted ``max_symbols_per_frame`` labels is left by force; its node is then the state
    after its last label, and the blank counts into the score as everywhere.

    Args:
        transducer: A transducer in eval mode.
        enc: Encoder states (B, T, D) with lengths (B,).
        max_symbols_per_frame: Most labels of one frame, at least 1.
        steps: Those of this transducer, if there are some from an earlier search.
        start: Where the prediction networks go on; None: at the beginning.

    Returns:
        B hypotheses; the frames of each are the encoder's valid frames.

    Raises:
        ConfigError: If ``max_symbols_per_frame`` is less than 1.
    """
    if max_symbols_per_frame < 1:
        raise ConfigError("max_symbols_per_frame out of range", expected=">= 1", got=max_symbols_per_frame)
    paths = [_Path(b, num_frames, max_symbols_per_frame) for b, num_frames in enumerate(enc.lengths.tolist())]
    steps = steps or SearchSteps(transducer)
    states = _Predictions(steps, start or steps.start(len(paths)), enc.h.device)
    projected = transducer.project_encoder(enc)
    width = enc.h.size(1)
    rows = [head.flatten(0, 1) for head in projected]
    num_frames = _FRAMES_AT_ONCE
    while active := [path for path in paths if path.is_active]:
        index = torch.tensor(
            [path.utterance * width + min(path.frame + k, width - 1) for path in active for k in range(num_frames)],
            device=enc.h.device,
        )
        frames = tuple(head.index_select(0, index).view(len(active), num_frames, -1) for head in rows)
        logits = transducer.combine(frames, states.of([path.utterance for path in active]))
        emitting = _advance(active, torch.log_softmax(logits, dim=-1))
        if emitting:
            states.step([path.utterance for path in emitting], [path.tokens[-1] for path in emitting])
            num_frames = _FRAMES_AT_ONCE
        else:
            num_frames = min(2 * num_frames, _MOST_FRAMES_AT_ONCE)
    return [path.hypothesis(columns) for path, columns in zip(paths, states.columns(), strict=True)]


@dataclass
class _Path:
    """The search of one utterance: where it is, and what it has emitted."""

    utterance: int
    num_frames: int
    max_symbols: int
    frame: int = 0
    symbols: int = 0  # emitted at this frame
    tokens: list[int] = field(default_factory=list)
    token_frames: list[int] = field(default_factory=list)
    token_scores: list[float] = field(default_factory=list)
    nodes: list[int] = field(default_factory=list)
    blank_score: float = 0.0

    @property
    def is_active(self) -> bool:
        return self.frame < self.num_frames

    @property
    def is_forced(self) -> bool:
        """Whether blank has to follow."""
        return self.symbols == self.max_symbols

    def take(self, token: int, score: float) -> None:
        if token == BLANK:
            self.nodes.append(len(self.tokens))
            self.blank_score += score
            self.frame += 1
            self.symbols = 0
        else:
            self.tokens.append(token)
            self.token_frames.append(self.frame)
            self.token_scores.append(score)
            self.symbols += 1

    def hypothesis(self, states: Tensor) -> Hypothesis:
        return Hypothesis(
            tokens=tuple(self.tokens),
            token_frames=tuple(self.token_frames),
            nodes=tuple(self.nodes),
            score=self.blank_score + sum(self.token_scores),
            token_scores=tuple(self.token_scores),
            states=states,
        )


class _Predictions:
    """Projected prediction states of all utterances, one step for some of them at a time."""

    def __init__(self, steps: SearchSteps, start: PredictionStart, device: torch.device) -> None:
        self.steps = steps
        self.device = device
        self.projected, self.recurrent, first = steps(start.labels, start.state)
        self._outputs, self._utterances = [first], list(range(len(first)))

    def of(self, utterances: list[int]) -> tuple[Tensor, ...]:
        """Projected states (len(utterances), 1, J) for each joint network."""
        if len(utterances) == len(self.projected[0]):
            return tuple(values.unsqueeze(1) for values in self.projected)
        index = torch.tensor(utterances, device=self.device)
        return tuple(values.index_select(0, index).unsqueeze(1) for values in self.projected)

    def step(self, utterances: list[int], labels: list[int]) -> None:
        """Go on with one label each."""
        inputs = torch.tensor(labels, device=self.device)
        self._utterances += utterances
        if len(utterances) == len(self.projected[0]):
            self.projected, self.recurrent, outputs = self.steps(inputs, self.recurrent)
            self._outputs.append(outputs)
            return
        index = torch.tensor(utterances, device=self.device)
        projected, after, outputs = self.steps(
            inputs, tuple(values.index_select(1, index) for values in self.recurrent)
        )
        self._outputs.append(outputs)
        for values, new in zip(self.recurrent, after, strict=True):
            values.index_copy_(1, index, new)
        for values, new in zip(self.projected, projected, strict=True):
            values.index_copy_(0, index, new)

    def columns(self) -> list[Tensor]:
        """All states (U + 1, P) of each utterance that the emotion branches see."""
        rows: list[list[int]] = [[] for _ in range(len(self._outputs[0]))]
        for row, utterance in enumerate(self._utterances):
            rows[utterance].append(row)
        outputs = torch.cat(self._outputs)
        return [outputs.index_select(0, torch.tensor(of_one, device=self.device)) for of_one in rows]


def _advance(active: list[_Path], log_probs: Tensor) -> list[_Path]:
    """Move all paths past their next blanks, and past one label if there is one; returns those that emitted one.

    Args:
        active: Paths.
        log_probs: (len(active), K, V), of each path's next K frames at its state.
    """
    best, tokens = log_probs.max(dim=-1)
    scores_of_all, tokens_of_all = best.tolist(), tokens.tolist()
    blanks = log_probs[:, 0, BLANK].tolist() if any(path.is_forced for path in active) else None
    emitting = []
    for number, path in enumerate(active):
        for token, score in zip(tokens_of_all[number], scores_of_all[number], strict=True):
            if path.is_forced:
                path.take(BLANK, blanks[number])
            else:
                path.take(token, score)
                if token != BLANK:
                    emitting.append(path)
                    break
            if not path.is_active:
                break
    return emitting
