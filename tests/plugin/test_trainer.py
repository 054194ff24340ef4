import logging
import math
import os
import signal

import pytest
import torch

from espnet_ent.errors import CheckpointError, ConfigError, NonFiniteError
from espnet_ent.plugin import stopping
from espnet_ent.plugin.checkpoints import read_checkpoint
from espnet_ent.plugin.stopping import StoppedError
from tests.plugin import forked
from tests.plugin.training import assert_same_run, bytes_of, resumable, same, statistics, train

TWO_CRITERIA = [("valid", "loss", "min"), ("valid", "ua_teacher_forced", "max")]


def listing(directory):
    return {p.name: (p.lstat().st_mtime_ns, p.lstat().st_ino, p.lstat().st_size) for p in directory.iterdir()}


def test_the_same_seed_gives_the_same_parameters_to_the_bit(tmp_path):
    train(tmp_path / "a")
    train(tmp_path / "b")
    assert_same_run(tmp_path / "a", tmp_path / "b")


def test_another_seed_gives_other_parameters(tmp_path):
    train(tmp_path / "a")
    train(tmp_path / "b", seed=8)
    assert bytes_of(tmp_path / "a") != bytes_of(tmp_path / "b")


def test_a_run_stopped_after_each_epoch_ends_as_an_unbroken_one(tmp_path):
    train(tmp_path / "whole", max_epoch=4)
    for epoch in range(1, 5):
        train(tmp_path / "pieces", max_epoch=epoch)
    assert same(resumable(tmp_path / "whole"), resumable(tmp_path / "pieces"))
    for name in ("4epoch.pth", "latest.pth", "valid.loss.best.pth", "valid.loss.ave.pth"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "pieces" / name).read_bytes()


@pytest.mark.parametrize("where", [(1, 0), (2, 1), (3, 3)])
def test_a_run_broken_off_within_an_epoch_resumes_to_the_same_end(tmp_path, where):
    train(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "broken", faults={where: "crash"})
    train(tmp_path / "broken")
    assert_same_run(tmp_path / "whole", tmp_path / "broken")


def test_a_kill_before_any_step_of_saving_resumes_to_the_same_end(tmp_path):
    options = {"best_model_criterion": TWO_CRITERIA, "keep_nbest_models": [1], "max_epoch": 3}
    train(tmp_path / "whole", **options)
    num_kills = 0
    for step in range(1, 200):
        run = tmp_path / f"killed{step}"
        status = forked.run(forked.kill_before_step, step, train, run, **options)
        if status == forked.SUCCESS:
            break
        assert status == -signal.SIGKILL
        num_kills += 1
        for link in filter(os.path.islink, run.iterdir()):
            assert link.exists(), f"{link.name} dangles after a kill before step {step}"
        train(run, **options)
        assert_same_run(tmp_path / "whole", run)
    assert num_kills > 40


def test_a_finished_run_changes_nothing_when_run_again(tmp_path):
    train(tmp_path / "run", use_tensorboard=True, patience=1, max_epoch=30)
    before = listing(tmp_path / "run"), listing(tmp_path / "run" / "tensorboard" / "train")
    train(tmp_path / "run", use_tensorboard=True, patience=1, max_epoch=30)
    assert (listing(tmp_path / "run"), listing(tmp_path / "run" / "tensorboard" / "train")) == before


def test_a_run_is_not_overwritten_by_one_that_does_not_resume(tmp_path):
    train(tmp_path / "run", max_epoch=1)
    with pytest.raises(ConfigError, match="would overwrite"):
        train(tmp_path / "run", resume=False)


def test_recall_of_the_whole_validation_set_is_a_statistic_and_a_criterion(tmp_path):
    train(tmp_path / "run", best_model_criterion=TWO_CRITERIA)
    found = statistics(tmp_path / "run", 1, "valid")
    assert found["ua_teacher_forced"] == pytest.approx((3 / 4 + 4 / 4) / 2)
    assert (tmp_path / "run" / "valid.ua_teacher_forced.ave.pth").exists()
    assert (tmp_path / "run" / "valid.loss.best.pth").is_symlink()


def test_a_criterion_that_names_no_statistic_is_refused_before_anything_is_deleted(tmp_path):
    with pytest.raises(ConfigError, match="best_model_criterion names no statistic; expected for example valid loss"):
        train(tmp_path / "run", best_model_criterion=[("valid", "los", "min")])
    train(tmp_path / "run")
    before = bytes_of(tmp_path / "run")
    with pytest.raises(ConfigError, match="names no statistic"):
        train(tmp_path / "run", best_model_criterion=[("valid", "los", "min")], max_epoch=9)
    assert bytes_of(tmp_path / "run") == before


