import itertools
import shutil

import pytest
import torch

from espnet_ent.errors import CheckpointError, ConfigError
from espnet_ent.plugin.averaging import average_states
from espnet_ent.plugin.builder import build_model, frame_grid
from espnet_ent.plugin.checkpoints import load_state
from espnet_ent.plugin.freezing import tell_update, train_unfrozen
from espnet_ent.plugin.init_param import init_param
from tests.encoders.tiny_ssl import FAMILIES, save_tiny
from tests.plugin.tiny import tiny_batch, tiny_config

TOPS = {
    "bilstm": {"hidden_size": 4},
    "conformer": {"output_size": 8, "num_blocks": 1, "attention_heads": 2, "linear_units": 8, "cnn_module_kernel": 3},
    "linear": {"output_size": 8},
    "none": {},
}
FINE = {"frozen": False, "layers": "last"}


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("ssl") / "model", "wav2vec2-large")


def ssl_config(directory, emotion_mix=False, top="bilstm", **changes):
    """A configuration; ``changes`` are of encoder_conf."""
    conf = {"model": str(directory), "top": top, "top_conf": TOPS.get(top, {}), **changes}
    return tiny_config(
        encoder="ssl",
        encoder_conf=conf,
        frontend_conf=None,
        normalize="global_mvn",
        transducer="factorized_transducer" if emotion_mix else "transducer",
        model_conf={"emotion_layer_mix": True} if emotion_mix else {},
    )


def stored(model):
    return {"stored": model.encoder.description.to_config()}


def step(model, rate=0.1):
    """One update by plain gradient descent."""
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    loss, _, _ = model(**tiny_batch())
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    tell_update(model)
    return float(loss.detach())


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("emotion_mix", [False, True], ids=["ENT", "FENT"])
def test_every_family_trains_frozen_and_fine_tuned(tmp_path, family, emotion_mix):
    directory = save_tiny(tmp_path / "model", family)
    for changes in ({}, {"frozen": False}):
        model = build_model(ssl_config(directory, emotion_mix, **changes))
        train_unfrozen(model)
        loss, _, _ = model(**tiny_batch())
        loss.backward()
        assert torch.isfinite(loss)
        trained = {name for name, p in model.named_parameters() if p.requires_grad}
        unused = {name for name, p in model.named_parameters() if p.requires_grad and p.grad is None}
        assert not {name for name in unused if "masked_spec_embed" not in name}
        assert any(name.startswith("encoder.ssl") for name in trained) == (changes != {})


def test_the_grid_needs_no_weights(directory, tmp_path):
    copied = tmp_path / "model"
    shutil.copytree(directory, copied)
    (copied / "model.safetensors").unlink()
    assert frame_grid(ssl_config(copied)).samples_per_frame == 320


def test_a_frozen_model_is_left_alone(directory):
    model = build_model(ssl_config(directory, emotion_mix=True))
    source = model.encoder.source
    before = {key: value.clone() for key, value in source.state_dict().items()}
    train_unfrozen(model)
    model.train()
    assert not any(module.training for module in source.modules())
    assert model.encoder.top.training
    step(model)
    assert all(torch.equal(value, before[key]) for key, value in source.state_dict().items())
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in source.parameters())
    owned = {id(parameter) for parameter in source.parameters()}
    assert not any(id(parameter) in owned for parameter in model.parameters())
    assert not [key for key in model.state_dict() if "ssl" in key or "feature_extractor" in key]
    assert model.state_dict()["encoder.held.frozen_source_sha256"].numel() == 32


def test_a_frozen_model_moves_and_copies_with_the_rest(directory):
    model = build_model(ssl_config(directory)).double()
    assert {p.dtype for p in model.encoder.source.parameters()} == {torch.float64}


def test_both_mixes_learn_and_see_all_layers(directory):
    model = build_model(ssl_config(directory, emotion_mix=True))
    loss, _, _ = model(**tiny_batch())
    loss.backward()
    for mix in (model.encoder.mix, model.encoder.emotion_mix):
        assert mix.weights.numel() == 3
        assert mix.weights.grad.abs().min() > 0
    states = model.encoder(torch.randn(1, 8000), torch.tensor([8000]))
    torch.testing.assert_close(states.h, states.h_emo)
    model.encoder.emotion_mix.weights.data[0] = 2.0
    states = model.encoder(torch.randn(1, 8000), torch.tensor([8000]))
    assert (states.h - states.h_emo).abs().max() > 1e-4


