"""Laws of both transducer forms, and what tells them apart."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from espnet_ent.emotion.joint import EmotionJoint
from espnet_ent.errors import ConfigError
from espnet_ent.losses.language_model import language_model_loss
from espnet_ent.losses.lattice_pooling import lattice_pooling_loss
from espnet_ent.losses.transducer import transducer_loss
from espnet_ent.transducer.factorized import FactorizedTransducer
from espnet_ent.transducer.standard import Transducer
from espnet_ent.transducer.states import EncoderStates
from tests.losses.oracles import transducer_by_enumeration

VOCAB_SIZE = 5
LABELS = torch.tensor([[3, 1, 4], [2, -1, -1], [-1, -1, -1]])
LABEL_LENGTHS = torch.tensor([3, 1, 0])
ENC_LENGTHS = torch.tensor([2, 4, 3])
FORMS = [Transducer, FactorizedTransducer]


def _build(form: type, **options: object) -> Transducer | FactorizedTransducer:
    torch.manual_seed(0)
    sizes = {"embedding_size": 4, "hidden_size": 5, "prediction_size": 6, "joint_size": 7}
    return form(VOCAB_SIZE, 3, **sizes, **options)


def _encoder(dtype: torch.dtype = torch.float32) -> EncoderStates:
    generator = torch.Generator().manual_seed(1)
    h, h_emo = (torch.randn(3, 4, 3, generator=generator, dtype=dtype).requires_grad_() for _ in range(2))
    return EncoderStates(h, h_emo, ENC_LENGTHS)


def _logits(transducer: nn.Module, enc: EncoderStates, labels: Tensor, lengths: Tensor) -> Tensor:
    terms = transducer.joint_terms(enc, transducer.predict(labels, lengths))
    return torch.cat([term.logits() for term in terms], dim=-1)


def _has_gradient(module: nn.Module) -> bool:
    return any(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())


@pytest.mark.parametrize("form", FORMS)
def test_lattice_has_all_nodes_and_labels(form):
    transducer = _build(form)
    states = transducer.predict(LABELS, LABEL_LENGTHS)
    assert states.lengths.tolist() == [4, 2, 1]
    assert states.g.shape == states.g_blank.shape == (3, 4, 6)
    assert _logits(transducer, _encoder(), LABELS, LABEL_LENGTHS).shape == (3, 4, 4, VOCAB_SIZE)
    h, g = transducer.emotion_inputs(_encoder(), states)
    assert g.size(-1) == transducer.emotion_prediction_size
    assert h.shape == (3, 4, 3)


@pytest.mark.parametrize("form", FORMS)
def test_steps_of_a_search_equal_the_lattice(form):
    transducer = _build(form).double()
    enc = _encoder(torch.float64)
    labels = torch.tensor([[3, 1, 4], [2, 2, 1], [1, 4, 4]])
    dense = _logits(transducer, enc, labels, torch.tensor([3, 3, 3]))
    state = transducer.initial_state(3)
    encoder = transducer.project_encoder(enc)
    for u, previous in enumerate([torch.zeros(3, dtype=torch.int64), *labels.unbind(1)]):
        states, state = transducer.step(previous, state)
        prediction = transducer.project_step(states)
        for t in range(4):
            node = transducer.logits(enc.h[:, t], enc.h_emo[:, t], states)
            torch.testing.assert_close(node, dense[:, t, u])
            projected = transducer.combine(tuple(head[:, t] for head in encoder), prediction)
            torch.testing.assert_close(projected, node)


@pytest.mark.parametrize("form", FORMS)
def test_padding_changes_neither_values_nor_gradients(form):
    transducer = _build(form)
    enc = _encoder()
    costs = transducer_loss(
        transducer.joint_terms(enc, transducer.predict(LABELS, LABEL_LENGTHS)),
        LABELS,
        ENC_LENGTHS,
        LABEL_LENGTHS,
        reduction="none",
    )
    gradients = torch.autograd.grad(costs.sum(), (enc.h, enc.h_emo), allow_unused=True, retain_graph=True)
    for b, (t, u) in enumerate(zip(ENC_LENGTHS.tolist(), LABEL_LENGTHS.tolist(), strict=True)):
        one = slice(b, b + 1)
        alone = EncoderStates(enc.h[one, :t], enc.h_emo[one, :t], ENC_LENGTHS[one])
        logits = _logits(transducer, alone, LABELS[one, :u], LABEL_LENGTHS[one])
        expected = transducer_by_enumeration(logits[0], LABELS[b, :u].tolist())
        torch.testing.assert_close(costs[b].double(), expected, rtol=1e-5, atol=1e-5)
        expected_gradients = torch.autograd.grad(expected, (enc.h, enc.h_emo), allow_unused=True)
        for gradient, reference in zip(gradients, expected_gradients, strict=True):
            assert (gradient is None) == (reference is None)
            if gradient is not None:
                assert gradient[b, t:].abs().sum() == 0
                torch.testing.assert_close(gradient[b], reference[b], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_labels_beyond_the_length_are_ignored(form):
    transducer = _build(form)
    garbage = torch.tensor([[3, 1, 4], [2, 99, -7], [0, 4, 1]])
    clean, dirty = transducer.predict(LABELS, LABEL_LENGTHS), transducer.predict(garbage, LABEL_LENGTHS)
    assert torch.equal(clean.g, dirty.g)
    assert torch.equal(clean.g_blank, dirty.g_blank)


@pytest.mark.parametrize("form", FORMS)
def test_transducer_loss_reaches_every_parameter(form):
    transducer = _build(form)
    terms = transducer.joint_terms(_encoder(), transducer.predict(LABELS, LABEL_LENGTHS))
    transducer_loss(terms, LABELS, ENC_LENGTHS, LABEL_LENGTHS).backward()
    for name, parameter in transducer.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("form", FORMS)
def test_loss_under_autocast_is_near_the_full_precision_one(form):
    transducer = _build(form)

    def loss() -> Tensor:
        terms = transducer.joint_terms(_encoder(), transducer.predict(LABELS, LABEL_LENGTHS))
        return transducer_loss(terms, LABELS, ENC_LENGTHS, LABEL_LENGTHS)

    expected = loss()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss()
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, expected, rtol=0.02, atol=0)


def _emotion_loss(transducer: nn.Module, enc: EncoderStates) -> Tensor:
    emotion_joint = EmotionJoint(3, transducer.emotion_prediction_size, 7, 4)
    h, g = transducer.emotion_inputs(enc, transducer.predict(LABELS, LABEL_LENGTHS))
    return lattice_pooling_loss(emotion_joint.terms(h, g), torch.tensor([0, 1, 3]), ENC_LENGTHS, LABEL_LENGTHS, 3)


def test_standard_shares_its_states_with_emotion():
    transducer, enc = _build(Transducer), _encoder()
    _emotion_loss(transducer, enc).backward()
    assert _has_gradient(transducer.prediction)
    assert enc.h.grad.abs().sum() > 0
    assert enc.h_emo.grad is None


def test_factorized_keeps_emotion_apart_from_the_vocabulary():
    transducer, enc = _build(FactorizedTransducer), _encoder()
    _emotion_loss(transducer, enc).backward()
    assert _has_gradient(transducer.blank_prediction)
    assert not _has_gradient(transducer.vocabulary_prediction)
    assert enc.h_emo.grad.abs().sum() > 0
    assert enc.h.grad is None


def test_factorized_blank_reads_the_emotion_states_and_labels_the_others():
    transducer, enc = _build(FactorizedTransducer), _encoder()
    logits = _logits(transducer, enc, LABELS, LABEL_LENGTHS)
    blank = torch.autograd.grad(logits[..., 0].sum(), (enc.h, enc.h_emo), allow_unused=True, retain_graph=True)
    vocabulary = torch.autograd.grad(logits[..., 1:].sum(), (enc.h, enc.h_emo), allow_unused=True)
    # The heads are concatenated before the softmax, so the other's share is an exact zero.
    assert blank[0].abs().sum() == 0
    assert blank[1].abs().sum() > 0
    assert vocabulary[0].abs().sum() > 0
    assert vocabulary[1].abs().sum() == 0


def test_language_model_output_is_built_on_demand_and_trains_the_vocabulary_predictor_alone():
    transducer = _build(FactorizedTransducer)
    assert not any("lm_output" in name for name in transducer.state_dict())
    with pytest.raises(ConfigError, match=r"no language-model output.*next: set language_model: true"):
        transducer.lm_logits(transducer.predict(LABELS, LABEL_LENGTHS))
    transducer = _build(FactorizedTransducer, language_model=True)
    logits = transducer.lm_logits(transducer.predict(LABELS, LABEL_LENGTHS))
    assert logits.shape == (3, 4, VOCAB_SIZE - 1)
    language_model_loss(logits, LABELS, LABEL_LENGTHS).backward()
    assert _has_gradient(transducer.vocabulary_prediction)
    assert not _has_gradient(transducer.blank_prediction)
