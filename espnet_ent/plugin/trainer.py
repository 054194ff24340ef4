"""Training: our epoch loop around ESPnet's reporter and iterators."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from espnet2.schedulers.abs_scheduler import AbsEpochStepScheduler, AbsValEpochStepScheduler
from espnet2.torch_utils.set_all_random_seed import set_all_random_seed
from espnet2.train.reporter import Reporter
from espnet2.train.trainer import Trainer, TrainerOptions
from torch import nn

from espnet_ent.errors import CheckpointError, ConfigError
from espnet_ent.plugin.checkpoints import CheckpointStore, check_fit, read_checkpoint
from espnet_ent.plugin.distributed import check_same_epoch, in_step, share_model
from espnet_ent.plugin.progress import progress_bar
from espnet_ent.plugin.ranking import Criterion, check_statistic, is_patience_over, parse_criteria, rank_epochs
from espnet_ent.plugin.reporting import epoch_line, reporter_state, restore_reporter
from espnet_ent.plugin.stopping import StopRequest, stop_on_sigterm
from espnet_ent.plugin.training import TrainingEpoch
from espnet_ent.plugin.validation import validate

_SEEDS_OF_A_PROCESS = 1_000_003
"""Processes of a distributed run draw dropout and masks of their own."""


@dataclasses.dataclass
class ENTTrainerOptions(TrainerOptions):
    """ESPnet's options and ours.

    Attributes:
        max_nonfinite_batches: How many batches of an epoch may give a loss or gradient that is not finite.
        keep_all_epochs: Keep the parameters of every epoch.
    """

    max_nonfinite_batches: int
    keep_all_epochs: bool


class ENTTrainer(Trainer):
    """A trainer that resumes to the bit, writes checkpoints whole, and names what goes wrong.

    ESPnet's ``Trainer`` gives the options; the epoch loop and all that concerns files are ours.
    """

    @classmethod
    def build_options(cls, args: argparse.Namespace) -> ENTTrainerOptions:
        """Pick our options from the task's arguments."""
        names = [field.name for field in dataclasses.fields(ENTTrainerOptions)]
        return ENTTrainerOptions(**{name: getattr(args, name) for name in names})

    @classmethod
    def run(
        cls,
        model: nn.Module,
        optimizers: Sequence[torch.optim.Optimizer],
        schedulers: Sequence[Any],
        train_iter_factory: Any,
        valid_iter_factory: Any,
        plot_attention_iter_factory: Any,
        trainer_options: ENTTrainerOptions,
        distributed_option: Any,
    ) -> None:
        """Train until ``max_epoch``; called by ESPnet's task, which holds the lock of the directory.

        Raises:
            ConfigError: If a criterion names no statistic, or the directory holds a run and resuming is off.
            CheckpointError: If the state to resume from is damaged or does not fit, or can't be written.
            NonFiniteError: If too many batches are not finite.
            StoppedError: After SIGTERM.
        """
        with stop_on_sigterm(trainer_options.output_dir) as stop:
            run = _Run(model, optimizers, schedulers, trainer_options, distributed_option, stop)
            run.resume()
            check_same_epoch(run.reporter.get_epoch(), trainer_options.output_dir)
            run.train(train_iter_factory, valid_iter_factory)


