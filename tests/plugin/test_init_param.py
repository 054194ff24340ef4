import logging

import pytest
import torch
from torch import nn

from espnet_ent.errors import CheckpointError
from espnet_ent.plugin.builder import build_model
from espnet_ent.plugin.init_param import InitParam, init_param
from tests.plugin.asr_models import CHECKPOINT, ENCODERS, NUM_MELS, make_recogniser
from tests.plugin.tiny import tiny_config


def model():
    return nn.ModuleDict({"encoder": nn.Linear(2, 3), "head": nn.Linear(3, 4)})


@pytest.fixture
def source(tmp_path):
    source = model()
    torch.save(source.state_dict(), tmp_path / "m.pth")
    source.path = str(tmp_path / "m.pth")
    return source


def test_form_of_the_option():
    assert InitParam.parse("m.pth:a:b:c,d") == InitParam("m.pth", "a", "b", ("c", "d"))
    assert InitParam.parse("m.pth") == InitParam("m.pth")
    with pytest.raises(CheckpointError, match="malformed"):
        InitParam.parse("a:b:c:d:e")


@pytest.mark.parametrize(
    ("suffix", "changed"),
    [
        ("", {"encoder.weight", "encoder.bias", "head.weight", "head.bias"}),
        (":encoder:encoder", {"encoder.weight", "encoder.bias"}),
        (":encoder:encoder:", {"encoder.weight", "encoder.bias"}),
        (":::head", {"encoder.weight", "encoder.bias"}),
        (":head:head:head.bias", {"head.weight"}),
    ],
)
def test_what_is_asked_for_is_set_and_counted(source, suffix, changed):
    target = model()
    assert init_param(target, source.path + suffix) == len(changed)
    expected = source.state_dict()
    assert {key for key, value in target.state_dict().items() if torch.equal(value, expected[key])} == changed


@pytest.mark.parametrize("suffix", [":enc:encoder", ":encoder:enc", ":encoder:head", ":decoder", ":::dec"])
def test_prefixes_that_match_nothing_or_do_not_fit_are_refused(source, suffix):
    with pytest.raises(CheckpointError, match="init_param"):
        init_param(model(), source.path + suffix)


def test_a_checkpoint_whose_keys_were_all_renamed_is_refused(tmp_path):
    torch.save({f"x.{key}": value for key, value in model().state_dict().items()}, tmp_path / "m.pth")
    with pytest.raises(CheckpointError, match="0 fit, 4 unknown"):
        init_param(model(), str(tmp_path / "m.pth"), ignore_mismatch=True)


def test_mismatch_may_be_ignored_on_request(tmp_path):
    torch.save(model().state_dict() | {"head.bias": torch.zeros(9)}, tmp_path / "m.pth")
    with pytest.raises(CheckpointError, match=r"1 of another shape: head\.bias"):
        init_param(model(), str(tmp_path / "m.pth"))
    assert init_param(model(), str(tmp_path / "m.pth"), ignore_mismatch=True) == 3


def test_a_file_that_holds_no_parameters_is_refused(tmp_path):
    torch.save({"model": {}, "epoch": 3}, tmp_path / "checkpoint.pth")
    with pytest.raises(CheckpointError, match="not a model's parameters"):
        init_param(model(), str(tmp_path / "checkpoint.pth"))


@pytest.fixture(scope="module")
def recogniser(tmp_path_factory):
    directory = tmp_path_factory.mktemp("asr")
    model = make_recogniser(directory)
    model.path = str(directory / CHECKPOINT)
    model.stats_file = str(directory / "feats_stats.npz")
    return model


def like_the_recogniser(recogniser, tmp_path, **changes):
    """A model of ours with an encoder of the recogniser's form, and other parameters and statistics."""
    (tmp_path / "stats.npz").write_bytes(b"")
    torch.manual_seed(11)
    config = {
        "frontend_conf": {"n_fft": 256, "hop_length": 160, "n_mels": NUM_MELS},
        "normalize": "global_mvn",
        "normalize_conf": {"stats_file": str(tmp_path / "stats.npz")},
        "encoder_conf": ENCODERS["conformer"][1],
    }
    return build_model(tiny_config(**{**config, **changes}), weights_follow=True).eval()


