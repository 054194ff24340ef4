"""Training: our epoch loop around ESPnet's reporter, iterators and validation."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import difflib
import logging
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from espnet2.schedulers.abs_scheduler import (
    AbsEpochStepScheduler,
    AbsValEpochStepScheduler,
)
from espnet2.torch_utils.set_all_random_seed import set_all_random_seed
from espnet2.train.reporter import Reporter, SubReporter
from espnet2.train.trainer import Trainer, TrainerOptions
from torch import nn

from espnet_ent.errors import ConfigError, EntError
from espnet_ent.metrics.classification import unweighted_average_recall
from espnet_ent.plugin.checkpoints import CheckpointStore, Criterion, read_checkpoint
from espnet_ent.plugin.locking import exclusive
from espnet_ent.plugin.step import StoppedError, TrainingStep, report_learning_rates

UA_STATISTIC = "ua_teacher_forced"


@dataclasses.dataclass
class ENTTrainerOptions(TrainerOptions):
    """ESPnet's options and ours.

    Attributes:
        max_nonfinite_batches: How many batches of an epoch may give a loss or gradient that is not finite.
    """

    max_nonfinite_batches: int


class ENTTrainer(Trainer):
    """A trainer that resumes to the bit, writes checkpoints whole, and names what goes wrong.

    ESPnet's ``Trainer`` gives options, resuming data and validation; the epoch loop, the training epoch and all that
    concerns files are ours (see docs/adr).
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
        """Train until ``max_epoch``; called by ESPnet's task.

        Raises:
            ConfigError: If another run uses the directory, or a criterion names no statistic.
            CheckpointError: If the state to resume from is damaged or does not fit.
            NonFiniteError: If too many batches are not finite.
        """
        first = not distributed_option.distributed or distributed_option.dist_rank == 0
        lock = exclusive(trainer_options.output_dir) if first else contextlib.nullcontext()
        with lock, _stop_on_sigterm() as stop:
            run = _Run(model, optimizers, schedulers, trainer_options, distributed_option, stop)
            run.resume()
            run.train(train_iter_factory, valid_iter_factory)


@contextlib.contextmanager
def _stop_on_sigterm() -> Iterator[list[bool]]:
    """A flag that SIGTERM raises; the epoch under way is given up between two batches."""
    stop = [False]

    def handle(_signal: int, _frame: object) -> None:
        stop[0] = True

    previous = signal.signal(signal.SIGTERM, handle)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, previous)


