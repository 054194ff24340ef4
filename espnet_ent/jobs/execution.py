"""Run the command of a job with its output in the log: on this machine, or on the node that Slurm has chosen."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import socket
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from espnet_ent.jobs.array import Job
from espnet_ent.jobs.done_marker import mark_done
from espnet_ent.jobs.result import LAST_LINES, STATUS_NOT_STARTED, JobResult, status_of_signal

OnLine = Callable[[Job, str], None]
"""Takes each line of output, and its job."""

_GRACE_SECONDS = 30.0


class Processes:
    """The processes that are running, to be stopped together."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen] = set()
        self.is_stopping = False

    def start(self, command: Sequence[str]) -> subprocess.Popen | None:
        """Start a process, unless all are to stop."""
        with self._lock:
            if self.is_stopping:
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
        return status if status >= 0 else status_of_signal(-status)

    def stop(self) -> None:
        """Ask all processes to end; a while later, end them. Takes no lock: it is called by signals, too."""
        self.is_stopping = True
        running = list(self._running)
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        timer = threading.Timer(_GRACE_SECONDS, lambda: [process.kill() for process in running])
        timer.daemon = True
        timer.start()


def execute(job: Job, processes: Processes, on_line: OnLine | None = None, mark: bool = False) -> JobResult:
    """Run a job and wait for it.

    Output goes to the log, after what earlier runs left there.

    Args:
        job: What to run.
        processes: Where it can be stopped.
        on_line: Called with each line of output.
        mark: Leave a marker if it succeeds.
    """
    job.log.parent.mkdir(parents=True, exist_ok=True)
    last_lines: deque[str] = deque(maxlen=LAST_LINES)
    start = time.monotonic()
    with job.log.open("a", encoding="utf-8", errors="replace") as log:
        print(f"# {shlex.join(job.command)}\n# Started at {_now()} on {_machine()}", file=log, flush=True)
        status = STATUS_NOT_STARTED
        process = None
        try:
            process = processes.start(job.command)
        except OSError as error:
            last_lines.append(f"{job.command[0]}: {error.strerror}")
            print(last_lines[-1], file=log)
        if process is not None:
            for line in _lines(process):
                print(line, file=log, flush=True)
                last_lines.append(line)
                if on_line is not None:
                    on_line(job, line)
            status = processes.wait(process)
        print(f"# Ended (code {status}) at {_now()}, after {time.monotonic() - start:.0f} seconds", file=log)
    if mark and status == 0 and not processes.is_stopping:
        mark_done(job)
    return JobResult(job, status, tuple(last_lines))


def _lines(process: subprocess.Popen) -> Iterator[str]:
    assert process.stdout is not None
    for line in process.stdout:
        yield line.decode("utf-8", errors="replace").rstrip("\r\n")


def _machine() -> str:
    return os.environ.get("SLURMD_NODENAME") or socket.gethostname()


def _now() -> str:
    return datetime.now().isoformat(timespec="seconds")