def test_the_emotion_side_shares_the_top_or_has_its_own(directory):
    shared, own = (build_model(ssl_config(directory, True, share_emotion_rnn=share)) for share in (True, False))
    count = sum(p.numel() for p in shared.encoder.top.parameters())
    assert shared.encoder.emotion_top is None
    assert sum(p.numel() for p in own.parameters()) - sum(p.numel() for p in shared.parameters()) == count
    states = own.encoder(torch.randn(1, 8000), torch.tensor([8000]))
    assert (states.h - states.h_emo).abs().max() > 1e-4


@pytest.mark.parametrize("top", TOPS)
def test_every_top_builds_and_gives_its_size(directory, top):
    model = build_model(ssl_config(directory, emotion_mix=True, top=top)).eval()
    states = model.encoder(torch.randn(2, 8000), torch.tensor([8000, 5000]))
    assert states.h.shape == states.h_emo.shape == (2, 24, 16 if top == "none" else 8)
    assert states.lengths.tolist() == [24, 15]
    assert len(model.encoder.source.model.encoder.layers) == 2


def test_a_padded_batch_agrees_with_single_utterances_up_to_the_top(directory):
    model = build_model(ssl_config(directory, emotion_mix=True)).eval()
    batch = tiny_batch((9600, 6400))
    with torch.no_grad():
        both = model.encoder(batch["speech"], batch["speech_lengths"])
        alone = model.encoder(batch["speech"][1:, :6400], batch["speech_lengths"][1:])
    for name in ("h", "h_emo"):
        torch.testing.assert_close(getattr(both, name)[1, :19], getattr(alone, name)[0], rtol=1e-4, atol=1e-5)


def test_fine_tuning_leaves_the_convolutions_and_changes_the_blocks(directory):
    model = build_model(ssl_config(directory, **FINE))
    before = {key: value.clone() for key, value in model.encoder.ssl.state_dict().items()}
    train_unfrozen(model)
    assert model.encoder.ssl.model.encoder.training
    step(model)
    changed = {key for key, value in model.encoder.ssl.state_dict().items() if not torch.equal(value, before[key])}
    assert any("encoder.layers.0." in key for key in changed)
    assert not any("feature_extractor" in key for key in changed)
    assert "encoder.ssl.model.encoder.layers.0.attention.k_proj.weight" in model.state_dict()


def test_the_first_updates_leave_the_pretrained_weights_frozen(directory):
    model = build_model(ssl_config(directory, **FINE, freeze_steps=2))
    weight = model.encoder.ssl.model.encoder.layers[0].feed_forward.output_dense.weight
    seen, modes = [weight.clone()], []
    for _ in range(3):
        train_unfrozen(model)
        modes.append(model.encoder.ssl.training)
        step(model)
        seen.append(weight.clone())
    assert modes == [False, False, True]
    assert [torch.equal(one, other) for one, other in itertools.pairwise(seen)] == [True, True, False]
    assert int(model.state_dict()["encoder.num_updates"]) == 3


def test_learning_rates_fall_block_by_block(directory):
    model = build_model(ssl_config(directory, **FINE, layer_decay=0.5, lr_factor=0.1))
    found = model.encoder.rate_scales()
    scales = {name: found[p] for name, p in model.encoder.ssl.named_parameters()}
    assert scales["model.encoder.layers.1.layer_norm.weight"] == pytest.approx(0.1)
    assert scales["model.encoder.layers.0.layer_norm.weight"] == pytest.approx(0.05)
    assert scales["model.feature_projection.projection.weight"] == pytest.approx(0.025)
    assert scales["model.encoder.layer_norm.weight"] == pytest.approx(0.1)
    assert {scale for name, scale in scales.items() if "feature_extractor" in name} == {0.0}


def test_a_frozen_checkpoint_is_rebuilt_from_the_models_name(directory, tmp_path):
    config = ssl_config(directory, emotion_mix=True)
    model = build_model(config).eval()
    torch.save(model.state_dict(), tmp_path / "model.pth")
    config["encoder_conf"] |= stored(model)
    again = build_model(config, weights_follow=True).eval()
    load_state(again, tmp_path / "model.pth")
    speech = torch.randn(1, 8000)
    assert torch.equal(model.encoder(speech, torch.tensor([8000])).h, again.encoder(speech, torch.tensor([8000])).h)


