"""Greedy search over the alignment lattice, with several labels a frame."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from espnet_ent.errors import ConfigError
from espnet_ent.search.hypothesis import Hypothesis
from espnet_ent.transducer.masks import BLANK
from espnet_ent.transducer.states import EncoderStates, StepStates


class SearchableTransducer(Protocol):
    """What a search needs of a transducer (standard or factorized)."""

    def initial_state(self, batch_size: int) -> tuple[Tensor, ...]: ...

    def step(self, labels: Tensor, state: tuple[Tensor, ...]) -> tuple[StepStates, tuple[Tensor, ...]]: ...

    def project_encoder(self, enc: EncoderStates) -> tuple[Tensor, ...]: ...

    def project_step(self, states: StepStates) -> tuple[Tensor, ...]: ...

    def combine(self, encoder: tuple[Tensor, ...], prediction: tuple[Tensor, ...]) -> Tensor: ...


@torch.no_grad()
def greedy_search(
    transducer: SearchableTransducer, enc: EncoderStates, max_symbols_per_frame: int = 32
) -> list[Hypothesis]:
    """The most probable label or blank at each node, from node (0, 0) on.

    A frame that has emitted ``max_symbols_per_frame`` labels is left by force; its node is then the state
    after its last label, and the blank counts into the score as everywhere.

    Args:
        transducer: A transducer in eval mode.
        enc: Encoder states (B, T, D) with lengths (B,).
        max_symbols_per_frame: Most labels of one frame, at least 1.

    Returns:
        B hypotheses; the frames of each are the encoder's valid frames.

    Raises:
        ConfigError: If ``max_symbols_per_frame`` is less than 1.
    """
    if max_symbols_per_frame < 1:
        raise ConfigError("max_symbols_per_frame out of range", expected=">= 1", got=max_symbols_per_frame)
    projected = transducer.project_encoder(enc)
    return [
        _search_one(transducer, tuple(head[b, :num_frames] for head in projected), max_symbols_per_frame)
        for b, num_frames in enumerate(enc.lengths.tolist())
    ]


def _search_one(
    transducer: SearchableTransducer, encoder: tuple[Tensor, ...], max_symbols_per_frame: int
) -> Hypothesis:
    """Greedy search of one utterance, given its projected frames (T, J) for each joint network."""

    def predict(label: int, state: tuple[Tensor, ...]) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        states, state = transducer.step(torch.tensor([label], device=encoder[0].device), state)
        return transducer.project_step(states), state

    tokens: list[int] = []
    token_frames: list[int] = []
    nodes: list[int] = []
    score = 0.0
    prediction, state = predict(BLANK, transducer.initial_state(1))
    for t in range(encoder[0].size(0)):
        frame = tuple(head[t] for head in encoder)
        symbols = 0
        while True:
            log_probs = torch.log_softmax(transducer.combine(frame, prediction)[0], dim=-1)
            token = BLANK if symbols == max_symbols_per_frame else int(log_probs.argmax())
            score += float(log_probs[token])
            if token == BLANK:
                break
            tokens.append(token)
            token_frames.append(t)
            symbols += 1
            prediction, state = predict(token, state)
        nodes.append(len(tokens))
    return Hypothesis(tuple(tokens), tuple(token_frames), tuple(nodes), score)
