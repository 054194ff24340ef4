"""A Slurm cluster of several nodes on this machine, with a configuration, keys and ports of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

NODES = ("n1", "n2", "n3")
_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo")
_PATH = f"/usr/sbin:/usr/local/sbin:{os.environ['PATH']}"
_SECONDS_TO_START = 60
_CONFIGURATION = """
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={root}/munge.socket
CredType=cred/munge
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool-%n
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd-%n.pid
SlurmctldLogFile={root}/slurmctld.log
SlurmdLogFile={root}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
KillWait=5
{nodes}
PartitionName=all Nodes=ALL Default=YES MaxTime=60 State=UP
"""


def reason_against() -> str | None:
    """Why there can be no cluster here; None if there can."""
    if os.geteuid() != 0:
        return "a cluster on one machine needs root: munged and slurmd run as the user who submits"
    missing = [program for program in _PROGRAMS if shutil.which(program, path=_PATH) is None]
    if missing:
        return f"{missing[0]} is missing: apt-get install slurm-wlm munge"
    return None


@contextlib.contextmanager
def slurm_cluster() -> Iterator[Path]:
    """A cluster; programs find it by ``SLURM_CONF``. Everything that it writes lies in the folder that is yielded."""
    # A short path: sockets have at most about 100 characters.
    with tempfile.TemporaryDirectory(prefix="slurm") as folder:
        root = Path(folder)
        configuration = root / "slurm.conf"
        configuration.write_text(_configuration(root))
        (root / "state").mkdir()
        try:
            _start_all(root, configuration)
            _wait_for_nodes(configuration)
            yield root
        finally:
            _stop_all(root, configuration)


def call(configuration: Path, *command: str) -> str:
    """Output of a program of Slurm."""
    environment = {**os.environ, "PATH": _PATH, "SLURM_CONF": str(configuration)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0, f"{command}: {ended.stderr}"
    return ended.stdout


def _configuration(root: Path) -> str:
    host = socket.gethostname().partition(".")[0]
    with contextlib.ExitStack() as sockets:
        bound = [sockets.enter_context(socket.socket()) for _ in range(1 + len(NODES))]
        for one in bound:
            one.bind(("127.0.0.1", 0))
        ports = [one.getsockname()[1] for one in bound]
    nodes = "\n".join(
        f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=2 RealMemory=2000"
        for name, port in zip(NODES, ports[1:], strict=True)
    )
    return _CONFIGURATION.format(host=host, root=root, ports=ports, nodes=nodes)


def _start_all(root: Path, configuration: Path) -> None:
    key = root / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    places = {"key-file": key, "socket": root / "munge.socket", "pid-file": root / "munged.pid"}
    places |= {"log-file": root / "munged.log", "seed-file": root / "munged.seed"}
    _start("munged", "--force", *(f"--{name}={path}" for name, path in places.items()))
    _start("slurmctld", "-f", str(configuration))
    for name in NODES:
        _start("slurmd", "-N", name, "-f", str(configuration))


def _start(*command: str) -> None:
    """Start a daemon, which returns once it runs."""
    ended = subprocess.run(
        command, env={**os.environ, "PATH": _PATH}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False
    )
    assert ended.returncode == 0, f"{command}: {ended.stderr.decode()}"


def _wait_for_nodes(configuration: Path) -> None:
    end = time.monotonic() + _SECONDS_TO_START
    while call(configuration, "sinfo", "-h", "-o", "%T %D").split() != ["idle", str(len(NODES))]:
        assert time.monotonic() < end, call(configuration, "sinfo", "-l")
        time.sleep(0.2)


def _stop_all(root: Path, configuration: Path) -> None:
    """End all jobs, then the daemons, by the numbers that they have written."""
    with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
        call(configuration, "scancel", "--me")
    numbers = [int(path.read_text()) for path in sorted(root.glob("*.pid"), reverse=True)]
    for number in numbers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGTERM)
    end = time.monotonic() + 20
    while any(Path("/proc", str(number)).exists() for number in numbers):
        if time.monotonic() > end:
            for number in numbers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
        time.sleep(0.1)
