import pytest
import torch
from espnet2.schedulers.cosine_anneal_warmup_restart import CosineAnnealingWarmupRestarts
from torch import nn

from espnet_ent.plugin.parameter_groups import effective_rates, scaled_rates, split_groups


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.top, self.middle, self.bottom = (nn.Linear(1, 1, bias=False) for _ in range(3))

    def rate_scales(self):
        return {self.middle.weight: 0.5, self.bottom.weight: 0.0}


@pytest.fixture
def model():
    return nn.ModuleDict({"scaled": Scaled(), "other": nn.Linear(1, 1, bias=False)})


def test_groups_are_split_by_scale_and_scale_zero_is_out(model):
    decayed = {"params": [model["scaled"].top.weight, model["scaled"].middle.weight], "weight_decay": 0.1}
    others = {"params": [model["scaled"].bottom.weight, model["other"].weight], "weight_decay": 0.0}
    optimizer = torch.optim.AdamW([decayed, others], lr=1.0)
    split_groups(optimizer, model)
    found = [(group["params"], group["lr_scale"], group["weight_decay"]) for group in optimizer.param_groups]
    assert found == [
        ([model["scaled"].top.weight], 1.0, 0.1),
        ([model["scaled"].middle.weight], 0.5, 0.1),
        ([model["other"].weight], 1.0, 0.0),
    ]


def test_a_model_without_scales_keeps_its_groups():
    model = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    split_groups(optimizer, model)
    assert [len(group["params"]) for group in optimizer.param_groups] == [2]
    assert "lr_scale" not in optimizer.param_groups[0]


def test_rates_are_scaled_for_the_step_alone_whatever_the_scheduler_sets(model):
    """ESPnet's cosine schedule gives all groups one rate, and would undo rates of their own."""
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    split_groups(optimizer, model)
    scheduler = CosineAnnealingWarmupRestarts(optimizer, first_cycle_steps=10, warmup_steps=2, max_lr=0.8, min_lr=0.1)
    for _ in range(4):
        rate = optimizer.param_groups[0]["lr"]
        assert effective_rates(optimizer) == [rate, 0.5 * rate]
        before = [group["params"][0].item() for group in optimizer.param_groups]
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = torch.ones_like(parameter)
        with scaled_rates(optimizer):
            optimizer.step()
        moved = [old - group["params"][0].item() for old, group in zip(before, optimizer.param_groups, strict=True)]
        assert moved == pytest.approx([rate, 0.5 * rate], rel=1e-4)
        assert [group["lr"] for group in optimizer.param_groups] == [rate, rate]
        scheduler.step()


def test_scales_survive_saving_and_loading(model):
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    split_groups(optimizer, model)
    state = optimizer.state_dict()
    again = torch.optim.SGD(model.parameters(), lr=1.0)
    split_groups(again, model)
    again.load_state_dict(state)
    assert effective_rates(again) == [1.0, 0.5]