class _Run:
    """The state of one training run."""

    def __init__(
        self,
        model: nn.Module,
        optimizers: Sequence[torch.optim.Optimizer],
        schedulers: Sequence[Any],
        options: ENTTrainerOptions,
        distributed_option: Any,
        stop: list[bool],
    ) -> None:
        self.model = model
        self.optimizers = optimizers
        self.schedulers = schedulers
        self.options = options
        self.distributed_option = distributed_option
        self.stop = stop
        self.reporter = Reporter()
        self.scaler = torch.amp.GradScaler("cuda") if options.use_amp else None
        nbest = options.keep_nbest_models
        self.store = CheckpointStore(
            options.output_dir,
            [tuple(criterion) for criterion in options.best_model_criterion],
            [nbest] if isinstance(nbest, int) else (nbest or [1]),
        )
        self.is_first = not distributed_option.distributed or distributed_option.dist_rank == 0

    def resume(self) -> None:
        """Go on from ``checkpoint.pth`` where there is one and resuming is asked for."""
        if not self.options.resume or not self.store.resume_path.exists():
            return
        state = read_checkpoint(self.store.resume_path)
        self.model.load_state_dict(state["model"])
        self.reporter.load_state_dict(state["reporter"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        for scheduler, saved in zip(self.schedulers, state["schedulers"], strict=True):
            if scheduler is not None:
                scheduler.load_state_dict(saved)
        if self.scaler is not None:
            self.scaler.load_state_dict(state["scaler"])
        logging.info(f"resumed after epoch {self.reporter.get_epoch()}")

    def train(self, train_iter_factory: Any, valid_iter_factory: Any) -> None:
        """All epochs that are left, then the averages."""
        options = self.options
        first_epoch = self.reporter.get_epoch() + 1
        model = _data_parallel(self.model, options, self.distributed_option)
        writers = _tensorboard(options) if self.is_first and first_epoch <= options.max_epoch else None
        start = time.perf_counter()
        for epoch in range(first_epoch, options.max_epoch + 1):
            if self._is_patience_over():
                logging.info(f"early stopping after epoch {epoch - 1}")
                break
            set_all_random_seed(options.seed + epoch)
            self.reporter.set_epoch(epoch)
            self._train_epoch(model, train_iter_factory.build_iter(epoch))
            self._validate_epoch(model, valid_iter_factory.build_iter(epoch))
            self._step_schedulers()
            self._check_criteria()
            if self.is_first:
                self._finish_epoch(epoch, writers)
            seconds = time.perf_counter() - start
            self._log_epoch(epoch, seconds / (epoch - first_epoch + 1))
        if self.is_first:
            self.store.average(self._best())

    def _train_epoch(self, model: nn.Module, iterator: Iterable) -> None:
        with self.reporter.observe("train") as sub_reporter:
            step = TrainingStep(model, self.optimizers, self.schedulers, self.scaler, self.options)
            step.run_epoch(_progress(iterator, self.reporter.get_epoch()), sub_reporter, self._check_stop)
            report_learning_rates(sub_reporter, self.optimizers)

    def _validate_epoch(self, model: nn.Module, iterator: Iterable) -> None:
        self.model.reset_emotion_counts()
        with self.reporter.observe("valid") as sub_reporter:
            ENTTrainer.validate_one_epoch(
                model=model,
                iterator=_watched(iterator, self._check_stop),
                reporter=sub_reporter,
                options=self.options,
                distributed_option=self.distributed_option,
            )
            self._register_recall(sub_reporter)

    def _register_recall(self, sub_reporter: SubReporter) -> None:
        counts = torch.from_numpy(self.model.emotion_counts.copy())
        if self.distributed_option.distributed:
            device = "cuda" if self.options.ngpu > 0 else "cpu"
            counts = counts.to(device)
            torch.distributed.all_reduce(counts)
        counts = counts.cpu().numpy()
        if counts.sum() > 0:
            sub_reporter.register({UA_STATISTIC: unweighted_average_recall(counts)})
            sub_reporter.next()

    def _step_schedulers(self) -> None:
        for scheduler in self.schedulers:
            if isinstance(scheduler, AbsValEpochStepScheduler):
                scheduler.step(self.reporter.get_value(*self.options.val_scheduler_criterion))
            elif isinstance(scheduler, AbsEpochStepScheduler):
                scheduler.step()

    def _check_criteria(self) -> None:
        """Refuse a criterion that names no statistic, before anything is saved or deleted in its name."""
        for phase, name, _ in self.store.criteria:
            if self.reporter.has(phase, name):
                continue
            known = [f"{p} {n}" for p in self.reporter.get_keys() for n in self.reporter.get_keys2(p)]
            nearest = difflib.get_close_matches(f"{phase} {name}", known, n=3, cutoff=0.3)
            raise ConfigError(
                "best_model_criterion names no statistic",
                expected=f"for example {', '.join(nearest or known[:3])}",
                got=f"{phase} {name}",
            )

    def _finish_epoch(self, epoch: int, writers: tuple[Any, Any] | None) -> None:
        """Save, then derive links; a kill between any two steps leaves a state that resumes."""
        model_state = self.model.state_dict()
        resume_state = {
            "model": model_state,
            "reporter": self.reporter.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "schedulers": [s.state_dict() if s is not None else None for s in self.schedulers],
            "scaler": self.scaler.state_dict() if self.scaler is not None else None,
        }
        self.store.save(epoch, model_state, resume_state)
        self.store.tidy(self._best(), epoch)
        if self.options.use_matplotlib:
            self.reporter.matplotlib_plot(Path(self.options.output_dir) / "images")
        if writers is not None:
            self.reporter.tensorboard_add_scalar(writers[0], key1="train")
            self.reporter.tensorboard_add_scalar(writers[1], key1="valid")

    def _best(self) -> dict[Criterion, list[int]]:
        """Epochs from best to worst, for each criterion."""
        return {
            criterion: self.reporter.sort_epochs(*criterion)
            for criterion in self.store.criteria
            if self.reporter.get_epoch() > 0
        }

    def _is_patience_over(self) -> bool:
        patience = self.options.patience
        if patience is None or self.reporter.get_epoch() == 0:
            return False
        return self.reporter.check_early_stopping(patience, *self.options.early_stopping_criterion)

    def _check_stop(self) -> None:
        if self.stop[0]:
            raise StoppedError(self.options.output_dir, self.reporter.get_epoch() - 1)

    def _log_epoch(self, epoch: int, seconds_per_epoch: float) -> None:
        values = [f"train loss {self.reporter.get_value('train', 'loss'):.3f}"]
        for name in ("loss", "acc_emotion", UA_STATISTIC):
            if self.reporter.has("valid", name):
                values.append(f"valid {name} {self.reporter.get_value('valid', name):.3f}")
        left = seconds_per_epoch * (self.options.max_epoch - epoch)
        pace = f"{seconds_per_epoch:.0f} s an epoch, {left / 60:.0f} min left"
        logging.info(f"epoch {epoch}/{self.options.max_epoch}: {', '.join(values)} ({pace})")


def _watched(iterator: Iterable, check: Any) -> Iterator:
    for item in iterator:
        check()
        yield item


def _progress(iterator: Iterable, epoch: int) -> Iterable:
    """A bar on a terminal, nothing in a log."""
    if not sys.stderr.isatty():
        return iterator
    from tqdm import tqdm

    return tqdm(iterator, desc=f"epoch {epoch}", unit="batch", leave=False)


def _data_parallel(model: nn.Module, options: ENTTrainerOptions, distributed_option: Any) -> nn.Module:
    if not distributed_option.distributed:
        if options.ngpu > 1:
            raise EntError(
                "several GPUs need distributed training",
                next_step="launch with espnet2.bin.launch, or --multiprocessing_distributed true",
            )
        return model
    devices = [torch.cuda.current_device()] if options.ngpu == 1 else None
    return nn.parallel.DistributedDataParallel(
        model, device_ids=devices, find_unused_parameters=options.unused_parameters
    )


def _tensorboard(options: ENTTrainerOptions) -> tuple[Any, Any] | None:
    if not options.use_tensorboard:
        return None
    from torch.utils.tensorboard import SummaryWriter

    folder = Path(options.output_dir) / "tensorboard"
    return SummaryWriter(str(folder / "train")), SummaryWriter(str(folder / "valid"))
