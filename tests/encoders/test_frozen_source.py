import copy

import pytest
import torch
from torch import nn

from espnet_ent.encoders.frozen_source import DIGEST, FrozenSource, source_digest
from espnet_ent.errors import CheckpointError
from espnet_ent.plugin.averaging import average_states
from espnet_ent.plugin.checkpoint_files import load_state, write_checkpoint
from espnet_ent.plugin.freezing import train_unfrozen


def pretrained(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Dropout(0.5))


def held(module, description):
    return FrozenSource(module, source_digest(module.state_dict(), description))


def model(seed=0, **description):
    torch.manual_seed(9)
    return nn.ModuleDict({"source": held(pretrained(seed), description), "head": nn.Linear(3, 2)})


def test_a_frozen_source_is_in_no_optimizer_no_checkpoint_and_never_in_training():
    net = model()
    assert set(dict(net.named_parameters())) == {"head.weight", "head.bias"}
    assert set(net.state_dict()) == {"head.weight", "head.bias", f"source.{DIGEST}"}
    for train in (nn.Module.train, train_unfrozen):
        train(net)
        assert not any(module.training for module in net["source"].module.modules())
    before = copy.deepcopy(net["source"].module.state_dict())
    x = torch.randn(8, 3, requires_grad=True)
    y = net["source"](x)
    assert not y.requires_grad
    assert torch.equal(y, net["source"](x))
    assert all(torch.equal(value, before[key]) for key, value in net["source"].module.state_dict().items())


def test_it_follows_the_model_to_another_type_and_into_copies():
    net = model().to(torch.float64)
    assert net["source"](torch.randn(2, 3, dtype=torch.float64)).dtype == torch.float64
    assert net["source"].get_buffer(DIGEST).dtype == torch.uint8
    twin = copy.deepcopy(net)
    twin["source"].module[0].weight.data.zero_()
    assert net["source"].module[0].weight.abs().sum() > 0


def test_the_digest_tells_every_change_and_nothing_else():
    state = pretrained().state_dict()
    digest = source_digest(state, {"hop": 160, "rate": 16000})
    assert digest.shape == (32,)
    assert torch.equal(digest, source_digest(dict(reversed(state.items())), {"rate": 16000, "hop": 160}))
    changed = [
        (state, {"hop": 128, "rate": 16000}),
        ({**state, "0.weight": state["0.weight"] + 1e-6}, {"hop": 160, "rate": 16000}),
        ({**state, "0.weight": state["0.weight"].reshape(9)}, {"hop": 160, "rate": 16000}),
        ({f"x{key}": value for key, value in state.items()}, {"hop": 160, "rate": 16000}),
    ]
    for other, description in changed:
        assert not torch.equal(digest, source_digest(other, description))


def test_the_digest_does_not_depend_on_the_memory_layout():
    convolution = nn.Conv2d(2, 3, 3)
    before = source_digest(convolution.state_dict(), {})
    convolution.to(memory_format=torch.channels_last)
    assert torch.equal(before, source_digest(convolution.state_dict(), {}))


def test_a_checkpoint_of_another_source_is_refused_however_it_is_loaded(tmp_path):
    write_checkpoint(tmp_path / "m.pth", dict(model(seed=1).state_dict()))
    load_state(model(seed=1), tmp_path / "m.pth")
    with pytest.raises(CheckpointError, match=r"m\.pth: checkpoint was trained on another frozen source.*next: "):
        load_state(model(seed=2), tmp_path / "m.pth")
    with pytest.raises(CheckpointError, match="another frozen source"):
        model(seed=2).load_state_dict(model(seed=1).state_dict())
    with pytest.raises(CheckpointError, match="another frozen source"):
        model(seed=1, hop=1).load_state_dict(model(seed=1, hop=2).state_dict())


def test_averages_keep_the_digest_and_refuse_two_sources():
    one = model().state_dict()
    other = {**one, "head.bias": one["head.bias"] + 2}
    found = average_states([one, other])
    assert torch.equal(found[f"source.{DIGEST}"], one[f"source.{DIGEST}"])
    torch.testing.assert_close(found["head.bias"], one["head.bias"] + 1)
    with pytest.raises(CheckpointError, match="averaging: checkpoint was trained on another frozen source"):
        average_states([one, model(seed=2).state_dict()])
