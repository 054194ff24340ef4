"""``encoder: espnet_asr`` against the recognisers that it is taken from, which ESPnet's own classes make."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
import yaml

from espnet_ent.encoders.frozen_source import DIGEST
from espnet_ent.errors import CheckpointError, ConfigError, LossInputError
from espnet_ent.plugin.builder import build_model, frame_grid
from tests.plugin.asr_models import ENCODERS, make_recogniser, pack_recogniser
from tests.plugin.tiny import tiny_batch, tiny_config


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("recognisers")
    make_recogniser(root / "exp/asr")
    return root


def config(path, changes=None, **options):
    return tiny_config(
        encoder="espnet_asr", encoder_conf={"source": str(path), **options}, frontend_conf=None, **(changes or {})
    )


def encode(recogniser, speech, lengths):
    """ESPnet's own encoding, in the memory layout of ours."""
    recogniser.encoder.to(memory_format=torch.channels_last)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of ESPnet's use of autocast
        h, h_lengths = recogniser.encode(speech.clone(), lengths)
    return h[0] if isinstance(h, tuple) else h, h_lengths


@pytest.mark.parametrize("case", ENCODERS)
def test_the_last_layer_is_what_the_recogniser_encodes(tmp_path, case):
    recogniser = make_recogniser(tmp_path, case)
    model = build_model(config(tmp_path)).eval()
    speech, lengths = 0.1 * torch.randn(2, 24000), torch.tensor([24000, 17000])
    speech[1, 17000:] = 0.0
    expected, expected_lengths = encode(recogniser, speech, lengths)
    found = model.encoder.layer_states(speech, lengths)
    assert found.stacked.shape == (2, ENCODERS[case][2], *expected.shape[1:])
    assert found.lengths.tolist() == expected_lengths.tolist()
    torch.testing.assert_close(found.stacked[:, -1], expected, atol=1e-6, rtol=1e-6)
    assert model.encoder.grid.samples_per_frame == 160 * ENCODERS[case][3]
    assert model.encoder.grid.sample_rate == 16000
    assert abs(int(found.lengths[0]) - 24000 / model.encoder.grid.samples_per_frame) <= 2


@pytest.mark.parametrize(
    "changes",
    [
        {"preencoder": "linear", "preencoder_conf": {"input_size": 20, "output_size": 12}},
        {
            "frontend": "sliding_window",
            "frontend_conf": {"fs": 16000, "hop_length": 160},
            "preencoder": "sinc",
            "preencoder_conf": {"fs": 16000},
            "normalize": None,
            "specaug": None,
        },
        {"normalize": "utterance_mvn", "normalize_conf": {}},
    ],
    ids=["linear", "sinc", "utterance_mvn"],
)
def test_what_stands_before_the_encoder_comes_along(tmp_path, changes):
    recogniser = make_recogniser(tmp_path, **changes)
    model = build_model(config(tmp_path)).eval()
    speech, lengths = 0.1 * torch.randn(2, 16000), torch.tensor([16000, 12000])
    speech[1, 12000:] = 0.0
    expected, _ = encode(recogniser, speech, lengths)
    torch.testing.assert_close(
        model.encoder.layer_states(speech, lengths).stacked[:, -1], expected, atol=1e-6, rtol=1e-6
    )


@pytest.mark.parametrize("case", ["rnn_plain", "transformer_linear"])
def test_a_padded_batch_gives_what_single_utterances_give(tmp_path, case):
    """Convolutional subsampling lets some padding in, as in ESPnet; these encoders have none."""
    make_recogniser(tmp_path, case)
    encoder = build_model(config(tmp_path)).eval().encoder
    speech, lengths = 0.1 * torch.randn(2, 16000), torch.tensor([16000, 9000])
    speech[1, 8400:] = 0.0  # the Fourier transform mirrors the end of an utterance; silence mirrors to silence
    batch = encoder(speech, lengths)
    for row, length in enumerate(lengths.tolist()):
        alone = encoder(speech[row : row + 1, :length], lengths[row : row + 1])
        assert int(alone.lengths) == int(batch.lengths[row])
        num_frames = int(alone.lengths)
        torch.testing.assert_close(batch.h[row, :num_frames], alone.h[0, :num_frames], atol=1e-5, rtol=0)


