"""What the processes of a distributed run agree on; in a run of one process, all of it is free."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from espnet_ent.errors import CheckpointError, ConfigError, WorkerError
from espnet_ent.plugin.stopping import StopRequest


class PeerLostError(WorkerError):
    """Another process of this training ended, or can't be reached; its own message says why."""


def is_distributed() -> bool:
    """Whether several processes train together."""
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def any_process(flags: Sequence[bool], device: str) -> list[bool]:
    """Each flag, or-ed over the processes."""
    if not is_distributed():
        return list(flags)
    tensor = torch.tensor([int(flag) for flag in flags], device=device)
    torch.distributed.all_reduce(tensor, torch.distributed.ReduceOp.MAX)
    return [bool(flag) for flag in tensor.tolist()]


def gather_objects(value: Any) -> list[Any]:
    """A plain value of each process, in their order."""
    if not is_distributed():
        return [value]
    gathered: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(gathered, value)
    return gathered


def gather_names(names: Sequence[str]) -> list[str]:
    """The names of all processes, in their order."""
    return [name for part in gather_objects(list(names)) for name in part]


def sum_shares(values: Mapping[str, Tensor], weight: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    """Means of the values over all processes, weighted, and the sum of the weights: one message for all of them.

    Args:
        values: Numbers by name, each of one element; the names are those of all processes.
        weight: Weight of this process's values, of one element.
    """
    weight = weight.double().sum()
    row = torch.stack([weight, *(weight * values[name].double().sum() for name in sorted(values))])
    torch.distributed.all_reduce(row)
    return {name: total / row[0] for name, total in zip(sorted(values), row[1:], strict=True)}, row[0]


def share_model(model: nn.Module, unused_parameters: bool, as_bucket_view: bool, device: int | None) -> nn.Module:
    """Wrap a model so that its gradients are averaged over the processes.

    Args:
        model: On its device.
        unused_parameters: Some parameters get no gradient; where a module of ours knows that of itself
            (``skips_parameters``), it need not be said.
        as_bucket_view: Keep gradients in the buffers in which they are sent.
        device: Number of the GPU; None: on the CPU.
    """
    skips = any(getattr(module, "skips_parameters", False) for module in model.modules())
    return nn.parallel.DistributedDataParallel(
        model,
        device_ids=None if device is None else [device],
        find_unused_parameters=unused_parameters or skips,
        gradient_as_bucket_view=as_bucket_view,
    )


def check_same_epoch(epoch: int, directory: object) -> None:
    """Check that all processes go on after the same epoch.

    Raises:
        CheckpointError: If they found different checkpoints.
    """
    epochs = gather_objects(epoch)
    if len(set(epochs)) > 1:
        raise CheckpointError(
            "the processes of this training see different checkpoints",
            where=directory,
            got=f"epochs {' '.join(map(str, epochs))}",
            next_step="keep --output_dir on a disk that all nodes share",
        )


@contextlib.contextmanager
def failures_named() -> Iterator[None]:
    """Turn what torch says into one line, where another process is gone, or a gradient is waited for in vain.

    Raises:
        PeerLostError: In place of the one.
        ConfigError: In place of the other.
    """
    try:
        yield
    except RuntimeError as error:
        if "finished reduction in the prior iteration" in str(error):
            raise ConfigError(
                "there are parameters that get no gradient",
                where="option unused_parameters",
                got="false",
                next_step="pass --unused_parameters true, or freeze them (--freeze_param)",
            ) from error
        if not isinstance(error, torch.distributed.DistError) and "gloo" not in str(error).lower():
            raise
        raise PeerLostError(
            "another process of this training has ended, or can't be reached",
            got=(str(error) or type(error).__name__).splitlines()[0],
            next_step="see the message of that process, then run the same command to go on",
        ) from error


def in_step(iterator: Iterable, stop: StopRequest, device: str) -> Iterator:
    """Items of an iterator, until that of any process ends.

    Raises:
        StoppedError: Once any process was told to stop.
    """
    items = iter(iterator)
    while True:
        item = next(items, None)
        ended, stopped = any_process([item is None, stop.requested], device)
        if stopped:
            raise stop.error()
        if ended:
            return
        yield item
