"""What the processes of a distributed run agree on; in a run of one process, all of it is free."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch

from espnet_ent.plugin.stopping import StopRequest


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


def gather_names(names: Sequence[str]) -> list[str]:
    """The names of all processes, in their order."""
    if not is_distributed():
        return list(names)
    gathered: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(gathered, list(names))
    return [name for part in gathered for name in part]


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
