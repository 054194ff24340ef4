import numpy as np
import pytest
import torch

from espnet_ent.errors import ConfigError
from espnet_ent.plugin.builder import REGISTRY, build_model
from tests.plugin.tiny import tiny_batch, tiny_config

RNN = {"num_layers": 2, "hidden_size": 8, "output_size": 16, "subsample": [2, 2]}
TRANSFORMER = {"output_size": 16, "attention_heads": 2, "linear_units": 16, "num_blocks": 2}
E_BRANCHFORMER = {**TRANSFORMER, "cgmlp_linear_units": 16, "cgmlp_conv_kernel": 3, "rel_pos_type": "latest"}
BRANCHFORMER = {key: value for key, value in E_BRANCHFORMER.items() if key != "linear_units"}


@pytest.mark.parametrize(
    ("encoder", "conf"),
    [
        ("conformer", tiny_config()["encoder_conf"]),
        ("rnn", RNN),
        ("transformer", TRANSFORMER),
        ("e_branchformer", E_BRANCHFORMER),
        ("branchformer", BRANCHFORMER),
        ("contextual_block_transformer", TRANSFORMER),
        ("contextual_block_conformer", TRANSFORMER),
    ],
)
@pytest.mark.parametrize("transducer", ["transducer", "factorized_transducer"])
def test_every_encoder_builds_and_trains_with_both_transducers(encoder, conf, transducer):
    model = build_model(tiny_config(encoder=encoder, encoder_conf=conf, transducer=transducer))
    loss, stats, weight = model(**tiny_batch())
    loss.backward()
    assert torch.isfinite(loss)
    assert int(weight) == 2
    assert {"loss", "loss_transducer", "loss_lattice", "loss_utterance", "acc_emotion"} <= stats.keys()
    lacking = [
        name for name, p in model.named_parameters() if p.grad is None and not name.startswith("encoder.frontend")
    ]
    assert not lacking


def test_the_grid_tells_the_encoders_true_frame_rate():
    for conf, factor in ((tiny_config()["encoder_conf"], 4), ({**TRANSFORMER, "input_layer": "conv2d2"}, 2)):
        encoder = "conformer" if factor == 4 else "transformer"
        model = build_model(tiny_config(encoder=encoder, encoder_conf=conf)).eval()
        assert model.encoder.grid.samples_per_frame == 160 * factor
        states = model.encoder(torch.randn(1, 32000), torch.tensor([32000]))
        assert abs(int(states.lengths[0]) - 32000 / (160 * factor)) <= 2


@pytest.mark.parametrize("use_projection", [True, False])
def test_the_grid_of_a_recurrent_encoder_tells_its_true_frame_rate(use_projection):
    model = build_model(tiny_config(encoder="rnn", encoder_conf={**RNN, "use_projection": use_projection})).eval()
    states = model.encoder(torch.randn(1, 32000), torch.tensor([32000]))
    assert abs(int(states.lengths[0]) - 32000 / model.encoder.grid.samples_per_frame) <= 2


def test_a_weight_of_zero_builds_no_branch():
    conf = {"lattice_weight": 0, "utterance_weight": 0}
    model = build_model(tiny_config(model_conf=conf))
    assert model.emotion_joint is None
    assert model.utterance_head is None
    assert model.ctc is None
    _, stats, _ = model(**tiny_batch())
    assert set(stats) == {"loss", "loss_transducer"}


@pytest.mark.parametrize("component", ["emotion_joint", "utterance_head"])
def test_a_branch_that_is_left_out_while_its_loss_has_a_weight_is_refused(component):
    config = tiny_config()
    config[component] = None
    with pytest.raises(ConfigError, match=component):
        build_model(config)


def test_ctc_and_language_model_losses_are_built_on_demand():
    conf = {"ctc_weight": 0.3, "lm_weight": 0.1}
    model = build_model(tiny_config(transducer="factorized_transducer", model_conf=conf))
    _, stats, _ = model(**tiny_batch())
    assert {"loss_ctc", "loss_lm"} <= stats.keys()


def test_a_language_model_loss_needs_the_factorized_transducer():
    with pytest.raises(ConfigError, match="factorized_transducer"):
        build_model(tiny_config(model_conf={"lm_weight": 0.1}))


def test_a_layer_mix_needs_an_encoder_that_gives_its_layers():
    with pytest.raises(ConfigError, match="layer mix"):
        build_model(tiny_config(encoder="rnn", encoder_conf=RNN, model_conf={"emotion_layer_mix": True}))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"model_conf": {"latice_weight": 1}}, "lattice_weight"),
        ({"encoder_conf": {"output_sizes": 4}}, "output_size"),
        ({"transducer_conf": {"joint": 4}}, "joint_size"),
        ({"encoder": "conformr"}, "conformer"),
        ({"transducer": "none"}, "factorized_transducer"),
    ],
)
def test_unknown_names_and_keys_are_refused_with_what_is_known(changes, named):
    with pytest.raises(ConfigError, match=named):
        build_model(tiny_config(**changes))


@pytest.mark.parametrize("option", ["lattice_pooling", "neutral_term"])
def test_unknown_forms_of_the_lattice_loss_are_refused_when_the_model_is_built(option):
    with pytest.raises(ConfigError, match=option):
        build_model(tiny_config(model_conf={option: "nonsense"}))


def test_a_weight_that_is_not_a_number_is_refused():
    with pytest.raises(ConfigError, match="ctc_weight"):
        build_model(tiny_config(model_conf={"ctc_weight": "much"}))


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf")])
def test_a_weight_out_of_range_is_refused(value):
    with pytest.raises(ConfigError, match=r"model_conf\.utterance_weight.*0 or more"):
        build_model(tiny_config(model_conf={"utterance_weight": value}))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"num_blocks": "four"}, "encoder_conf: conformer refuses.*num_blocks"),
        ({"attention_heads": 3}, "encoder_conf: conformer refuses.*assert n_feat % n_head == 0"),
    ],
)
def test_a_value_that_a_component_refuses_is_named(changes, named):
    with pytest.raises(ConfigError, match=named):
        build_model(tiny_config(encoder_conf={**tiny_config()["encoder_conf"], **changes}))


def test_global_mvn_needs_its_statistics_unless_weights_follow(tmp_path):
    config = tiny_config(normalize="global_mvn", normalize_conf={"stats_file": str(tmp_path / "none.npz")})
    with pytest.raises(ConfigError, match="stage 10"):
        build_model(config)
    model = build_model(config, weights_follow=True)
    np.savez(tmp_path / "none.npz", count=2, sum=np.zeros(20), sum_square=np.full(20, 8.0))
    trained = build_model(config)
    model.load_state_dict(trained.state_dict())
    torch.testing.assert_close(model.encoder.normalize.std, torch.full((20,), 2.0), check_dtype=False)


def test_registry_covers_all_components_of_the_task():
    assert list(REGISTRY) == [
        "frontend",
        "specaug",
        "normalize",
        "encoder",
        "emotion_branch",
        "transducer",
        "emotion_joint",
        "utterance_head",
    ]
