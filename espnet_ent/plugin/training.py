"""One epoch of gradient steps."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from espnet2.schedulers.abs_scheduler import AbsBatchStepScheduler
from espnet2.train.reporter import SubReporter
from torch import nn

from espnet_ent.plugin.forward import forward_batch
from espnet_ent.plugin.freezing import tell_update, train_unfrozen
from espnet_ent.plugin.nonfinite import NonFiniteCounter
from espnet_ent.plugin.parameter_groups import effective_rates, scaled_rates
from espnet_ent.plugin.ranking import NONFINITE
from espnet_ent.plugin.running_statistics import RunningStatistics


class TrainingEpoch:
    """Forward, backward and update over the batches of an epoch.

    Args:
        model: The model, wrapped for distributed training where that is on.
        optimizers: One optimizer.
        schedulers: One scheduler or None.
        scaler: Gradient scaler of mixed precision, or None.
        options: ``accum_grad``, ``grad_clip``, ``grad_clip_type``, ``ngpu``, ``log_interval``,
            ``max_nonfinite_batches``.
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
        self.skipped = NonFiniteCounter("train", options.max_nonfinite_batches)
        self.num_updates = 0
        self._statistics = RunningStatistics(model)
        self._pending: list[str] = []  # utterances whose gradients are added up and not yet used

    def run(self, iterator: Iterable, reporter: SubReporter) -> None:
        """Train on all batches of ``iterator``, pairs of utterance ids and batch.

        Gradients that are left over where ``accum_grad`` does not divide the number of batches are used too.

        Raises:
            NonFiniteError: If more batches than allowed are not finite, or all of them.
        """
        train_unfrozen(self.model)
        self.optimizer.zero_grad(set_to_none=True)
        for number, (utt_ids, batch) in enumerate(reporter.measure_iter_time(iterator, "iter_time"), 1):
            self._accumulate(utt_ids, batch, reporter)
            if number % self.options.accum_grad == 0:
                self._update(reporter)
            reporter.next()
            interval = self.options.log_interval
            if interval is not None and number % interval == 0:
                logging.info(reporter.log_message(-interval))
        self._update(reporter)
        self.skipped.check_any_finite(self.num_updates)
        rates = {f"optim0_lr{i}": rate for i, rate in enumerate(effective_rates(self.optimizer))}
        reporter.register({**rates, NONFINITE: float(self.skipped.count)})
        reporter.next()

    def _accumulate(self, utt_ids: list[str], batch: dict[str, torch.Tensor], reporter: SubReporter) -> None:
        self._statistics.keep()
        result = forward_batch(self.model, utt_ids, batch, self.device, self.scaler is not None)
        if not result.is_finite:
            self._statistics.restore()
            self.skipped.skip(result.nonfinite or "loss", utt_ids if result.nonfinite else [])
            return
        reporter.register(result.stats, result.weight)
        loss = result.loss / self.options.accum_grad
        (loss if self.scaler is None else self.scaler.scale(loss)).backward()
        self._pending.extend(utt_ids)

    def _update(self, reporter: SubReporter) -> None:
        """One step of the optimizer with the gradients added up, if there are any and they are finite."""
        if not self._pending:
            return
        if self.scaler is not None:
            self.scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(
            self.model.parameters(), self.options.grad_clip, norm_type=self.options.grad_clip_type
        )
        finite = bool(torch.isfinite(norm))
        # A scaler overflows by design, and lowers its scale until it does not: that is not counted.
        if not finite and (self.scaler is None or self.scaler.get_scale() <= 1.0):
            self.skipped.skip("gradient", self._pending)
        with scaled_rates(self.optimizer):
            if self.scaler is not None:
                self.scaler.step(self.optimizer)  # steps only if the gradients are finite
                self.scaler.update()
            elif finite:
                self.optimizer.step()
        if finite:
            self.num_updates += 1
            tell_update(self.model)
            reporter.register({"grad_norm": norm})
            if isinstance(self.scheduler, AbsBatchStepScheduler):
                self.scheduler.step()
        self.optimizer.zero_grad(set_to_none=True)
        self._pending.clear()
