"""One batch through the model, and whether what comes out is finite."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from espnet2.torch_utils.device_funcs import to_device
from torch import Tensor, nn

from espnet_ent.plugin.distributed import is_distributed, sum_shares

_NONFINITE = " nonfinite"  # not the name of a statistic


@dataclass(frozen=True)
class BatchResult:
    """What a batch gave.

    Attributes:
        loss: Scalar to go backward from.
        stats: Statistics by name, averaged over the processes.
        weight: Weight of the statistics.
        nonfinite: What is not finite in this process's share; empty if nothing is.
        is_finite: Whether all processes' shares are finite.
    """

    loss: Tensor
    stats: dict[str, Tensor]
    weight: Tensor
    nonfinite: str
    is_finite: bool


def forward_batch(
    model: nn.Module, utt_ids: list[str], batch: dict[str, Tensor], device: str, amp: bool
) -> BatchResult:
    """Compute the loss of a batch.

    Args:
        model: An ESPnet model, wrapped for distributed training where that is on.
        utt_ids: Names of the utterances.
        batch: Arguments of the model.
        device: ``cpu`` or ``cuda``.
        amp: Compute in mixed precision.
    """
    batch = to_device({**batch, "utt_id": utt_ids}, device)
    with torch.autocast(device, dtype=_amp_dtype(device) if amp else None, enabled=amp):
        loss, stats, weight = model(**batch)
    stats = {key: value for key, value in stats.items() if value is not None}
    values = {"loss": loss, **stats}
    nonfinite = " ".join(key for key, value in values.items() if not torch.as_tensor(value).isfinite().all())
    if not is_distributed():
        return BatchResult(loss, stats, weight, nonfinite, not nonfinite)
    # Each loss is a mean over the utterances, so that shares weigh as many as they hold.
    flag = torch.as_tensor(float(bool(nonfinite)), device=weight.device)
    stats, total = sum_shares({**stats, _NONFINITE: flag}, weight)
    is_finite = not stats.pop(_NONFINITE)
    # DistributedDataParallel divides gradients by the number of processes.
    scale = weight.double().sum() / total * torch.distributed.get_world_size()
    return BatchResult(loss.sum() * scale.to(loss.dtype), stats, total, nonfinite, is_finite)


def _amp_dtype(device: str) -> torch.dtype:
    return torch.bfloat16 if device == "cpu" or torch.cuda.is_bf16_supported() else torch.float16
