"""Greedy search with the emotion of every frame: batched by labels, against a plain loop over frames.

The plain loop does what public code does: one utterance at a time, one node after the other, all layers of the joint
networks at each node. Weights are random; the bias of blank is set so that about 15 % of the steps emit a label.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from espnet_ent.emotion.joint import EmotionJoint
from espnet_ent.report.document import Table
from espnet_ent.search.greedy import greedy_search
from espnet_ent.search.steps import SearchSteps
from espnet_ent.transducer.factorized import FactorizedTransducer
from espnet_ent.transducer.prediction import PredictionNetwork
from espnet_ent.transducer.standard import Transducer
from espnet_ent.transducer.states import EncoderStates, PredictionStates, StepStates

_NUM_FRAMES, _VOCAB_SIZE, _SIZE, _NUM_EMOTIONS = 374, 31, 768, 4
_LABEL_SHARE = 0.15
_MOST_SYMBOLS = 32


@dataclass(frozen=True, eq=False)
class SearchCase:
    """A model with random weights, and encoder states."""

    name: str
    transducer: Transducer | FactorizedTransducer
    emotion_joint: EmotionJoint
    enc: EncoderStates
    steps: SearchSteps


@torch.no_grad()
def make_case(name: str, batch_size: int) -> SearchCase:
    """ENT or FENT with 374 frames an utterance at most."""
    torch.manual_seed(0)
    form = Transducer if name == "ENT" else FactorizedTransducer
    transducer = form(_VOCAB_SIZE, _SIZE).eval()
    for name_of, parameter in transducer.named_parameters():
        if name_of.endswith("joint.output.weight"):
            parameter.normal_(std=0.3)
        elif name_of.endswith("joint.output.bias"):
            parameter.zero_()  # or one label would be emitted all the time
    joint = EmotionJoint(_SIZE, transducer.emotion_prediction_size, _SIZE, _NUM_EMOTIONS).eval()
    lengths = torch.linspace(_NUM_FRAMES, 0.6 * _NUM_FRAMES, batch_size).round().long()
    h, h_emo = (torch.randn(batch_size, _NUM_FRAMES, _SIZE) for _ in range(2))
    enc = EncoderStates(h, h_emo if name == "FENT" else h, lengths)
    case = SearchCase(name, transducer, joint, enc, SearchSteps(transducer))
    set_label_share(case)
    return case


def set_label_share(case: SearchCase) -> None:
    """Bisection over the bias of blank, on the first utterance."""
    is_standard = isinstance(case.transducer, Transducer)
    bias = (case.transducer.joint if is_standard else case.transducer.blank_joint).output.bias
    num_frames = int(case.enc.lengths[0])
    first = EncoderStates(case.enc.h[:1, :num_frames], case.enc.h_emo[:1, :num_frames], case.enc.lengths[:1])
    low, high = -5.0, 40.0
    for _ in range(12):
        bias[0] = (low + high) / 2
        num_labels = len(greedy_search(case.transducer, first, _MOST_SYMBOLS)[0].tokens)
        too_many = num_labels > _LABEL_SHARE * (num_labels + num_frames)
        low, high = ((low + high) / 2, high) if too_many else (low, (low + high) / 2)


@torch.no_grad()
def plain_search(case: SearchCase) -> list[tuple[list[int], list[list[float]]]]:
    """Labels and the emotion log probabilities of all frames, of each utterance, frame by frame."""
    found = []
    for b, num_frames in enumerate(case.enc.lengths.tolist()):
        tokens: list[int] = []
        emotions: list[list[float]] = []
        states, recurrent = _plain_step(case.transducer, 0, case.transducer.initial_state(1))
        for t in range(num_frames):
            h_t, h_emo_t = case.enc.h[b : b + 1, t], case.enc.h_emo[b : b + 1, t]
            for symbols in range(_MOST_SYMBOLS + 1):
                token = int(case.transducer.logits(h_t, h_emo_t, states).log_softmax(-1).argmax())
                if token == 0 or symbols == _MOST_SYMBOLS:
                    break
                tokens.append(token)
                states, recurrent = _plain_step(case.transducer, token, recurrent)
            is_standard = isinstance(case.transducer, Transducer)
            h, g = (h_t, states.g) if is_standard else (h_emo_t, states.g_blank)
            emotions.append(_plain_emotions(case.emotion_joint, h, g))
        found.append((tokens, emotions))
    return found


def _plain_emotions(joint: EmotionJoint, h: Tensor, g: Tensor) -> list[float]:
    """Log probabilities of one node, by torch's linear layers."""
    hidden = (joint.encoder_projection(h) + joint.prediction_projection(g)).tanh()
    return joint.output(hidden).log_softmax(-1)[0].tolist()