@pytest.mark.parametrize("changes", [{"save_frozen": True}, {"frozen": False}])
def test_a_checkpoint_that_holds_the_weights_needs_no_directory(tmp_path, changes):
    directory = save_tiny(tmp_path / "model", "hubert-base")
    config = ssl_config(directory, **changes)
    model = build_model(config).eval()
    model.encoder.ssl.model.encoder.layers[0].layer_norm.bias.data += 1.0
    torch.save(model.state_dict(), tmp_path / "model.pth")
    config["encoder_conf"] |= stored(model)
    shutil.rmtree(directory)
    again = build_model(config, weights_follow=True).eval()
    load_state(again, tmp_path / "model.pth")
    speech = torch.randn(1, 8000)
    assert torch.equal(model.encoder(speech, torch.tensor([8000])).h, again.encoder(speech, torch.tensor([8000])).h)
    if "save_frozen" in changes:
        assert not any(p.requires_grad for p in again.encoder.ssl.parameters())
        again.train()
        assert not any(module.training for module in again.encoder.ssl.modules())


def test_other_frozen_weights_are_refused_wherever_a_checkpoint_is_read(tmp_path):
    config = ssl_config(save_tiny(tmp_path / "model", "hubert-base"))
    model = build_model(config)
    torch.save(model.state_dict(), tmp_path / "model.pth")
    config["encoder_conf"] |= stored(model)
    save_tiny(tmp_path / "model", "hubert-base", seed=1)
    with pytest.raises(CheckpointError, match="not those of the training"):
        build_model(config, weights_follow=True)
    del config["encoder_conf"]["stored"]
    other = build_model(config)
    readers = (
        lambda: load_state(other, tmp_path / "model.pth"),
        lambda: average_states([model.state_dict(), other.state_dict()]),
        lambda: init_param(other, f"{tmp_path}/model.pth"),
        lambda: init_param(other, f"{tmp_path}/model.pth:encoder:encoder"),
    )
    for read in readers:
        with pytest.raises(CheckpointError, match="trained on another frozen source") as raised:
            read()
        assert "\n" not in str(raised.value)


def test_averages_keep_the_fingerprint(directory):
    state = build_model(ssl_config(directory)).state_dict()
    average = average_states([state, state])
    assert torch.equal(average["encoder.held.frozen_source_sha256"], state["encoder.held.frozen_source_sha256"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frozen": "yes"}, "encoder_conf.frozen: .*expected true or false"),
        ({"freeze_steps": 3}, "for fine-tuning"),
        ({"layer_decay": 0.9}, "for fine-tuning"),
        ({"frozen": False, "layer_decay": 1.5}, "layer_decay: .*above 0"),
        ({"frozen": False, "freeze_steps": 1.5}, "freeze_steps: .*whole number"),
        ({"frozen": False, "save_frozen": True}, "save_frozen is for frozen"),
        ({"layers": "all"}, r"layers: .*mix \| last; got 'all'"),
        ({"top": "lstm"}, r"bilstm \| conformer"),
        ({"top_conf": {"hiden_size": 3}}, "top_conf: .*did you mean 'hidden_size'"),
        ({"frosen": True}, "did you mean 'frozen'"),
        ({"stored": {"model": {}}}, "encoder_conf.stored: not as training writes it"),
        ({"layers": "last"}, "a second layer mix needs layers: mix"),
    ],
)
def test_a_wrong_option_is_one_line(directory, changes, message):
    with pytest.raises(ConfigError, match=message):
        build_model(ssl_config(directory, emotion_mix=True, **changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"specaug": "specaug"}, "specaug: encoder: ssl works on samples"),
        ({"normalize": "utterance_mvn"}, "normalize: encoder: ssl works on samples"),
        ({"fs": 8000}, "another sample rate"),
    ],
)
def test_what_does_not_go_with_samples_is_refused(directory, changes, message):
    with pytest.raises(ConfigError, match=message):
        build_model({**ssl_config(directory), **changes})


def test_an_initialisation_does_not_overwrite_pretrained_weights(directory):
    with pytest.raises(ConfigError, match="would overwrite the pretrained weights"):
        build_model({**ssl_config(directory, **FINE), "init": "xavier_uniform"})
    plain, initialised = (build_model({**ssl_config(directory), "init": init}) for init in (None, "xavier_uniform"))
    weights = (model.encoder.source.state_dict() for model in (plain, initialised))
    assert all(torch.equal(one, other) for one, other in zip(*(state.values() for state in weights), strict=True))