@pytest.mark.parametrize("fault", ["nan", "inf"])
def test_a_batch_that_is_not_finite_is_skipped_counted_and_named(tmp_path, caplog, fault):
    with caplog.at_level(logging.WARNING):
        model = train(tmp_path / "run", faults={(1, 1): fault, (1, 2): fault})
    assert all(torch.isfinite(p).all() for p in model.parameters())
    messages = [record.message for record in caplog.records if "not finite" in record.message]
    assert len(messages) == 2
    assert all(message.count("utt") == 4 for message in messages)
    found = statistics(tmp_path / "run", 1, "train")
    assert math.isfinite(found["loss"])
    assert found["nonfinite_batches"] == 2
    assert statistics(tmp_path / "run", 2, "train")["nonfinite_batches"] == 0


def test_a_skipped_batch_takes_no_step_of_optimizer_or_scheduler(tmp_path):
    train(tmp_path / "run", faults={(1, 3): "nan"}, max_epoch=1)
    state = read_checkpoint(tmp_path / "run" / "checkpoint.pth")
    assert int(state["optimizers"][0]["state"][0]["step"]) == 3
    assert state["schedulers"][0]["_step_count"] == 1 + 3


def test_a_skipped_batch_leaves_the_gradients_added_up_before_it(tmp_path):
    train(tmp_path / "run", faults={(1, 3): "nan"}, max_epoch=1, accum_grad=4)
    assert int(read_checkpoint(tmp_path / "run" / "checkpoint.pth")["optimizers"][0]["state"][0]["step"]) == 1


def test_a_gradient_that_is_not_finite_is_skipped_and_named(tmp_path, caplog):
    def poison(model):
        calls = iter(range(100))
        model.linear.weight.register_hook(lambda grad: grad * (float("inf") if next(calls) == 2 else 1.0))
        return model

    model = train(tmp_path / "run", prepare=poison, max_epoch=1)
    assert torch.isfinite(model.linear.weight).all()
    assert "train: gradient is not finite, batch skipped: utt" in caplog.text
    found = statistics(tmp_path / "run", 1, "train")
    assert found["nonfinite_batches"] == 1
    assert math.isfinite(found["grad_norm"])


def test_too_many_batches_that_are_not_finite_stop_the_run_and_leave_the_checkpoint(tmp_path):
    train(tmp_path / "run", max_epoch=1)
    before = listing(tmp_path / "run")
    with pytest.raises(NonFiniteError, match="3 batches"):
        train(tmp_path / "run", faults={(2, position): "nan" for position in range(3)})
    assert listing(tmp_path / "run") == before


@pytest.mark.parametrize("phase", ["faults", "valid_faults"])
def test_an_epoch_without_a_finite_batch_stops_the_run(tmp_path, phase):
    with pytest.raises(NonFiniteError, match="no batch of this epoch was finite"):
        train(tmp_path / "run", max_nonfinite_batches=9, **{phase: {(1, p): "nan" for p in range(4)}})


def test_an_epoch_whose_validation_skipped_a_batch_is_not_the_best(tmp_path, caplog):
    train(tmp_path / "run", valid_faults={(3, 0): "nan", (2, 1): "inf"}, keep_nbest_models=[1])
    assert "valid: loss is not finite" in caplog.text.replace("loss acc", "loss")
    assert os.readlink(tmp_path / "run" / "valid.loss.best.pth") == "1epoch.pth"
    assert statistics(tmp_path / "run", 3, "valid")["nonfinite_batches"] == 1


def test_sigterm_finishes_the_batch_and_the_run_resumes_to_the_same_end(tmp_path):
    train(tmp_path / "whole")
    with pytest.raises(StoppedError, match="stopped by SIGTERM"):
        train(tmp_path / "run", faults={(2, 1): "sigterm"})
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    train(tmp_path / "run")
    assert_same_run(tmp_path / "whole", tmp_path / "run")


def test_sigterm_during_validation_stops_too(tmp_path):
    with pytest.raises(StoppedError):
        train(tmp_path / "run", valid_faults={(1, 0): "sigterm"})


