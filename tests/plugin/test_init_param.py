import pytest
import torch
from torch import nn

from espnet_ent.errors import CheckpointError
from espnet_ent.plugin.init_param import InitParam, init_param


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
