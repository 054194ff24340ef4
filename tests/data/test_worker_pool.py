"""Parallel processes that are killed, or whose work fails, end the work."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from espnet_ent.data.worker_pool import worker_pool
from espnet_ent.errors import AudioError, WorkerError
from tests.plugin import forked


def _square(number: int) -> int:
    return number * number


def _tell_and_wait(path: Path) -> None:
    (path / str(os.getpid())).touch()
    time.sleep(120)


def _is_there(process: int) -> bool:
    """Whether a process runs; one that has ended may wait to be noticed."""
    stat = Path(f"/proc/{process}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


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


def test_workers_end_with_a_command_that_is_killed(tmp_path: Path) -> None:
    def command() -> None:
        with worker_pool(2) as pool:
            list(pool.map(_tell_and_wait, [tmp_path] * 2))

    pid = forked.start(command)
    end = time.monotonic() + 60
    while len(list(tmp_path.iterdir())) < 2:
        assert time.monotonic() < end
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    assert forked.finish(pid) == -signal.SIGKILL
    while left := [path.name for path in tmp_path.iterdir() if _is_there(int(path.name))]:
        assert time.monotonic() < end, left
        time.sleep(0.01)


def test_an_error_of_the_work_ends_it() -> None:
    with pytest.raises(AudioError, match="file 3: bad"), worker_pool(2) as pool:
        list(pool.map(_fail_at_3, range(1000)))


def test_a_worker_that_can_t_begin_is_told() -> None:
    def begin() -> None:
        os._exit(1)

    with pytest.raises(WorkerError), worker_pool(1, begin) as pool:
        list(pool.map(_square, range(3)))