def test_chosen_layers_come_in_their_order_and_are_mixed(root):
    model = build_model(config(root / "exp/asr")).eval()
    speech, lengths = 0.1 * torch.randn(1, 16000), torch.tensor([16000])
    every = model.encoder.layer_states(speech, lengths).stacked
    torch.testing.assert_close(model.encoder(speech, lengths).h, every.mean(dim=1), atol=1e-6, rtol=0)
    chosen = build_model(config(root / "exp/asr", layers=[3, 1])).eval().encoder
    torch.testing.assert_close(chosen.layer_states(speech, lengths).stacked, every[:, [2, 0]], atol=0, rtol=0)
    with torch.no_grad():
        chosen.mix.weights.copy_(torch.tensor([0.0, -100.0]))
    torch.testing.assert_close(chosen(speech, lengths).h, every[:, 2], atol=1e-6, rtol=0)
    last = build_model(config(root / "exp/asr", layers="last")).eval().encoder
    assert last.mix is None
    assert torch.equal(last(speech, lengths).h, every[:, 2])
    raw = build_model(config(root / "exp/asr", layer_norm=False)).eval().encoder
    normed = raw.parts.encoder.after_norm(raw.layer_states(speech, lengths).stacked)
    torch.testing.assert_close(normed, every, atol=1e-6, rtol=0)


def test_fent_has_a_second_mix_of_the_layers(root):
    changes = {"transducer": "factorized_transducer", "model_conf": {"emotion_layer_mix": True}}
    encoder = build_model(config(root / "exp/asr", changes)).encoder
    with torch.no_grad():
        encoder.emotion_mix.weights.copy_(torch.tensor([5.0, 0.0, 0.0]))
    states = encoder(0.1 * torch.randn(1, 16000), torch.tensor([16000]))
    assert (states.h - states.h_emo).abs().max() > 0.01
    with pytest.raises(ConfigError, match="a second layer mix needs several layers"):
        build_model(config(root / "exp/asr", changes, layers=[2]))


def test_a_frozen_source_stays_as_it_is(root):
    changes = {"emotion_branch": "local_context", "emotion_branch_conf": {"num_layers": 1, "width": 3}}
    model = build_model(config(root / "exp/asr", {**changes, "init": "xavier_uniform"})).train()
    before = {key: value.clone() for key, value in model.encoder.parts.state_dict().items()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    held = {id(parameter) for parameter in model.encoder.parts.parameters()}
    assert held
    assert held.isdisjoint(id(parameter) for group in optimizer.param_groups for parameter in group["params"])
    loss, _, _ = model(**tiny_batch())
    loss.backward()
    optimizer.step()
    assert all(parameter.grad is None for parameter in model.encoder.parts.parameters())
    assert all(torch.equal(value, before[key]) for key, value in model.encoder.parts.state_dict().items())
    assert not any(module.training for module in model.encoder.parts.modules())
    assert model.encoder.mix.weights.grad.abs().sum() > 0
    names = {key for key in model.state_dict() if key.startswith("encoder.") and "emotion_branch" not in key}
    assert names == {f"encoder.source.{DIGEST}", "encoder.mix.weights", "encoder.mix.scale"}


@pytest.mark.parametrize("case", ["conformer", "e_branchformer", "rnn", "contextual_block_conformer"])
def test_a_fine_tuned_source_learns_as_a_whole(tmp_path, case):
    make_recogniser(tmp_path, case)
    model = build_model(config(tmp_path, freeze=False)).train()
    loss, _, _ = model(**tiny_batch())
    loss.backward()
    lacking = [name for name, p in model.encoder.source.named_parameters() if p.grad is None]
    assert [name for name in lacking if not name.startswith("frontend")] == []
    assert any(key.startswith("encoder.source.encoder.") for key in model.state_dict())
    assert "encoder.source.normalize.mean" in model.state_dict()


def test_a_recurrent_source_with_dropout_repeats_itself(tmp_path):
    """ESPnet's projected RNN drops out in evaluation, too."""
    make_recogniser(tmp_path, "rnn", encoder_conf={**ENCODERS["rnn"][1], "dropout": 0.5})
    encoder = build_model(config(tmp_path)).eval().encoder
    speech, lengths = 0.1 * torch.randn(1, 16000), torch.tensor([16000])
    assert torch.equal(encoder(speech, lengths).h, encoder(speech, lengths).h)


def test_specaugment_of_the_source_acts_in_training_alone(root):
    speech, lengths = 0.1 * torch.randn(1, 16000), torch.tensor([16000])
    plain = build_model(config(root / "exp/asr")).train().encoder
    assert torch.equal(plain(speech, lengths).h, plain(speech, lengths).h)
    encoder = build_model(config(root / "exp/asr", specaug=True)).train().encoder
    feats = encoder.layer_states(speech, lengths).local
    assert not torch.equal(feats, encoder.layer_states(speech, lengths).local)
    encoder.eval()
    assert torch.equal(encoder(speech, lengths).h, plain(speech, lengths).h)


def test_a_zip_and_the_directory_that_it_was_made_of_are_the_same_source(root):
    archive = pack_recogniser(root, "exp/asr")
    states = [build_model(config(source)).state_dict() for source in (archive, root / "exp/asr")]
    key = f"encoder.source.{DIGEST}"
    assert torch.equal(states[0][key], states[1][key])


@pytest.mark.parametrize("system", ["ent", "fent"])
def test_the_configurations_build_and_train(root, system):
    path = Path(__file__).parents[2] / f"conf/tuning/train_{system}_espnet_asr.yaml"
    described = yaml.safe_load(path.read_text())
    described["encoder_conf"]["source"] = str(root / "exp/asr")
    lists = {key: tiny_config()[key] for key in ("token_list", "emotion_list")}
    model = build_model({**described, **lists}).train()
    loss, stats, _ = model(**tiny_batch())
    loss.backward()
    assert {"loss_transducer", "loss_lattice", "loss_utterance"} <= stats.keys()
    lacking = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert lacking == []
    assert (model.encoder.emotion_mix is not None) == (system == "fent")


def test_the_grid_is_known_without_the_model(root):
    assert frame_grid(config(root / "exp/asr")) == build_model(config(root / "exp/asr")).encoder.grid


def test_an_experiment_of_this_package_is_a_source(tmp_path):
    trained = tiny_config(frontend="fbank_pitch", frontend_conf={"n_mels": 20}, normalize="utterance_mvn")
    model = build_model(trained).eval()
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(trained))
    torch.save(model.state_dict(), tmp_path / "valid.loss.ave.pth")
    speech, lengths = 0.1 * torch.randn(1, 16000), torch.tensor([16000])
    found = build_model(config(tmp_path, layers="last")).eval().encoder
    torch.testing.assert_close(found(speech, lengths).h, model.encoder(speech, lengths).h, atol=1e-6, rtol=0)
    assert found.grid == model.encoder.grid


