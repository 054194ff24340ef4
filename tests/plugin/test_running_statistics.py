import torch
from torch import nn

from espnet_ent.plugin.running_statistics import RunningStatistics


def test_what_a_batch_did_to_the_statistics_can_be_undone():
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.BatchNorm1d(3, track_running_stats=False))
    model(torch.randn(4, 2))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    statistics = RunningStatistics(model)
    statistics.keep()
    model(torch.full((4, 2), float("nan")))
    assert not torch.isfinite(model[1].running_mean).any()
    statistics.restore()
    after = model.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert model[1].num_batches_tracked == 1