class _Run:
    """The state of one training run."""

    def __init__(
        self,
        model: nn.Module,
        optimizers: Sequence[torch.optim.Optimizer],
        schedulers: Sequence[Any],
        options: ENTTrainerOptions,
        distributed_option: Any,
        stop: StopRequest,
    ) -> None:
        self.model = model
        self.optimizers = optimizers
        self.schedulers = schedulers
        self.options = options
        self.distributed_option = distributed_option
        self.stop = stop
        self.device = "cuda" if options.ngpu > 0 else "cpu"
        self.reporter = Reporter()
        self.scaler = _make_scaler(options)
        nbest = options.keep_nbest_models
        self.store = CheckpointStore(
            options.output_dir,
            parse_criteria(options.best_model_criterion, "best_model_criterion"),
            [nbest] if isinstance(nbest, int) else (nbest or [1]),
            options.keep_all_epochs,
        )
        self.is_first = not distributed_option.distributed or distributed_option.dist_rank == 0
        self.writers: list[Any] = []

    def resume(self) -> None:
        """Go on from ``checkpoint.pth`` where there is one.

        Raises:
            ConfigError: If there is one and ``--resume false`` is given: it would be overwritten.
            CheckpointError: If it is damaged or does not fit.
        """
        path = self.store.resume_path
        if self.is_first:
            self.store.clean()
        if not path.exists():
            return
        if not self.options.resume:
            raise ConfigError(
                "the directory holds a run, and --resume false would overwrite it",
                where=self.options.output_dir,
                next_step="pass --resume true, choose another --output_dir, or remove the directory",
            )
        state = read_checkpoint(path)
        try:
            check_fit(self.model.state_dict(), state["model"], path)
            self._restore(state)
        except (KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
            raise CheckpointError(
                "checkpoint does not fit this optimizer or scheduler",
                where=path,
                got=f"{type(error).__name__}: {error}",
                next_step="resume with the configuration that it was written with",
            ) from error
        logging.info(f"resumed after epoch {self.reporter.get_epoch()}")

    def _restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        restore_reporter(self.reporter, state["reporter"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        for scheduler, saved in zip(self.schedulers, state["schedulers"], strict=True):
            if (scheduler is None) != (saved is None):
                raise ValueError("one has a scheduler, the other has not")
            if scheduler is not None:
                scheduler.load_state_dict(saved)
        if self.scaler is not None and state["scaler"] is not None:
            self.scaler.load_state_dict(state["scaler"])

    def train(self, train_iter_factory: Any, valid_iter_factory: Any) -> None:
        """All epochs that are left, then the averages."""
        options = self.options
        last_epoch = self.reporter.get_epoch()
        if last_epoch > 0:
            self._derive(last_epoch)
        model = _data_parallel(self.model, options, self.distributed_option)
        start = time.perf_counter()
        for epoch in range(last_epoch + 1, options.max_epoch + 1):
            if self._is_patience_over():
                logging.info(f"early stopping after epoch {epoch - 1}")
                break
            set_all_random_seed(options.seed + epoch + _SEEDS_OF_A_PROCESS * (self.distributed_option.dist_rank or 0))
            self.reporter.set_epoch(epoch)
            self._train_epoch(model, train_iter_factory.build_iter(epoch))
            self._validate_epoch(model, valid_iter_factory.build_iter(epoch))
            self._step_schedulers()
            if self.is_first:
                self._save(epoch)
            self._derive(epoch)
            if self.is_first:
                self._publish()
            logging.info(
                epoch_line(self.reporter, options.max_epoch, (time.perf_counter() - start) / (epoch - last_epoch))
            )
        for writer in self.writers:
            writer.close()
        if self.is_first and self.reporter.get_epoch() > 0:
            self.store.average(self._best())

    def _train_epoch(self, model: nn.Module, iterator: Iterable) -> None:
        batches = in_step(iterator, self.stop, self.device)
        if self.is_first:
            batches = progress_bar(batches, iterator, f"epoch {self.reporter.get_epoch()}")
        with self.reporter.observe("train") as sub_reporter:
            TrainingEpoch(model, self.optimizers, self.schedulers, self.scaler, self.options).run(batches, sub_reporter)

    def _validate_epoch(self, model: nn.Module, iterator: Iterable) -> None:
        with self.reporter.observe("valid") as sub_reporter:
            validate(model, self.model, in_step(iterator, self.stop, self.device), sub_reporter, self.options)

    def _step_schedulers(self) -> None:
        for scheduler in self.schedulers:
            if isinstance(scheduler, AbsValEpochStepScheduler):
                phase, name = self.options.val_scheduler_criterion
                check_statistic(self.reporter.stats, self.reporter.get_epoch(), phase, name, "val_scheduler_criterion")
                scheduler.step(self.reporter.get_value(phase, name))
            elif isinstance(scheduler, AbsEpochStepScheduler):
                scheduler.step()

    def _save(self, epoch: int) -> None:
        """Write the files of an epoch; a kill at any moment leaves a state that resumes."""
        model_state = self.model.state_dict()
        resume_state = {
            "model": model_state,
            "reporter": reporter_state(self.reporter),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "schedulers": [s.state_dict() if s is not None else None for s in self.schedulers],
            "scaler": self.scaler.state_dict() if self.scaler is not None else None,
        }
        self.store.save(epoch, model_state, resume_state)

    def _derive(self, epoch: int) -> None:
        """Bring links, n-best files and intermediate averages in line with what is saved."""
        stats = self.reporter.stats
        for phase, name, _ in self.store.criteria:
            check_statistic(stats, epoch, phase, name, "best_model_criterion")
        if self.options.patience is not None:
            check_statistic(stats, epoch, *self._early_stopping()[:2], "early_stopping_criterion")
        if not self.is_first:
            return
        interval = self.options.nbest_averaging_interval
        if interval and epoch % interval == 0:
            self.store.average(self._best(), suffix=f".till{epoch}epoch")
        self.store.tidy(self._best(), epoch)

    def _publish(self) -> None:
        """Show the statistics of the epoch where the options ask for it."""
        options = self.options
        if options.use_matplotlib:
            self.reporter.matplotlib_plot(Path(options.output_dir) / "images")
        if options.use_tensorboard:
            if not self.writers:
                self.writers = _tensorboard(Path(options.output_dir) / "tensorboard")
            for writer, phase in zip(self.writers, ("train", "valid"), strict=True):
                self.reporter.tensorboard_add_scalar(writer, key1=phase)
        if options.use_wandb:
            self.reporter.wandb_log()

    def _best(self) -> dict[Criterion, list[int]]:
        """Epochs from best to worst, for each criterion."""
        return {criterion: rank_epochs(self.reporter.stats, criterion) for criterion in self.store.criteria}

    def _early_stopping(self) -> Criterion:
        return parse_criteria([self.options.early_stopping_criterion], "early_stopping_criterion")[0]

    def _is_patience_over(self) -> bool:
        patience, epoch = self.options.patience, self.reporter.get_epoch()
        if patience is None or epoch == 0:
            return False
        return is_patience_over(self.reporter.stats, epoch, patience, self._early_stopping())


def _make_scaler(options: ENTTrainerOptions) -> torch.amp.GradScaler | None:
    if not options.use_amp:
        return None
    if options.ngpu == 0:
        logging.warning("use_amp needs a GPU: training in full precision")
        return None
    return torch.amp.GradScaler("cuda")


def _data_parallel(model: nn.Module, options: ENTTrainerOptions, distributed_option: Any) -> nn.Module:
    if not distributed_option.distributed:
        if options.ngpu > 1:
            raise ConfigError(
                "several GPUs need distributed training",
                next_step="launch with espnet2.bin.launch, or --multiprocessing_distributed true",
            )
        return model
    device = torch.cuda.current_device() if options.ngpu == 1 else None
    return share_model(model, options.unused_parameters, options.gradient_as_bucket_view, device)


def _tensorboard(folder: Path) -> list[Any]:
    from torch.utils.tensorboard import SummaryWriter

    return [SummaryWriter(str(folder / phase)) for phase in ("train", "valid")]
