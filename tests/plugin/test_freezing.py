import pytest
import torch
from torch import nn

from espnet_ent.errors import ConfigError
from espnet_ent.plugin.freezing import check_freeze_param, train_unfrozen


def model():
    encoder = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Dropout(0.5))
    return nn.ModuleDict({"encoder": encoder, "head": nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5))})


def test_a_frozen_module_neither_drifts_nor_drops_out():
    net = model()
    net["encoder"].requires_grad_(False)
    train_unfrozen(net)
    before = net["encoder"][1].running_mean.clone()
    x = torch.randn(8, 2)
    assert torch.equal(net["encoder"](x), net["encoder"](x))
    assert torch.equal(net["encoder"][1].running_mean, before)
    assert net["head"][1].training


def test_a_module_frozen_in_part_trains():
    net = model()
    net["encoder"][0].requires_grad_(False)
    train_unfrozen(net)
    assert not net["encoder"][0].training
    assert net["encoder"][1].training
    assert net["encoder"][2].training


def test_a_prefix_that_names_nothing_is_refused():
    check_freeze_param(model(), ["encoder", "head.0.weight"])
    for prefix in ("enc", "encoder.9"):
        with pytest.raises(ConfigError, match=f"got {prefix}"):
            check_freeze_param(model(), [prefix])
