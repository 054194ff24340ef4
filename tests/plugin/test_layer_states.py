"""Layers for analyses against what the encoders themselves give."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from espnet_ent.plugin.builder import build_model
from espnet_ent.plugin.layer_states import EncoderLayers, LearnedWeights
from tests.encoders.tiny_ssl import save_tiny
from tests.plugin.asr_models import make_recogniser
from tests.plugin.tiny import tiny_config

SAMPLES = (0.1 * np.random.default_rng(0).standard_normal(12000)).astype(np.float32)


def build(**changes):
    torch.manual_seed(0)
    model = build_model(tiny_config(**changes)).eval()
    return model, EncoderLayers(model.encoder)


def encoded(model):
    with torch.no_grad():
        return model.encoder(torch.from_numpy(SAMPLES)[None], torch.tensor([len(SAMPLES)]))


@pytest.mark.parametrize("normalize", ["utterance_mvn", None])
def test_layers_of_a_feature_encoder_end_in_its_output(normalize):
    model, layers = build(normalize=normalize)
    states, expected = layers(SAMPLES), encoded(model)
    assert layers.numbers == (1, 2)
    assert states.shape == (2, int(expected.lengths[0]), 16)
    np.testing.assert_allclose(states[-1], expected.h[0].numpy(), atol=1e-6)
    assert np.abs(states[0] - states[1]).max() > 1e-3
    assert LearnedWeights(model, layers).told() == {}


def test_a_mix_of_a_feature_encoder_is_numbered_as_its_blocks():
    model, layers = build(model_conf={"emotion_layer_mix": True}, transducer="factorized_transducer")
    with torch.no_grad():
        model.encoder.emotion_mix.weights.copy_(torch.tensor([0.0, np.log(3.0)]))
    assert LearnedWeights(model, layers).told() == {"encoder.emotion_mix": pytest.approx({1: 0.25, 2: 0.75})}


@pytest.mark.parametrize("freeze", [True, False])
def test_all_layers_of_a_recogniser_are_there_whichever_are_used(tmp_path, freeze):
    make_recogniser(tmp_path)
    conf = {"source": str(tmp_path), "layers": [3, 1], "freeze": freeze}
    model, layers = build(encoder="espnet_asr", encoder_conf=conf, frontend_conf=None)
    states = layers(SAMPLES)
    assert layers.numbers == (1, 2, 3)
    with torch.no_grad():
        used = model.encoder.layer_states(torch.from_numpy(SAMPLES)[None], torch.tensor([len(SAMPLES)]))
        model.encoder.mix.weights.copy_(torch.tensor([0.0, np.log(4.0)]))
    np.testing.assert_allclose(states[[2, 0]], used.stacked[0, :, : int(used.lengths[0])].numpy(), atol=1e-6)
    assert LearnedWeights(model, layers).told() == {"encoder.mix": pytest.approx({3: 0.2, 1: 0.8})}
    assert model.encoder.parts.layers == (3, 1)


def test_layers_of_a_pretrained_model_begin_with_the_input_of_its_blocks(tmp_path):
    directory = save_tiny(tmp_path / "model", "wavlm-base")
    conf = {"model": str(directory), "top": "none", "layers": "last"}
    model, layers = build(encoder="ssl", encoder_conf=conf, frontend_conf=None, normalize="global_mvn")
    states, expected = layers(SAMPLES), encoded(model)
    assert layers.numbers == (1, 2, 3)
    assert states.shape[1] == int(expected.lengths[0]) == 37
    np.testing.assert_allclose(states[-1], expected.h[0].numpy(), atol=1e-6)


def test_a_mix_of_a_pretrained_model_has_its_numbers_and_starts_equal(tmp_path):
    conf = {"model": str(save_tiny(tmp_path / "model", "wavlm-base")), "top": "linear", "top_conf": {"output_size": 8}}
    model, layers = build(encoder="ssl", encoder_conf=conf, frontend_conf=None, normalize="global_mvn")
    assert LearnedWeights(model, layers).told() == {"encoder.mix": pytest.approx({1: 1 / 3, 2: 1 / 3, 3: 1 / 3})}


CTA = {
    "transducer": None,
    "utterance_head": "cta_rnn",
    "model_conf": {"transducer_weight": 0, "lattice_weight": 0, "utterance_weight": 1.0},
}


def cta_rnn(**head):
    return build(**CTA, utterance_head_conf={"hidden_size": 4, "attention_size": 4, **head})


def test_attention_to_layers_is_averaged_over_what_was_heard():
    model, layers = cta_rnn()
    learned, expected = LearnedWeights(model, layers), []
    assert learned.told() == {}
    for samples in (SAMPLES, 3 * SAMPLES[:7000]):
        learned.hear(samples)
        with torch.no_grad():
            enc = model.encoder(torch.from_numpy(samples)[None], torch.tensor([len(samples)]))
            fusion = model.utterance_head.fusion
            means = [norm(enc.layers[:, place]).mean(dim=1) for place, norm in enumerate(fusion.norms)]
            expected.append(torch.stack([fusion.scores(mean)[0, 0] for mean in means]).softmax(dim=0).numpy())
    (weights,) = learned.told().values()
    assert list(weights) == [1, 2]
    np.testing.assert_allclose(list(weights.values()), np.mean(expected, axis=0), atol=1e-6)
    assert sum(weights.values()) == pytest.approx(1)


def test_a_mix_in_the_head_has_the_numbers_of_the_layers_that_it_sees(tmp_path):
    make_recogniser(tmp_path)
    encoder = {"encoder": "espnet_asr", "encoder_conf": {"source": str(tmp_path), "layers": [3, 2, 1]}}
    head = {"hidden_size": 4, "attention_size": 4, "layers": [1, 3], "fusion": "mix"}
    model, layers = build(**CTA, **encoder, frontend_conf=None, utterance_head_conf=head)
    assert LearnedWeights(model, layers).told() == {"utterance_head.fusion.mix": pytest.approx({3: 0.5, 1: 0.5})}


def test_what_learns_no_weights_tells_none():
    model, layers = cta_rnn(fusion="concatenate")
    learned = LearnedWeights(model, layers)
    learned.hear(SAMPLES)
    assert learned.told() == {}
