"""Run jobs on this machine."""

from __future__ import annotations

import contextlib
import shlex
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from espnet_ent.jobs.array import Job

STATUS_NOT_STARTED = 127
_LAST_LINES = 20
_GRACE_SECONDS = 30.0
_SIGNAL_STATUS = 128


@dataclass(frozen=True)
class JobResult:
    """How a job ended.

    Attributes:
        job: The job.
        status: Exit status; 128 + n if signal n ended it.
        last_lines: The last lines of its output.
    """

    job: Job
    status: int
    last_lines: tuple[str, ...]


def run_local(
    jobs: Sequence[Job], max_jobs_run: int | None = None, on_line: Callable[[Job, str], None] | None = None
) -> list[JobResult]:
    """Run jobs side by side and wait for all of them.

    Output goes to the logs, after what earlier runs left there. SIGINT and SIGTERM are handed on to the jobs.

    Args:
        jobs: What to run.
        max_jobs_run: How many at a time; all if None.
        on_line: Called with each line of output, from the thread of its job.

    Raises:
        KeyboardInterrupt: On SIGINT, once the jobs have ended.
        SystemExit: On SIGTERM, likewise, with status 143.
    """
    processes = _Processes()
    with (
        _handed_on(processes),
        ThreadPoolExecutor(min(max_jobs_run or len(jobs), len(jobs))) as pool,
    ):
        return list(pool.map(lambda job: _run(job, processes, on_line), jobs))


class _Processes:
    """The processes that are running, to be stopped together."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen] = set()
        self.stopped_by: int | None = None

    def start(self, command: Sequence[str]) -> subprocess.Popen | None:
        """Start a process, unless all are to stop."""
        with self._lock:
            if self.stopped_by is not None:
                return None
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
            self._running.add(process)
            return process

    def wait(self, process: subprocess.Popen) -> int:
        """Exit status of a process whose output has ended."""
        status = process.wait()
        with self._lock:
            self._running.discard(process)
        return status if status >= 0 else _SIGNAL_STATUS - status

    def stop(self, by: int) -> None:
        """Ask all processes to end; a while later, end them."""
        self.stopped_by = by
        running = list(self._running)
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        timer = threading.Timer(_GRACE_SECONDS, lambda: [process.kill() for process in running])
        timer.daemon = True
        timer.start()


@contextlib.contextmanager
def _handed_on(processes: _Processes) -> Iterator[None]:
    def handle(number: int, _frame: object) -> None:
        processes.stop(number)

    previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    if processes.stopped_by == signal.SIGINT:
        raise KeyboardInterrupt
    if processes.stopped_by is not None:
        raise SystemExit(_SIGNAL_STATUS + processes.stopped_by)


def _run(job: Job, processes: _Processes, on_line: Callable[[Job, str], None] | None) -> JobResult:
    job.log.parent.mkdir(parents=True, exist_ok=True)
    last_lines: deque[str] = deque(maxlen=_LAST_LINES)
    start = time.monotonic()
    with job.log.open("a", encoding="utf-8", errors="replace") as log:
        print(f"# {shlex.join(job.command)}\n# Started at {_now()}", file=log, flush=True)
        status = STATUS_NOT_STARTED
        try:
            process = processes.start(job.command)
        except OSError as error:
            last_lines.append(f"{job.command[0]}: {error.strerror}")
            print(last_lines[-1], file=log)
            process = None
        if process is not None:
            for line in _lines(process):
                print(line, file=log, flush=True)
                last_lines.append(line)
                if on_line is not None:
                    on_line(job, line)
            status = processes.wait(process)
        print(f"# Ended (code {status}) at {_now()}, after {time.monotonic() - start:.0f} seconds", file=log)
    return JobResult(job, status, tuple(last_lines))


def _lines(process: subprocess.Popen) -> Iterator[str]:
    assert process.stdout is not None
    for line in process.stdout:
        yield line.decode("utf-8", errors="replace").rstrip("\r\n")


def _now() -> str:
    return datetime.now().isoformat(timespec="seconds")
