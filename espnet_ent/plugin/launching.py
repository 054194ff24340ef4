"""Training by several processes of this machine: none outlives the failure of another, and the cause is what is told.

ESPnet starts such processes too, for GPUs alone; there a user's mistake shows a traceback of torch's, and SIGTERM
leaves them behind. Each process here is as torchrun would have started it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
from espnet2.train.distributed_utils import get_master_port, get_node_rank, get_num_nodes, resolve_distributed_mode

from espnet_ent.errors import EXIT_USER_ERROR, EntError, WorkerError
from espnet_ent.plugin.distributed import PeerLostError

START = "spawn"  # CUDA does not survive a fork
GRACE = 10.0
"""Seconds that the other processes have to notice that one has failed; then they are ended."""

_USER, _DEFECT, _LOST = "user", "defect", "lost"


def launch(task: Any, args: argparse.Namespace, number: int) -> bool:
    """Train with ``number`` processes of this machine, one for each GPU, or on its CPU if ``args.ngpu`` is 0.

    Args:
        task: Class whose ``main_worker`` is what each process runs.
        args: Its options.
        number: Processes of this machine; with several machines, the same on each.

    Returns:
        Whether this machine is the first.

    Raises:
        EntError: If a process raised one, or was ended from outside.
        RuntimeError: With the traceback of any other failure.
    """
    args = argparse.Namespace(**vars(args))
    num_nodes = get_num_nodes(args.dist_world_size, args.dist_launcher)
    node = 0 if num_nodes == 1 else get_node_rank(args.dist_rank, args.dist_launcher)
    args.dist_world_size = number * num_nodes
    with tempfile.TemporaryDirectory(prefix="ent-train-") as folder:
        if num_nodes == 1:
            args.dist_master_addr = "localhost"
            if args.dist_init_method == "env://" and get_master_port(args.dist_master_port) is None:
                args.dist_init_method = f"file://{folder}/meeting"
        with _sigterm_passed_on() as receivers:
            context = torch.multiprocessing.start_processes(
                _work, args=(task, args, number, node, folder), nprocs=number, join=False, start_method=START
            )
            receivers(context.processes)
            failed = _join(context.processes, GRACE)
        if failed:
            raise _cause(failed, context.processes, Path(folder))
    return node == 0


def _work(index: int, task: Any, args: argparse.Namespace, number: int, node: int, folder: str) -> None:
    """One process: what it fails with is left in ``folder``."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        _prepare(args, number, node == 0 and args.dist_world_size == number)
        args.multiprocessing_distributed = False
        args.ngpu = min(1, args.ngpu)
        args.local_rank, args.dist_rank = index, node * number + index
        resolve_distributed_mode(args)
        task.main_worker(args)
    except EntError as error:
        kind = _LOST if isinstance(error, PeerLostError) else _USER
        Path(folder, f"{index}.{kind}").write_text(str(error), encoding="utf-8")
        sys.exit(EXIT_USER_ERROR)
    except Exception:
        Path(folder, f"{index}.{_DEFECT}").write_text(traceback.format_exc(), encoding="utf-8")
        sys.exit(1)


def _prepare(args: argparse.Namespace, number: int, is_one_machine: bool) -> None:
    if args.ngpu > 0:
        return
    if is_one_machine and "lo" in dict(map(reversed, socket.if_nameindex())):
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # a host name may lead nowhere
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // number))


@contextlib.contextmanager
def _sigterm_passed_on() -> Iterator[Callable[[Sequence[BaseProcess]], None]]:
    """Pass SIGTERM on to the processes that are given to the function: each finishes its batch, see ``stopping``."""
    processes: list[BaseProcess] = []
    is_requested = False

    def on_term(_signal: int, _frame: object) -> None:
        nonlocal is_requested
        is_requested = True
        for process in processes:
            process.terminate()

    def receive(started: Sequence[BaseProcess]) -> None:
        processes.extend(started)
        if is_requested:
            on_term(signal.SIGTERM, None)

    if threading.current_thread() is not threading.main_thread():
        yield receive
        return
    previous = signal.signal(signal.SIGTERM, on_term)
    try:
        yield receive
    finally:
        signal.signal(signal.SIGTERM, previous)


def _join(processes: Sequence[BaseProcess], grace: float) -> list[int]:
    """Wait for all processes; those that failed of themselves, none if all is well."""
    running = {process.sentinel: process for process in processes}
    while running and not any(process.exitcode for process in processes):
        for sentinel in wait(list(running)):
            running.pop(sentinel).join()
    _wait_for(running.values(), grace)
    failed = [number for number, process in enumerate(processes) if process.exitcode]
    for end in (BaseProcess.terminate, BaseProcess.kill):
        alive = [process for process in processes if process.is_alive()]
        for process in alive:
            end(process)
        _wait_for(alive, grace)
    for process in processes:
        process.join()
    return failed


def _wait_for(processes: Iterable[BaseProcess], seconds: float) -> None:
    """Wait until all have ended, at most so many seconds."""
    deadline = time.monotonic() + seconds
    for process in processes:
        process.join(max(0.0, deadline - time.monotonic()))


def _cause(failed: Sequence[int], processes: Sequence[BaseProcess], folder: Path) -> Exception:
    """The error that explains the failures: one's own before the loss of another."""
    reports = {kind: [(number, folder / f"{number}.{kind}") for number in failed] for kind in (_USER, _DEFECT, _LOST)}
    found = {
        kind: [(number, path.read_text(encoding="utf-8")) for number, path in paths if path.exists()]
        for kind, paths in reports.items()
    }
    if found[_USER]:
        return EntError(found[_USER][0][1])
    if found[_DEFECT]:
        number, text = found[_DEFECT][0]
        return RuntimeError(f"process {number} of {len(processes)} failed:\n{text}")
    told = {number for number, _ in found[_LOST]}
    for number in failed:
        if number not in told:
            return WorkerError(
                "a process of the training has ended before its end",
                where=f"process {number} of {len(processes)}",
                got=_status(processes[number].exitcode),
                next_step="see the machine's log (is memory short?), then run the same command to go on",
            )
    return PeerLostError(found[_LOST][0][1])


def _status(code: int) -> str:
    return signal.Signals(-code).name if -code in set(signal.Signals) else f"status {code}"
