"""One epoch of gradient steps; what is not finite is skipped, counted and named."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from espnet2.schedulers.abs_scheduler import AbsBatchStepScheduler
from espnet2.torch_utils.device_funcs import to_device
from espnet2.torch_utils.recursive_op import recursive_average
from espnet2.train.reporter import SubReporter
from torch import Tensor, nn

from espnet_ent.errors import EntError, NonFiniteError


class StoppedError(EntError):
    """Training was told to stop; what was saved last is whole."""

    def __init__(self, directory: object, last_epoch: int) -> None:
        super().__init__(
            f"stopped by SIGTERM; saved up to epoch {last_epoch}",
            where=directory,
            next_step="run the same command to go on",
        )


class TrainingStep:
    """Forward, backward and update over the batches of an epoch.

    Args:
        model: The model, wrapped for distributed training where that is on.
        optimizers: One optimizer.
        schedulers: One scheduler or None.
        scaler: Gradient scaler of mixed precision, or None.
        options: ``accum_grad``, ``grad_clip``, ``grad_clip_type``, ``ngpu``, ``max_nonfinite_batches``.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizers: Sequence[torch.optim.Optimizer],
        schedulers: Sequence[Any],
        scaler: torch.amp.GradScaler | None,
        options: Any,
    ) -> None:
        (self.optimizer,), (self.scheduler,) = optimizers, schedulers
        self.model = model
        self.scaler = scaler
        self.options = options
        self.device = "cuda" if options.ngpu > 0 else "cpu"
        self.num_nonfinite = 0

    def run_epoch(self, iterator: Iterable, reporter: SubReporter, check_stop: Callable[[], None]) -> None:
        """Train on all batches of ``iterator``, pairs of utterance names and batch.

        Raises:
            NonFiniteError: If more batches than allowed are not finite.
        """
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        pending: list[str] = []  # utterances whose gradients are summed up and not yet used
        for number, (utt_ids, batch) in enumerate(reporter.measure_iter_time(iterator, "iter_time"), 1):
            check_stop()
            pending.extend(utt_ids)
            loss = self._forward(utt_ids, batch, reporter)
            if not torch.isfinite(loss):
                self._skip("loss", pending)
            else:
                self._scaled(loss / self.options.accum_grad).backward()
                if number % self.options.accum_grad == 0:
                    self._update(pending, reporter)
            reporter.next()

    def _forward(self, utt_ids: list[str], batch: dict[str, Tensor], reporter: SubReporter) -> Tensor:
        batch = to_device({**batch, "utt_id": utt_ids}, self.device)
        with torch.autocast(self.device, enabled=self.scaler is not None):
            loss, stats, weight = self.model(**batch)
        stats = {key: value for key, value in stats.items() if value is not None}
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            loss = (loss * weight.type(loss.dtype)).sum()
            stats, weight = recursive_average(stats, weight, True)
            # DistributedDataParallel divides gradients by the number of processes.
            loss = loss / weight * torch.distributed.get_world_size()
        if torch.isfinite(loss):
            reporter.register(stats, weight)
        else:
            reporter.register({"nonfinite_batches": 1.0})
        return loss

    def _scaled(self, loss: Tensor) -> Tensor:
        return loss if self.scaler is None else self.scaler.scale(loss)

    def _update(self, pending: list[str], reporter: SubReporter) -> None:
        if self.scaler is not None:
            self.scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(
            self.model.parameters(), self.options.grad_clip, norm_type=self.options.grad_clip_type
        )
        # A scaler's first steps overflow by design: it lowers its scale and is not counted.
        if not torch.isfinite(norm) and self.scaler is None:
            self._skip("gradient", pending)
            return
        reporter.register({"grad_norm": norm})
        if self.scaler is None:
            self.optimizer.step()
        else:
            self.scaler.step(self.optimizer)
            self.scaler.update()
        if isinstance(self.scheduler, AbsBatchStepScheduler):
            self.scheduler.step()
        self.optimizer.zero_grad(set_to_none=True)
        pending.clear()

    def _skip(self, what: str, pending: list[str]) -> None:
        """Drop the gradients so far; count and name the utterances."""
        self.num_nonfinite += 1
        logging.warning(f"{what} is not finite, batch skipped: {' '.join(pending)}")
        if self.num_nonfinite > self.options.max_nonfinite_batches:
            raise NonFiniteError(
                f"{self.num_nonfinite} batches of this epoch are not finite",
                expected=f"at most {self.options.max_nonfinite_batches} (--max_nonfinite_batches)",
                got=f"last: {' '.join(pending[:5])}",
                next_step="lower the learning rate, or look at these utterances",
            )
        self.optimizer.zero_grad(set_to_none=True)
        pending.clear()


def report_learning_rates(reporter: SubReporter, optimizers: Sequence[torch.optim.Optimizer]) -> None:
    """Register the learning rate at the end of an epoch."""
    reporter.register({f"optim{i}_lr0": o.param_groups[0]["lr"] for i, o in enumerate(optimizers)})
    reporter.next()
