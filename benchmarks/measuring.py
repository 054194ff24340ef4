"""What an operation costs in a process of its own."""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cost:
    """What an operation took: seconds of the processor, seconds by the clock, bytes at the peak."""

    cpu: float
    wall: float
    peak: float


def measure(operation: Callable[[], object]) -> Cost:
    """Run it in a forked process.

    Raises:
        RuntimeError: If it fails there.
    """
    gc.collect()
    gc.freeze()  # or its collections would go through, and copy, all that the parent has imported
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        status = 1
        try:
            Path("/proc/self/clear_refs").write_text("5")  # forget the peak of the parent
            before, cpu, wall = memory("VmRSS"), time.process_time(), time.perf_counter()
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                operation()
            found = time.process_time() - cpu, time.perf_counter() - wall, memory("VmHWM") - before
            os.write(writing, json.dumps(found).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading) as file:
        text = file.read()
    if os.waitpid(child, 0)[1]:
        raise RuntimeError("the operation failed")
    return Cost(*json.loads(text))


def memory(name: str) -> int:
    """Bytes that the kernel counts for this process, e.g. ``VmRSS`` now or ``VmHWM`` at the peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(name))
