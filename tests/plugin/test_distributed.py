"""Two processes that train together on the CPU."""

import logging

import pytest
import torch
from espnet2.train.distributed_utils import DistributedOption

from espnet_ent.errors import CheckpointError, ConfigError
from espnet_ent.plugin.distributed import check_same_epoch, failures_named, share_model
from espnet_ent.plugin.stopping import StoppedError
from espnet_ent.plugin.trainer import ENTTrainer
from tests.plugin import forked
from tests.plugin.training import Batches, TinyModel, options, resumable, same, statistics

WORLD_SIZE = 2


def train_share(output_dir, rank, faults, num_batches, changes):
    """Train on the part of each batch that belongs to a rank."""
    meeting = f"file://{output_dir}/.meeting{changes.get('max_epoch')}"
    torch.distributed.init_process_group("gloo", init_method=meeting, world_size=WORLD_SIZE, rank=rank)
    logging.basicConfig(filename=output_dir / f"{rank}.log", level="WARNING", force=True)
    torch.manual_seed(0)
    model = TinyModel()
    share = slice(rank, None, WORLD_SIZE)
    ENTTrainer.run(
        model=model,
        optimizers=[torch.optim.SGD(model.parameters(), lr=0.1)],
        schedulers=[None],
        train_iter_factory=Batches(num_batches[rank], faults=faults[rank], share=share),
        valid_iter_factory=Batches(2, share=share),
        plot_attention_iter_factory=None,
        trainer_options=options(output_dir, **changes),
        distributed_option=DistributedOption(distributed=True, dist_rank=rank, dist_world_size=WORLD_SIZE),
    )
    torch.save(model.state_dict(), output_dir / f"{rank}.pth")
    torch.distributed.destroy_process_group()


def train(output_dir, faults=({}, {}), num_batches=(4, 4), function=train_share, **changes):
    output_dir.mkdir()
    children = [forked.start(function, output_dir, rank, faults, num_batches, changes) for rank in range(WORLD_SIZE)]
    assert [forked.finish(child) for child in children] == [forked.SUCCESS] * WORLD_SIZE
    return output_dir


def parameters(output_dir, rank):
    return torch.load(output_dir / f"{rank}.pth", weights_only=True)


def learned(state):
    return {key: value for key, value in state.items() if key.startswith("linear")}


def test_all_processes_end_with_the_same_parameters_and_one_writes(tmp_path):
    run = train(tmp_path / "run")
    assert same(learned(parameters(run, 0)), learned(parameters(run, 1)))
    assert (run / "valid.loss.ave.pth").exists()
    assert statistics(run, 3, "valid")["ua_teacher_forced"] == pytest.approx((3 / 4 + 4 / 4) / 2)


def test_a_resumed_run_ends_as_an_unbroken_one(tmp_path):
    whole = train(tmp_path / "whole", max_epoch=2)

    def twice(output_dir, rank, faults, num_batches, changes):
        for epochs in (1, 2):
            train_share(output_dir, rank, faults, num_batches, {"max_epoch": epochs})

    pieces = train(tmp_path / "pieces", function=twice)
    assert same(resumable(whole)["model"], resumable(pieces)["model"])


def test_a_share_that_is_not_finite_is_skipped_by_all_and_named(tmp_path):
    run = train(tmp_path / "run", faults=({}, {(1, 1): "nan"}))
    assert same(learned(parameters(run, 0)), learned(parameters(run, 1)))
    assert all(value.isfinite().all() for rank in range(WORLD_SIZE) for value in parameters(run, rank).values())
    assert statistics(run, 1, "train")["nonfinite_batches"] == 1
    log = (run / "0.log").read_text()
    assert "b utt" in log
    assert "a utt" not in log


def test_an_epoch_ends_with_the_shortest_share(tmp_path):
    run = train(tmp_path / "run", num_batches=(3, 5), max_epoch=1)
    assert statistics(run, 1, "train")["total_count"] == 3 + 1


def test_a_stop_of_one_process_stops_all(tmp_path):
    def stopped(*args):
        with pytest.raises(StoppedError):
            train_share(*args)

    train(tmp_path / "run", faults=({}, {(1, 1): "sigterm"}), function=stopped)


def test_parameters_without_a_gradient_are_told_of_in_one_line(tmp_path):
    class Partly(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)

        def forward(self, x):
            return self.used(x).sum()

    def unused():
        torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/meeting", world_size=1, rank=0)
        shared = share_model(Partly(), False, True, None)
        shared(torch.ones(1, 2)).backward()
        told = pytest.raises(ConfigError, match="get no gradient; got false; next: pass --unused_parameters true")
        with told, failures_named():
            shared(torch.ones(1, 2))
        shared = share_model(Partly(), True, True, None)
        for _ in range(2):
            shared(torch.ones(1, 2)).backward()

    assert forked.run(unused) == forked.SUCCESS


def test_processes_that_found_different_checkpoints_stop(tmp_path):
    def check(output_dir, rank, *_):
        meeting = f"file://{output_dir}/.meeting"
        torch.distributed.init_process_group("gloo", init_method=meeting, world_size=WORLD_SIZE, rank=rank)
        check_same_epoch(3, output_dir)
        with pytest.raises(CheckpointError, match="see different checkpoints; got epochs 0 1"):
            check_same_epoch(rank, output_dir)

    train(tmp_path / "run", function=check)
