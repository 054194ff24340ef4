"""Functions run in a forked child: a kill -9 of this process would end the suite, and an import costs seconds."""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import torch

SUCCESS, FAILURE = 0, 1
_LONGEST = 60  # seconds until a child that hangs gives up


def start(function: Callable, *args: object, **kwargs: object) -> int:
    """Start a function in a child and return its process id; the child's status is 0 unless the function raises."""
    pid = os.fork()
    if pid:
        return pid
    status = FAILURE
    try:
        watchdog = threading.Timer(_LONGEST, os._exit, [FAILURE])
        watchdog.daemon = True
        watchdog.start()
        torch.set_num_threads(1)
        function(*args, **kwargs)
        status = SUCCESS
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def finish(pid: int) -> int:
    """Wait for a child; its exit status, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def wait_for(path: Path) -> None:
    """Wait until a child has written a file."""
    deadline = time.monotonic() + _LONGEST
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)


def run(function: Callable, *args: object, **kwargs: object) -> int:
    """:func:`start` and :func:`finish`."""
    return finish(start(function, *args, **kwargs))


def kill_before_step(number: int, function: Callable, *args: object, **kwargs: object) -> None:
    """Run a function, and kill this process before its ``number``-th change of the file system, from 1."""
    steps = 0

    def counted(change: Callable) -> Callable:
        def wrapped(*change_args: object, **change_kwargs: object) -> object:
            nonlocal steps
            steps += 1
            if steps == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return change(*change_args, **change_kwargs)

        return wrapped

    for name in ("replace", "fsync", "unlink", "symlink"):
        setattr(os, name, counted(getattr(os, name)))
    function(*args, **kwargs)
