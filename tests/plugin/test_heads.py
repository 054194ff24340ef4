"""Systems whose utterance head is not the pooled one: built, trained and decoded by the same model and builder."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from espnet_ent.data.recording import Recording
from espnet_ent.emotion.coattention import STREAMS
from espnet_ent.errors import ConfigError
from espnet_ent.inference import EmotionTranscriber, InferenceConfig
from espnet_ent.plugin.builder import build_model
from espnet_ent.plugin.model import ESPnetENTModel
from tests.encoders.tiny_ssl import save_tiny
from tests.plugin.asr_models import make_recogniser
from tests.plugin.tiny import tiny_batch, tiny_config

EMOTION_ONLY = {"transducer_weight": 0, "lattice_weight": 0, "utterance_weight": 1.0}
CTA_CONF = {"hidden_size": 6, "attention_size": 4}
CTA_RNN = {
    "transducer": None,
    "utterance_head": "cta_rnn",
    "utterance_head_conf": CTA_CONF,
    "model_conf": EMOTION_ONLY,
}
FRAME_WISE = {"emotion_joint_conf": {"joint_size": 8, "frame_wise": True}}
FUSION_CONF = {"size": 8, "num_heads": 2, "feedforward_size": 8}
FUSION = {"utterance_head": "coattention", "utterance_head_conf": FUSION_CONF, "model_conf": {"lattice_weight": 0}}


def build(**changes) -> ESPnetENTModel:
    torch.manual_seed(0)
    return build_model(tiny_config(**changes))


@pytest.fixture(scope="module")
def encoders(tmp_path_factory) -> dict[str, dict]:
    root = tmp_path_factory.mktemp("encoders")
    make_recogniser(root / "asr")
    return {
        "conformer": {},
        "espnet_asr": {
            "encoder": "espnet_asr",
            "encoder_conf": {"source": str(root / "asr")},
            "frontend_conf": None,
            "normalize": None,
        },
        "ssl": {
            "encoder": "ssl",
            "encoder_conf": {"model": str(save_tiny(root / "ssl", "hubert-large")), "top_conf": {"hidden_size": 4}},
            "frontend_conf": None,
            "normalize": None,
        },
    }


def _untrained(model: ESPnetENTModel) -> list[str]:
    """Parameters that a step does not reach."""
    loss, _, _ = model(**tiny_batch())
    loss.backward()
    assert torch.isfinite(loss)
    return [name for name, p in model.named_parameters() if p.grad is None and "frontend" not in name]


@pytest.mark.parametrize("encoder", ["conformer", "espnet_asr", "ssl"])
def test_cta_rnn_stands_on_every_encoder_and_leaves_no_parameter_untrained(encoders, encoder):
    model = build(**{**CTA_RNN, **encoders[encoder]})
    assert model.transducer is model.emotion_joint is model.ctc is None
    assert _untrained(model) == []
    if encoder != "conformer":  # frozen: the head alone is trained
        assert {name.split(".")[0] for name, _ in model.named_parameters()} == {"utterance_head"}


@pytest.mark.parametrize("encoder", ["espnet_asr", "ssl"])
@pytest.mark.parametrize("layers", ["all", "last", [1, 3]])
def test_cta_rnn_sees_the_layers_that_are_chosen(encoders, encoder, layers):
    model = build(**{**CTA_RNN, **encoders[encoder], "utterance_head_conf": {**CTA_CONF, "layers": layers}}).eval()
    batch = tiny_batch()
    enc = model.encoder(batch["speech"], batch["speech_lengths"])
    assert enc.layers.shape[1:] == (3, enc.h.size(1), 16)
    enc.layers.requires_grad_()
    model.utterance_head(enc.layers, enc.lengths).sum().backward()
    seen = [number for number in range(1, 4) if enc.layers.grad[:, number - 1].any()]
    assert seen == {"all": [1, 2, 3], "last": [3]}.get(layers if isinstance(layers, str) else "", layers)


@pytest.mark.parametrize("encoder", ["conformer", "espnet_asr", "ssl"])
@pytest.mark.parametrize("text", ["embedding", "prediction"])
def test_fusion_stands_on_every_encoder_beside_a_transducer(encoders, encoder, text):
    conf = {**FUSION_CONF, "text": text}
    model = build(**{**FUSION, **encoders[encoder], "utterance_head_conf": conf})
    assert _untrained(model) == []
    _, stats, _ = model(**tiny_batch())
    assert {"loss_transducer", "loss_utterance", "acc_emotion"} <= stats.keys()


@pytest.mark.parametrize("streams", [[name] for name in STREAMS])
@pytest.mark.parametrize("encoder", ["espnet_asr", "ssl"])
def test_ablations_build_no_more_than_they_use(encoders, encoder, streams):
    changes = {
        "transducer": None,
        "model_conf": EMOTION_ONLY,
        "utterance_head_conf": {**FUSION_CONF, "streams": streams},
    }
    model = build(**{**FUSION, **encoders[encoder], **changes})
    assert _untrained(model) == []
    in_encoder = [name for name, _ in model.encoder.named_parameters()]
    assert bool(in_encoder) == (streams == ["hidden"] or (encoder, streams) == ("ssl", ["acoustic"]))


def test_a_fine_tuned_recogniser_learns_from_the_emotions_through_all_layers(encoders):
    conf = {**encoders["espnet_asr"]["encoder_conf"], "freeze": False}
    model = build(**{**CTA_RNN, **encoders["espnet_asr"], "encoder_conf": conf})
    assert _untrained(model) == []
    assert any(name.startswith("encoder.source.encoder.embed") for name, _ in model.named_parameters())


def test_emotion_loss_can_leave_the_recogniser_alone():
    """Joint training with both gradients stopped: the transducer learns from words alone."""
    conf = {**FUSION_CONF, "streams": ["hidden", "text"], "fusion": "single", "text": "prediction"}
    model = build(
        **{**FUSION, "utterance_head_conf": {**conf, "detach_hidden": True, "detach_text": True}},
    )
    batch = tiny_batch()
    enc = model.encoder(batch["speech"], batch["speech_lengths"])
    states = model.transducer.predict(batch["text"], batch["text_lengths"])
    model.classify(enc, states.g_blank, batch["text"], batch["text_lengths"]).sum().backward()
    assert all(p.grad is None for module in (model.encoder, model.transducer) for p in module.parameters())
    assert any(p.grad is not None for p in model.utterance_head.parameters())


def test_fusion_with_ctc_in_place_of_a_transducer_decodes_words():
    conf = {**EMOTION_ONLY, "ctc_weight": 0.5}
    model = build(**{**FUSION, "transducer": None, "model_conf": conf})
    assert _untrained(model) == []
    with torch.no_grad():
        model.ctc.bias[3] = 100.0  # every frame says A
    found = EmotionTranscriber(model)(_noise())
    assert found.text == "A"
    assert found.words[0].confidence > 0.99
    assert found.emotion in model.emotions.names
    assert found.timeline is None


def test_emotion_alone_is_told_without_words_or_timeline():
    transcriber = EmotionTranscriber(build(**CTA_RNN))
    assert not transcriber.model.tells_words
    for samples in (_noise(), _noise(50 * 16000)):
        found = transcriber(samples)
        assert (found.text, found.words, found.timeline) == ("", (), None)
        np.testing.assert_allclose(found.posteriors.sum(), 1.0, rtol=1e-5)
    nothing = transcriber(np.zeros(0, np.float32))
    assert (nothing.text, nothing.words) == ("", ())
    assert nothing.timeline is nothing.emotion is nothing.posteriors is None


def test_a_beam_search_needs_a_transducer():
    with pytest.raises(ConfigError, match="transducer"):
        EmotionTranscriber(build(**CTA_RNN), InferenceConfig(beam_size=4))


def test_the_head_sees_a_text_that_is_given_in_place_of_the_decoded_one():
    model, labels = build(**FUSION), torch.tensor([[3, 4, 5, 3]])
    transcriber = EmotionTranscriber(model)
    decoded = transcriber.transcribe_recordings([_recording()])[0]
    given = transcriber.transcribe_recordings([_recording()], labels.tolist())[0]
    assert given.text == decoded.text
    assert not np.array_equal(given.posteriors, decoded.posteriors)
    with torch.no_grad():
        enc = model.encoder(torch.from_numpy(_noise()).unsqueeze(0), torch.tensor([16000]))
        text = (labels, torch.tensor([4]))
        expected = model.classify(enc, model.emotion_states(*text), *text).softmax(dim=-1)
    np.testing.assert_allclose(given.posteriors, expected[0].numpy(), rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "reads"),
    [
        ({}, True),
        ({"transducer": None, "model_conf": EMOTION_ONLY}, False),
        (CTA_RNN, False),
        (FUSION, True),
        (
            {**FUSION, "utterance_head_conf": {**FUSION_CONF, "streams": ["acoustic", "hidden"], "fusion": "single"}},
            False,
        ),
        ({"model_conf": {"utterance_weight": 0}}, False),
    ],
)
def test_a_model_knows_whether_a_text_changes_the_emotion(changes, reads):
    model = build(**changes)
    assert model.reads_text is reads
    if model.utterance_head is not None:
        transcriber = EmotionTranscriber(model)
        one, other = (transcriber.transcribe_recordings([_recording()], [text])[0].posteriors for text in ([3], [4, 5]))
        assert np.array_equal(one, other) is not reads


def test_a_text_that_nobody_will_recognise_is_told(caplog):
    only_text = {"transducer": None, "model_conf": EMOTION_ONLY}
    build(**FUSION)
    assert not caplog.messages
    build(**{**FUSION, **only_text})
    assert "nothing here learns to recognise one" in caplog.text


def test_a_text_for_the_head_is_refused_where_windows_would_part_it():
    with pytest.raises(ConfigError, match="window_seconds"):
        EmotionTranscriber(build(**FUSION)).transcribe_recordings([_recording(50 * 16000)], [[3]])


@pytest.mark.parametrize("transducer", ["transducer", None])
def test_a_frame_wise_emotion_joint_builds_trains_and_tells_a_timeline(transducer):
    weights = {"lattice_pooling": "mean", "neutral_term": "none"}
    if transducer is None:
        weights |= {"transducer_weight": 0}
    conf = {"joint_size": 8} | ({"frame_wise": True} if transducer else {})
    model = build(transducer=transducer, emotion_joint_conf=conf, model_conf=weights)
    assert model.emotion_joint.is_frame_wise
    assert _untrained(model) == []
    batch = {**tiny_batch(), "emo_intervals": torch.tensor([[[0, 0, 1], [3200, 1, 3]]] * 2)}
    batch["emo_intervals_lengths"] = torch.tensor([2, 2])
    assert torch.isfinite(model(**batch)[0])
    for path in ("best", "lattice"):
        found = EmotionTranscriber(model, InferenceConfig(emotion_path=path))(_noise())
        assert found.timeline is not None
        assert len(found.frame_posteriors) > 10


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"transducer": None}, "transducer_weight"),
        ({**CTA_RNN, "model_conf": {**EMOTION_ONLY, "emotion_layer_mix": True}}, "emotion_layer_mix"),
        ({**CTA_RNN, "utterance_head_conf": {"layers": [9]}}, r"utterance_head_conf\.layers"),
        ({**CTA_RNN, "utterance_head_conf": {"hiden_size": 9}}, "hidden_size"),
        ({**FUSION, "utterance_head_conf": {"fusion": "late"}}, "hierarchical"),
        (
            {**FRAME_WISE, "model_conf": {"lattice_pooling": "occupancy"}},
            "occupancy",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(changes, named):
    with pytest.raises(ConfigError, match=named):
        build(**changes)


def test_heads_without_intervals_refuse_mixed_data():
    batch = {**tiny_batch(), "emo_intervals": torch.tensor([[[0, 0, 1]]] * 2)}
    batch["emo_intervals_lengths"] = torch.tensor([1, 1])
    with pytest.raises(ConfigError, match="pooling"):
        build(**FUSION)(**batch)


def _noise(num_samples: int = 16000) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(num_samples).astype(np.float32) * 0.1


def _recording(num_samples: int = 16000) -> Recording:
    return Recording.of_samples(_noise(num_samples))
