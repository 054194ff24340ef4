"""SIGINT and SIGTERM while jobs run: the jobs are ended first, then the program."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator

from espnet_ent.jobs.result import status_of_signal

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def signals_go_to(stop: Callable[[int], None]) -> Iterator[None]:
    """Hand signals to ``stop``, which takes the number and must return soon."""
    previous = {number: signal.signal(number, lambda number, _frame: stop(number)) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def end_by(number: int | None) -> None:
    """End the program as a signal does, if there was one.

    Raises:
        KeyboardInterrupt: On SIGINT.
        SystemExit: On another signal, with 128 and its number.
    """
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    if number is not None:
        raise SystemExit(status_of_signal(number))