@pytest.mark.parametrize("fs", [8000, "8k"])
def test_a_source_of_another_sample_rate_is_refused(tmp_path, fs):
    make_recogniser(tmp_path, fs=fs)
    for build in (build_model, frame_grid):
        with pytest.raises(ConfigError, match=r"another sample rate; expected 16000 Hz.*got 8000 Hz; next: "):
            build(config(tmp_path))
    assert build_model(config(tmp_path, {"fs": 8000})).encoder.grid.sample_rate == 8000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": [0]}, r"no such layers; expected all, last, or numbers of 1\.\.3"),
        ({"layers": [4]}, "no such layers"),
        ({"layers": [1, 1]}, "no such layers"),
        ({"layers": []}, "no such layers"),
        ({"layers": "first"}, "no such layers"),
        ({"layer": [1]}, "unknown option 'layer'; did you mean 'layers'"),
        ({"freeze": "yes"}, r"encoder_conf\.freeze: wrong type"),
        ({"source": None}, r"encoder_conf\.source: no source is named"),
        ({"checkpoint": "none.pth"}, r"none\.pth: checkpoint is missing"),
        ({"checkpoint": "../none.pth"}, "leads out of its directory"),
    ],
)
def test_wrong_options_are_one_line(root, options, message):
    with pytest.raises((ConfigError, CheckpointError), match=message) as raised:
        build_model(config(root / "exp/asr", **options))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"init": "xavier_uniform"}, {"freeze": False}, "an initialisation would overwrite the source"),
        ({"specaug": "specaug"}, {"specaug": True}, "two SpecAugments"),
    ],
)
def test_options_that_contradict_one_another_are_refused(root, changes, options, message):
    with pytest.raises(ConfigError, match=message):
        build_model(config(root / "exp/asr", changes, **options))


def test_a_frontend_beside_that_of_the_source_is_refused(root):
    changed = {**config(root / "exp/asr"), "frontend_conf": {"n_mels": 80}}
    with pytest.raises(ConfigError, match="brings its own frontend"):
        build_model(changed)


_FUSION = {"utterance_head": "coattention", "model_conf": {"lattice_weight": 0}}


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"emotion_branch": "local_context"}, "an emotion branch"), (_FUSION, "an acoustic stream")],
    ids=["emotion_branch", "coattention"],
)
def test_what_reads_features_needs_a_source_that_has_some(tmp_path, changes, named):
    make_recogniser(
        tmp_path,
        frontend="sliding_window",
        frontend_conf={"fs": 16000, "hop_length": 160},
        preencoder="sinc",
        preencoder_conf={"fs": 16000},
        normalize=None,
        specaug=None,
    )
    with pytest.raises(ConfigError, match=f"no features for {named}"):
        build_model(config(tmp_path, changes))


def test_utterances_too_short_for_the_source_are_named_as_such(root):
    encoder = build_model(config(root / "exp/asr")).encoder
    with pytest.raises(LossInputError, match="too short for the encoder's subsampling"):
        encoder(torch.zeros(1, 300), torch.tensor([300]))
