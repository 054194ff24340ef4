"""Padding and the rest of a batch change nothing: random batches of every module and loss, garbage in the padding.

Pretrained encoders are tried in tests/encoders/test_ssl_models.py, ESPnet's in tests/plugin/test_encoders.py.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from espnet_ent.emotion.attention_pooling import POOLINGS as ATTENTION_POOLINGS
from espnet_ent.emotion.attention_pooling import AttentionPooling
from espnet_ent.emotion.channel_attention import ChannelAttention
from espnet_ent.emotion.coattention import CoattentionHead, CoattentionOptions, StreamSizes
from espnet_ent.emotion.cta_rnn import CTARNNHead, CTARNNOptions
from espnet_ent.emotion.intervals import LatticeIntervals
from espnet_ent.emotion.joint import EmotionJoint
from espnet_ent.emotion.layer_fusion import FUSIONS, LayerFusion
from espnet_ent.emotion.pooling import PoolingHead
from espnet_ent.emotion.utterance import UtteranceInputs
from espnet_ent.encoders.layer_mix import LayerMix
from espnet_ent.encoders.local_context import LAYERS, LocalContext, LocalContextOptions
from espnet_ent.encoders.top import BiLSTMTop, LinearTop, NoTop
from espnet_ent.losses.ctc import ctc_loss
from espnet_ent.losses.language_model import language_model_loss
from espnet_ent.losses.lattice_intervals import MIXING_NODES, lattice_interval_losses
from espnet_ent.losses.lattice_pooling import NEUTRAL_TERMS, POOLINGS, lattice_pooling_losses
from espnet_ent.losses.transducer import TransducerLossConfig, rnnt_loss, transducer_loss
from espnet_ent.transducer.factorized import FactorizedTransducer
from espnet_ent.transducer.masks import padding_mask
from espnet_ent.transducer.standard import Transducer
from espnet_ent.transducer.states import AcousticStates, EncoderStates, JointTerms
from tests.amounts import amount

SIZE, VOCAB = 8, 6
CASES = amount(200, 3)
Result = Callable[[], Tensor]


class Batch:
    """Random states, labels and lengths; what lies beyond the lengths is garbage.

    Attributes:
        states: (B, T, 8).
        lengths: (B,).
        labels: (B, U).
        label_lengths: (B,).
    """

    def __init__(self, seed: int, garbage: float, most_frames: int = 9) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        size, frames, columns = (int(self.integers(1, most)) for most in (5, most_frames, 6))
        self.lengths, self.label_lengths = self.integers(1, frames + 1, size), self.integers(0, columns, size)
        self.garbage = garbage
        self.states = self.spoilt(self.normal(size, frames + 2, SIZE), self.lengths)
        self.labels = self.integers(1, VOCAB, size, columns + 1)
        for row, length in enumerate(self.label_lengths):
            self.labels[row, length:] = (-1, 0, 99)[seed % 3]

    def integers(self, low: int, high: int, *shape: int) -> Tensor:
        return torch.randint(low, high, shape, generator=self.generator)

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.generator)

    def spoilt(self, values: Tensor, lengths: Tensor, dim: int = 1) -> Tensor:
        """With garbage beyond the lengths."""
        for row, length in enumerate(lengths.tolist()):
            values[row].narrow(dim - 1, length, values.size(dim) - length).fill_(self.garbage)
        return values

    def rows(self) -> list[tuple[slice, int, int]]:
        """Row, frames and labels of each utterance."""
        of_all = zip(self.lengths.tolist(), self.label_lengths.tolist(), strict=True)
        return [(slice(row, row + 1), frames, labels) for row, (frames, labels) in enumerate(of_all)]


def _check(found: Tensor, alone: list[Tensor]) -> None:
    for row, one in enumerate(alone):
        torch.testing.assert_close(found[row].narrow(0, 0, len(one[0])) if one.dim() > 1 else found[row], one[0])


def _frames(module: nn.Module, batch: Batch) -> None:
    """A module of states and lengths that gives frames."""
    found = module(batch.states, batch.lengths)
    _check(found, [module(batch.states[row, :frames], batch.lengths[row]) for row, frames, _ in batch.rows()])


def _attention_pooling(module: AttentionPooling, batch: Batch) -> None:
    found = module(batch.states, padding_mask(batch.lengths, batch.states))
    for row, frames, _ in batch.rows():
        own = batch.states[row, :frames]
        torch.testing.assert_close(found[row], module(own, padding_mask(batch.lengths[row], own)))


def _layer_fusion(module: LayerFusion, batch: Batch) -> None:
    layers = _layers(batch)
    found = module(layers, batch.lengths)
    for row, frames, _ in batch.rows():
        alone = module(layers[row, :, :frames], batch.lengths[row])
        torch.testing.assert_close(found[row, :frames], alone)


def _layers(batch: Batch) -> Tensor:
    return torch.stack([batch.states, 2 - batch.states, batch.states.square()], dim=1).clamp(-1e4, 1e4)


def _layer_mix(module: LayerMix, batch: Batch) -> None:
    layers = _layers(batch).unbind(1)
    found = module(layers)
    for row, frames, _ in batch.rows():
        torch.testing.assert_close(found[row, :frames], module([layer[row, :frames] for layer in layers]))


def _emotion_joint(module: EmotionJoint, batch: Batch) -> None:
    columns = batch.label_lengths + 1
    g = None if module.is_frame_wise else batch.spoilt(batch.normal(len(columns), int(columns.max()) + 1, 5), columns)
    found = module.terms(batch.states, g).logits()
    for row, frames, labels in batch.rows():
        alone = module.terms(batch.states[row, :frames], None if g is None else g[row, : labels + 1]).logits()
        torch.testing.assert_close(found[row, :frames, : alone.size(2)], alone)


def _cta_rnn(module: CTARNNHead, batch: Batch) -> None:
    layers = _layers(batch)
    found = module(layers, batch.lengths)
    for row, frames, _ in batch.rows():
        alone = module(layers[row, :, :frames], batch.lengths[row])
        torch.testing.assert_close(found[row], alone, rtol=1e-4, atol=1e-5)


def _coattention(module: CoattentionHead, batch: Batch) -> None:
    rows_of_sound = 4 * batch.lengths + 3
    sound = batch.spoilt(batch.normal(len(batch.lengths), int(rows_of_sound.max()) + 2, 3), rows_of_sound)
    columns = batch.label_lengths + 1
    g = batch.spoilt(batch.normal(len(columns), int(columns.max()) + 1, 5), columns)

    def classify(row: slice, frames: int | None = None, labels: int | None = None) -> Tensor:
        width = None if frames is None else 4 * frames + 3
        acoustic = AcousticStates(sound[row, :width], rows_of_sound[row], 4)
        h = batch.states[row, :frames]
        enc = EncoderStates(h, h, batch.lengths[row], acoustic=acoustic)
        text = g[row, : None if labels is None else labels + 1], batch.labels[row, :labels]
        return module.classify(UtteranceInputs(enc, h, *text, batch.label_lengths[row]))

    found = classify(slice(None))
    for row, frames, labels in batch.rows():
        torch.testing.assert_close(found[row], classify(row, frames, labels), rtol=1e-4, atol=1e-5)


def _pooling_head(module: PoolingHead, batch: Batch) -> None:
    columns = batch.label_lengths + 1
    g = batch.spoilt(batch.normal(len(columns), int(columns.max()) + 1, 5), columns)
    found = module(batch.states, batch.lengths, g, columns)
    for row, frames, labels in batch.rows():
        alone = module(batch.states[row, :frames], batch.lengths[row], g[row, : labels + 1], columns[row])
        torch.testing.assert_close(found[row], alone)


def _local_context(module: LocalContext, batch: Batch) -> None:
    frames = batch.lengths + 1
    feature_lengths = 4 * frames + 3
    width = int(feature_lengths.max()) + 2
    features = batch.spoilt(batch.normal(len(frames), width, SIZE), feature_lengths)
    h = torch.zeros(len(frames), int(frames.max()), SIZE)
    found = module(features, feature_lengths, h, frames)
    for row, num_frames in enumerate(frames.tolist()):
        one = slice(row, row + 1)
        own = features[one, : int(feature_lengths[row])]
        alone = module(own, feature_lengths[one], h[one, :num_frames], frames[one])
        torch.testing.assert_close(found[one, :num_frames], alone)


def _transducer(module: Transducer | FactorizedTransducer, batch: Batch) -> None:
    """The lattice, and both losses of it."""
    enc = EncoderStates(batch.states, batch.states.flip(2), batch.lengths)
    labels, lengths = batch.labels, batch.label_lengths
    terms = module.joint_terms(enc, module.predict(labels, lengths))
    costs = [
        transducer_loss(terms, labels, batch.lengths, lengths, reduction="none", config=TransducerLossConfig(backend))
        for backend in ("fused", "torchaudio")
    ]
    for row, frames, num_labels in batch.rows():
        own = EncoderStates(enc.h[row, :frames], enc.h_emo[row, :frames], batch.lengths[row])
        alone = module.joint_terms(own, module.predict(labels[row, :num_labels], lengths[row]))
        for whole, part in zip(terms, alone, strict=True):
            torch.testing.assert_close(whole.logits()[row, :frames, : num_labels + 1], part.logits())
        of_one = (labels[row, :num_labels], batch.lengths[row], lengths[row])
        for cost in costs:
            torch.testing.assert_close(cost[row], transducer_loss(alone, *of_one, reduction="none"))


CTA_RNN = {
    "CTA-RNN": {},
    "CTA-RNN, GRU and statistics": {"rnn": "gru", "pooling": "attention_statistics", "fusion": "concatenate"},
    "CTA-RNN without its parts": {"rnn": "none", "pooling": "mean", "fusion": "mix", "channel_reduction": 0},
}
COATTENTION = {
    "co-attention": {},
    "co-attention with prediction states": {"text": "prediction"},
    "co-attention of two streams": {"streams": ["acoustic", "hidden"], "fusion": "single"},
    "streams side by side": {"fusion": "concatenation", "pooling": "mean"},
}


def _make_cta_rnn(changes: dict) -> CTARNNHead:
    options = {"hidden_size": 5, "attention_size": 3, "channel_reduction": 2, **changes}
    return CTARNNHead(CTARNNOptions(**options), (3, SIZE), 4)


def _make_coattention(changes: dict) -> CoattentionHead:
    options = {"size": 8, "num_heads": 2, "feedforward_size": 6, **changes}
    return CoattentionHead(CoattentionOptions(**options), StreamSizes(SIZE, 3, 5, VOCAB, 1), 4)


MODULES: dict[str, tuple[Callable[[], nn.Module], Callable]] = {
    "BiLSTM": (lambda: BiLSTMTop(SIZE, 4, num_layers=2), _frames),
    "linear": (lambda: LinearTop(SIZE, 5), _frames),
    "no top": (lambda: NoTop(SIZE), _frames),
    "channel attention": (lambda: ChannelAttention(SIZE), _frames),
    **{
        f"{form} pooling": (lambda form=form: AttentionPooling(SIZE, 5, form), _attention_pooling)
        for form in ATTENTION_POOLINGS
    },
    **{f"fusion by {form}": (lambda form=form: LayerFusion(3, SIZE, fusion=form), _layer_fusion) for form in FUSIONS},
    "layer mix": (lambda: LayerMix(3), _layer_mix),
    "emotion joint": (lambda: EmotionJoint(SIZE, 5, 6, 4), _emotion_joint),
    "frame-wise emotion joint": (lambda: EmotionJoint(SIZE, 0, 6, 4), _emotion_joint),
    **{name: (lambda conf=conf: _make_cta_rnn(conf), _cta_rnn) for name, conf in CTA_RNN.items()},
    **{name: (lambda conf=conf: _make_coattention(conf), _coattention) for name, conf in COATTENTION.items()},
    "pooling head": (lambda: PoolingHead(SIZE, 5, 4), _pooling_head),
    "pooling head with statistics": (lambda: PoolingHead(SIZE, 5, 4, statistics=True), _pooling_head),
    **{
        f"local context of {form}": (
            lambda form=form: LocalContext(
                SIZE, SIZE, 4, LocalContextOptions(form, num_layers=2, width=3, num_heads=2)
            ),
            _local_context,
        )
        for form in LAYERS
    },
    "transducer": (lambda: Transducer(VOCAB, SIZE, 4, 5, 6, 7), _transducer),
    "factorized transducer": (lambda: FactorizedTransducer(VOCAB, SIZE, 4, 5, 6, 7), _transducer),
}


@pytest.mark.property
@pytest.mark.parametrize("name", MODULES)
@torch.no_grad()
def test_an_utterance_gets_what_it_gets_alone(name: str, figures) -> None:
    make, check = MODULES[name]
    for seed in range(CASES):
        torch.manual_seed(seed)
        check(make().eval(), Batch(seed, garbage=(0.0, 100.0, -50.0)[seed % 3]))
    promise = "padding and the rest of a batch change nothing"
    figures("Numerics", promise, modules_and_losses=1, random_batches=CASES)


def _rnnt(batch: Batch) -> tuple[Tensor, list[Tensor]]:
    logits = batch.normal(len(batch.lengths), batch.states.size(1), batch.labels.size(1) + 1, VOCAB)
    batch.spoilt(logits, batch.lengths)
    batch.spoilt(logits, batch.label_lengths + 1, dim=2)
    found = rnnt_loss(logits, batch.labels, batch.lengths, batch.label_lengths, reduction="none")
    return found, [
        rnnt_loss(
            logits[row, :frames, : labels + 1], batch.labels[row, :labels], batch.lengths[row], batch.label_lengths[row]
        )
        for row, frames, labels in batch.rows()
    ]


def _ctc(batch: Batch) -> tuple[Tensor, list[Tensor]]:
    lengths = batch.lengths + 2 * batch.labels.size(1)  # enough frames for all labels and repeats
    logits = batch.spoilt(batch.normal(len(lengths), int(lengths.max()) + 1, VOCAB), lengths)
    found = ctc_loss(logits, batch.labels, lengths, batch.label_lengths)
    alone = [
        ctc_loss(logits[row, : int(lengths[row])], batch.labels[row, :labels], lengths[row], batch.label_lengths[row])
        for row, _, labels in batch.rows()
    ]
    return found.unsqueeze(0), [torch.stack(alone).mean()]


def _language_model(batch: Batch) -> tuple[Tensor, list[Tensor]]:
    logits = batch.normal(len(batch.lengths), batch.labels.size(1) + 1, VOCAB - 1)
    batch.spoilt(logits, batch.label_lengths)
    found = language_model_loss(logits, batch.labels, batch.label_lengths)
    alone = [
        language_model_loss(logits[row, : labels + 1], batch.labels[row, :labels], batch.label_lengths[row])
        for row, _, labels in batch.rows()
    ]
    return found.unsqueeze(0), [torch.stack(alone).mean()]


def _pooling(batch: Batch, pooling: str, neutral_term: str) -> tuple[Tensor, list[Tensor]]:
    columns = batch.label_lengths + 1
    prediction = batch.spoilt(batch.normal(len(columns), int(columns.max()) + 1, SIZE), columns)
    weight, bias = batch.normal(4, SIZE), batch.normal(4)
    emotions = batch.integers(0, 4, len(columns))
    occupancy = torch.rand(len(columns), batch.states.size(1), prediction.size(1), generator=batch.generator) + 0.1

    def losses(rows: slice, frames: int | None, labels: int | None) -> Tensor:
        terms = JointTerms(batch.states[rows, :frames], prediction[rows, :labels], weight, bias)
        options = {"pooling": pooling, "neutral_term": neutral_term, "occupancy": occupancy[rows, :frames, :labels]}
        lengths = (batch.lengths[rows], batch.label_lengths[rows])
        return lattice_pooling_losses(terms, emotions[rows], *lengths, 3, **options)

    alone = [losses(row, frames, labels + 1)[0] for row, frames, labels in batch.rows()]
    return losses(slice(None), None, None), alone


def _intervals(batch: Batch, mixing_nodes: str) -> tuple[Tensor, list[Tensor]]:
    """Two intervals, the second of which begins anywhere."""
    columns = batch.label_lengths + 1
    prediction = batch.spoilt(batch.normal(len(columns), int(columns.max()), SIZE), columns)
    weight, bias = batch.normal(4, SIZE), batch.normal(4)
    states = batch.states[:, : int(batch.lengths.max())]
    emotions = batch.integers(0, 4, len(columns), 2)

    def of(lengths: Tensor) -> Tensor:
        found = batch.integers(0, 2, len(lengths), int(lengths.max())).sort(dim=1).values
        return found.masked_fill(torch.arange(int(lengths.max())) >= lengths.unsqueeze(1), -1)

    of_frame, of_column = of(batch.lengths), of(columns)

    def losses(row: slice, frames: int | None = None, width: int | None = None) -> Tensor:
        terms = JointTerms(states[row, :frames], prediction[row, :width], weight, bias)
        intervals = LatticeIntervals(of_frame[row, :frames], of_column[row, :width], emotions[row])
        return lattice_interval_losses(terms, intervals, batch.lengths[row], batch.label_lengths[row], mixing_nodes)

    return losses(slice(None)), [losses(row, frames, labels + 1)[0] for row, frames, labels in batch.rows()]


LOSSES: dict[str, Callable[[Batch], tuple[Tensor, list[Tensor]]]] = {
    "transducer": _rnnt,
    "ctc": _ctc,
    "language model": _language_model,
    **{
        f"lattice pooling {pooling} {term}": lambda batch, pooling=pooling, term=term: _pooling(batch, pooling, term)
        for pooling in POOLINGS
        for term in NEUTRAL_TERMS
    },
    **{f"intervals, {nodes} nodes": lambda batch, nodes=nodes: _intervals(batch, nodes) for nodes in MIXING_NODES},
}


@pytest.mark.property
@pytest.mark.parametrize("name", LOSSES)
@torch.no_grad()
def test_losses_of_a_batch_are_those_of_its_utterances(name: str, figures) -> None:
    for seed in range(CASES):
        found, alone = LOSSES[name](Batch(seed, garbage=(0.0, 100.0, -50.0)[seed % 3]))
        torch.testing.assert_close(found, torch.stack(alone), rtol=1e-5, atol=1e-5)
    promise = "padding and the rest of a batch change nothing"
    figures("Numerics", promise, modules_and_losses=1, random_batches=CASES)