def test_sigterm_breaks_off_a_batch_that_takes_too_long(tmp_path, monkeypatch):
    monkeypatch.setattr(stopping.stop_on_sigterm.__wrapped__, "__defaults__", (0.05,))
    with pytest.raises(StoppedError):
        train(tmp_path / "run", faults={(1, 1): "slow"})


def test_a_worker_ended_by_the_same_sigterm_is_no_error_of_its_own(tmp_path):
    def lose_a_worker(by_sigterm):
        with stopping.stop_on_sigterm(tmp_path):
            if by_sigterm:
                os.kill(os.getpid(), signal.SIGTERM)
            raise RuntimeError("DataLoader worker (pid 1) is killed by signal: Terminated.")

    with pytest.raises(StoppedError):
        lose_a_worker(by_sigterm=True)
    with pytest.raises(RuntimeError, match="worker"):
        lose_a_worker(by_sigterm=False)


def test_a_damaged_checkpoint_is_refused_not_restarted_from(tmp_path):
    train(tmp_path / "run", max_epoch=1)
    path = tmp_path / "run" / "checkpoint.pth"
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(CheckpointError, match=r"checkpoint\.pth"):
        train(tmp_path / "run")


@pytest.mark.parametrize("part", ["model", "reporter", "optimizers", "schedulers"])
def test_a_checkpoint_that_lacks_a_part_is_refused(tmp_path, part):
    train(tmp_path / "run", max_epoch=1)
    path = tmp_path / "run" / "checkpoint.pth"
    state = read_checkpoint(path)
    del state[part]
    torch.save(state, path)
    with pytest.raises(CheckpointError, match=part):
        train(tmp_path / "run")


def test_another_scheduler_can_not_resume(tmp_path):
    train(tmp_path / "run", max_epoch=1)
    with pytest.raises(CheckpointError, match="scheduler"):
        train(tmp_path / "run", make_scheduler=None)


@pytest.mark.parametrize(("accum_grad", "num_steps"), [(4, 1), (3, 2), (1, 4)])
def test_gradients_are_accumulated_and_none_is_left_over(tmp_path, accum_grad, num_steps):
    train(tmp_path / "run", accum_grad=accum_grad, max_epoch=1)
    state = read_checkpoint(tmp_path / "run" / "checkpoint.pth")["optimizers"][0]["state"]
    assert int(state[0]["step"]) == num_steps


def test_patience_stops_early(tmp_path):
    train(tmp_path / "run", max_epoch=50, patience=1)
    assert read_checkpoint(tmp_path / "run" / "checkpoint.pth")["reporter"]["epoch"] < 50
    assert (tmp_path / "run" / "valid.loss.ave.pth").exists()


def test_schedulers_that_step_by_epoch_or_by_value_resume(tmp_path):
    for name, make in {
        "step": lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5),
        "plateau": lambda optimizer: torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0),
    }.items():
        train(tmp_path / name, make_scheduler=make, max_epoch=2)
        train(tmp_path / name, make_scheduler=make, max_epoch=4)
        train(tmp_path / f"whole_{name}", make_scheduler=make, max_epoch=4)
        assert same(resumable(tmp_path / name), resumable(tmp_path / f"whole_{name}"))


def test_averages_on_the_way_are_written_on_request(tmp_path):
    train(tmp_path / "run", nbest_averaging_interval=2, max_epoch=4)
    assert (tmp_path / "run" / "valid.loss.ave_2best.till2epoch.pth").exists()
    assert (tmp_path / "run" / "valid.loss.ave.till4epoch.pth").exists()


def test_progress_is_one_readable_line_an_epoch(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        train(tmp_path / "run", max_epoch=2, faults={(2, 0): "nan"})
    lines = [record.message for record in caplog.records if record.message.startswith("epoch ")]
    assert [line.split(":")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]
    assert "valid loss" in lines[0]
    assert "train skipped 1 batches" in lines[1]


def test_statistics_within_an_epoch_are_logged_on_request(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        train(tmp_path / "run", max_epoch=1, log_interval=2)
    assert [record.message.split("batch")[0] for record in caplog.records if "1epoch:train" in record.message] == [
        "1epoch:train:1-2",
        "1epoch:train:3-4",
    ]


def test_the_checkpoint_is_plain_data(tmp_path):
    train(tmp_path / "run", max_epoch=1)
    assert torch.load(tmp_path / "run" / "checkpoint.pth", weights_only=True)["reporter"]["epoch"] == 1
