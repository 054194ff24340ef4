"""The real training by several processes, forked from this one: an import in each would cost seconds."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from espnet_ent.bin import ent_train
from tests.plugin import forked

WORLD_SIZE = 2


def train(
    argv: list[str], world_size: int = WORLD_SIZE, prepare: Callable[[int], None] = lambda rank: None
) -> list[int]:
    """Train as ``torchrun`` would have it, and return the statuses of the processes.

    Args:
        argv: Options of a training.
        world_size: Number of processes.
        prepare: Called with the rank in each process before it trains.
    """
    with tempfile.TemporaryDirectory() as folder:

        def work(rank: int) -> None:
            prepare(rank)
            meeting = ["--dist_init_method", f"file://{folder}/meeting", "--dist_world_size", str(world_size)]
            ent_train.main([*argv, *meeting, "--dist_rank", str(rank)])

        children = [forked.start(work, rank) for rank in range(world_size)]
        return [forked.finish(child) for child in children]


def trained(argv: list[str], output_dir: Path, world_size: int = WORLD_SIZE) -> Path:
    """A training that all processes finished."""
    argv = [*argv, "--output_dir", str(output_dir)]
    if world_size == 1:
        ent_train.main(argv)
    else:
        assert train(argv, world_size) == [forked.SUCCESS] * world_size
    return output_dir