def _plain_step(
    transducer: Transducer | FactorizedTransducer, token: int, state: tuple[Tensor, ...]
) -> tuple[StepStates, tuple[Tensor, ...]]:
    """One step of the prediction networks by torch's recurrent layers."""
    if isinstance(transducer, Transducer):
        g, state = _plain_prediction(transducer.prediction, token, state)
        return StepStates(g, g), state
    half = len(state) // 2
    g_blank, blank_state = _plain_prediction(transducer.blank_prediction, token, state[:half])
    g, vocabulary_state = _plain_prediction(transducer.vocabulary_prediction, token, state[half:])
    return StepStates(g, g_blank), blank_state + vocabulary_state


def _plain_prediction(
    network: PredictionNetwork, token: int, state: tuple[Tensor, ...]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    hidden, state = network.recurrent(network.embedding(torch.tensor([[token]])), state)
    return network.output(hidden.squeeze(1)), state


@torch.no_grad()
def fast_search(case: SearchCase) -> list[tuple[list[int], Tensor]]:
    """The same by label looping, and the emotions of all frames at once."""
    hypotheses = greedy_search(case.transducer, case.enc, _MOST_SYMBOLS, case.steps)
    g = nn.utils.rnn.pad_sequence([hypothesis.states for hypothesis in hypotheses], True)
    lengths = torch.tensor([len(hypothesis.tokens) + 1 for hypothesis in hypotheses])
    h, g = case.transducer.emotion_inputs(case.enc, PredictionStates(g, g, lengths))
    nodes = nn.utils.rnn.pad_sequence([torch.tensor(hypothesis.nodes) for hypothesis in hypotheses], True)
    terms = case.emotion_joint.terms(h[:, : nodes.size(1)], g)
    frames = torch.arange(nodes.size(1)).expand_as(nodes)
    utterances = torch.arange(len(nodes)).unsqueeze(1).expand_as(nodes)
    emotions = terms.node_logits(utterances, frames, nodes).log_softmax(-1)
    return [(list(h.tokens), emotions[b, : len(h.nodes)]) for b, h in enumerate(hypotheses)]


def decode_table(num_runs: int) -> Table:
    """Medians, ratios of paired runs, and in how many utterances the labels differ."""
    rows = []
    for name in ("ENT", "FENT"):
        for batch_size in (1, 16):
            case = make_case(name, batch_size)
            seconds: dict[str, list[float]] = {"plain": [], "fast": []}
            for run in range(num_runs + 1):
                results = []
                for key, search in (("plain", plain_search), ("fast", fast_search)):
                    start = time.perf_counter()
                    results.append(search(case))
                    if run:
                        seconds[key].append(time.perf_counter() - start)
            differing = sum(a[0] != b[0] for a, b in zip(*results, strict=True))
            num_labels = sum(len(tokens) for tokens, _ in results[0])
            steps = num_labels + int(case.enc.lengths.sum())
            ratio = statistics.median(a / b for a, b in zip(seconds["plain"], seconds["fast"], strict=True))
            times = (f"{1000 * statistics.median(seconds[key]):.0f}" for key in ("plain", "fast"))
            share = f"{100 * num_labels / steps:.0f} %"
            rows.append((name, str(batch_size), share, *times, f"{ratio:.1f}x", f"{differing} of {batch_size}"))
    header = ("system", "batch", "label steps", "plain ms", "fast ms", "ratio", "other labels")
    return Table(header, tuple(rows))
