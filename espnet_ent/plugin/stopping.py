"""SIGTERM: finish the batch under way, then leave; what was saved last is whole."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

from espnet_ent.errors import EntError

GRACE = 20.0
"""Seconds that the batch under way may take; clusters kill 30 s after SIGTERM."""


class StoppedError(EntError):
    """Training was told to stop."""

    def __init__(self, directory: object) -> None:
        super().__init__(
            "stopped by SIGTERM; the epochs that were finished are saved",
            where=directory,
            next_step="run the same command to go on",
        )


class StopRequest:
    """Whether SIGTERM has come.

    Args:
        directory: The experiment, for the message.
    """

    def __init__(self, directory: object) -> None:
        self.directory = directory
        self.requested = False

    def error(self) -> StoppedError:
        """What to raise between two batches."""
        return StoppedError(self.directory)


@contextlib.contextmanager
def stop_on_sigterm(directory: object, grace: float = GRACE) -> Iterator[StopRequest]:
    """Turn SIGTERM into a request; only a batch that takes longer than ``grace`` seconds is broken off.

    A data-loader worker that the same SIGTERM has ended is no error of its own.

    Raises:
        StoppedError: Out of the block, once the request is followed.
    """
    request = StopRequest(directory)

    def on_term(_signal: int, _frame: object) -> None:
        request.requested = True
        signal.setitimer(signal.ITIMER_REAL, grace)

    def on_alarm(_signal: int, _frame: object) -> None:
        raise request.error()

    handlers = {signal.SIGTERM: on_term, signal.SIGALRM: on_alarm}
    previous = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield request
    except RuntimeError:
        if request.requested:
            raise request.error() from None
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in previous.items():
            signal.signal(number, handler)
