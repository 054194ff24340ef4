"""Layers for analyses against what the encoders themselves give."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from espnet_ent.plugin.builder import build_model
from espnet_ent.plugin.layer_states import EncoderLayers, learned_weights
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
    assert learned_weights(model, layers) == {}


def test_a_mix_of_a_feature_encoder_is_numbered_as_its_blocks():
    model, layers = build(model_conf={"emotion_layer_mix": True}, transducer="factorized_transducer")
    with torch.no_grad():
        model.encoder.emotion_mix.weights.copy_(torch.tensor([0.0, np.log(3.0)]))
    assert learned_weights(model, layers) == {"encoder.emotion_mix": pytest.approx({1: 0.25, 2: 0.75})}


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
    np.testing.assert_allclose(states[[2, 0]], used.states[0, :, : int(used.lengths[0])].numpy(), atol=1e-6)
    assert learned_weights(model, layers) == {"encoder.mix": pytest.approx({3: 0.2, 1: 0.8})}
    assert model.encoder.parts.layers == (3, 1)


def test_layers_of_a_pretrained_model_begin_at_0(tmp_path):
    directory = save_tiny(tmp_path / "model", "wavlm-base")
    conf = {"model": str(directory), "top": "none", "layers": "last"}
    model, layers = build(encoder="ssl", encoder_conf=conf, frontend_conf=None, normalize="global_mvn")
    states, expected = layers(SAMPLES), encoded(model)
    assert layers.numbers == (0, 1, 2)
    assert states.shape[1] == int(expected.lengths[0]) == 37
    np.testing.assert_allclose(states[-1], expected.h[0].numpy(), atol=1e-6)


def test_a_mix_of_a_pretrained_model_has_its_numbers_and_starts_equal(tmp_path):
    conf = {"model": str(save_tiny(tmp_path / "model", "wavlm-base")), "top": "linear", "top_conf": {"output_size": 8}}
    model, layers = build(encoder="ssl", encoder_conf=conf, frontend_conf=None, normalize="global_mvn")
    assert learned_weights(model, layers) == {"encoder.mix": pytest.approx({0: 1 / 3, 1: 1 / 3, 2: 1 / 3})}
