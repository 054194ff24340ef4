"""Parallel processes that are killed, or whose work fails, end the work."""

from __future__ import annotations

import os
import signal

import pytest

from espnet_ent.data.worker_pool import worker_pool
from espnet_ent.errors import AudioError, WorkerError


def _square(number: int) -> int:
    return number * number


def _die_at_3(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def _fail_at_3(number: int) -> int:
    if number == 3:
        raise AudioError("bad", where="file 3")
    return number


@pytest.mark.parametrize("nj", [0, 1, 3])
def test_results_are_in_order(nj: int) -> None:
    with worker_pool(nj) as pool:
        assert list(pool.map(_square, range(20), chunksize=3)) == [number**2 for number in range(20)]


def test_a_killed_process_is_told_and_not_waited_for() -> None:
    """``multiprocessing.Pool`` waits for ever."""
    message = "a parallel process was killed; next: look for a lack of memory"
    with pytest.raises(WorkerError, match=message), worker_pool(2) as pool:
        list(pool.map(_die_at_3, range(50)))


def test_an_error_of_the_work_ends_it() -> None:
    with pytest.raises(AudioError, match="file 3: bad"), worker_pool(2) as pool:
        list(pool.map(_fail_at_3, range(1000)))


def test_a_worker_that_can_t_begin_is_told() -> None:
    def begin() -> None:
        os._exit(1)

    with pytest.raises(WorkerError), worker_pool(1, begin) as pool:
        list(pool.map(_square, range(3)))
