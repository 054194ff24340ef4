"""Parallel processes; one that is killed ends the work in one line, not in a wait without end."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from espnet_ent.errors import WorkerError

_LOOK_EVERY = 1.0  # seconds


@contextlib.contextmanager
def worker_pool(nj: int, initializer: Callable[[], None] | None = None) -> Iterator[ProcessPoolExecutor]:
    """Forked processes that share what this one has loaded; ``pool.map`` gives results in order.

    ``multiprocessing.Pool`` replaces a worker that was killed, for want of memory perhaps, and waits for its result
    for ever. Workers end soon after this process does, be it killed: by themselves they would wait for work for ever,
    since forked ones hold each other's pipes open.

    Args:
        nj: How many, at least 1.
        initializer: What each does first.

    Raises:
        WorkerError: Out of the block, if a process ends before its work does.
    """
    context = multiprocessing.get_context("fork")
    initial = (os.getpid(), initializer)
    pool = ProcessPoolExecutor(max(1, nj), mp_context=context, initializer=_begin, initargs=initial)
    try:
        yield pool
    except BrokenProcessPool:
        raise WorkerError(
            "a parallel process was killed",
            next_step="look for a lack of memory (dmesg), and rerun with a smaller --nj",
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin(parent: int, initializer: Callable[[], None] | None) -> None:
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    if initializer is not None:
        initializer()


def _end_with(parent: int) -> None:
    """End this process once its parent is gone."""
    while os.getppid() == parent:
        time.sleep(_LOOK_EVERY)
    os._exit(1)