def test_the_encoder_of_an_espnet_asr_model_comes_with_its_statistics(recogniser, tmp_path, caplog):
    target = like_the_recogniser(recogniser, tmp_path)
    with caplog.at_level(logging.INFO):
        number = init_param(target, f"{recogniser.path}:encoder:encoder")
    num_encoder = sum(key.startswith(("encoder.", "normalize.", "frontend.")) for key in recogniser.state_dict())
    assert number == num_encoder == sum(key.startswith("encoder.") for key in target.state_dict())
    assert f"sets {number} of {number} parameters" in caplog.text
    speech, lengths = 0.1 * torch.randn(1, 16000), torch.tensor([16000])
    found = target.encoder(speech, lengths)
    feats, feats_lengths = recogniser.normalize(*recogniser.frontend(speech, lengths))
    recogniser.encoder.to(memory_format=torch.channels_last)
    torch.testing.assert_close(found.h, recogniser.encoder(feats, feats_lengths)[0], atol=1e-6, rtol=1e-6)


def test_what_is_not_set_is_told(recogniser, tmp_path, caplog):
    changes = {"emotion_branch": "local_context", "emotion_branch_conf": {"num_layers": 0}}
    target = like_the_recogniser(recogniser, tmp_path, **changes)
    before = target.encoder.emotion_branch.input.weight.clone()
    with caplog.at_level(logging.INFO):
        number = init_param(target, f"{recogniser.path}:encoder:encoder")
    assert f"sets {number} of {number + 4} parameters" in caplog.text
    assert "leaves as they are emotion_branch.input.bias emotion_branch.input.weight" in caplog.text
    assert torch.equal(target.encoder.emotion_branch.input.weight, before)


def test_statistics_that_find_no_place_are_told(recogniser, tmp_path, caplog):
    target = like_the_recogniser(recogniser, tmp_path, normalize="utterance_mvn", normalize_conf={})
    init_param(target, f"{recogniser.path}:encoder:encoder")
    assert "normalised by normalize.mean normalize.std; this model normalises otherwise" in caplog.text
    for key, value in recogniser.encoder.state_dict().items():
        assert torch.equal(target.encoder.encoder.state_dict()[key], value)


def test_parts_of_an_espnet_asr_model_may_be_taken_by_their_places(recogniser, tmp_path):
    target = like_the_recogniser(recogniser, tmp_path)
    mean = target.encoder.normalize.mean.clone()
    number = init_param(target, f"{recogniser.path}:encoder:encoder.encoder")
    assert number == len(recogniser.encoder.state_dict())
    assert torch.equal(target.encoder.normalize.mean, mean)
    assert init_param(target, f"{recogniser.path}:normalize:encoder.normalize") == 2
    torch.testing.assert_close(target.encoder.normalize.mean, recogniser.normalize.mean, check_dtype=False)


@pytest.mark.parametrize(
    ("suffix", "message"),
    [
        (":encoders:encoder", "no parameter below the source prefix"),
        (":decoder:encoder", "0 fit, .*unknown"),
        (":ctc:encoder", "0 fit, 2 unknown"),
        (":encoder:transducer", "0 fit"),
    ],
)
def test_an_empty_match_with_an_espnet_asr_model_is_refused(recogniser, tmp_path, suffix, message):
    target = like_the_recogniser(recogniser, tmp_path)
    before = {key: value.clone() for key, value in target.state_dict().items()}
    with pytest.raises(CheckpointError, match=message):
        init_param(target, recogniser.path + suffix, ignore_mismatch=True)
    assert all(torch.equal(value, before[key]) for key, value in target.state_dict().items())


def test_an_encoder_of_another_form_is_refused_with_the_counts(recogniser, tmp_path):
    conf = {**ENCODERS["conformer"][1], "num_blocks": 2, "linear_units": 24}
    target = like_the_recogniser(recogniser, tmp_path, encoder_conf=conf)
    with pytest.raises(CheckpointError, match=r"\d+ fit, \d+ unknown, \d+ of another shape: encoder\.encoders\.2"):
        init_param(target, f"{recogniser.path}:encoder:encoder")
