"""No test reaches beyond this machine: an audit hook refuses every other address, and its test fails.

Children that are Python processes with our environment are guarded, too (``PYTHONPATH`` and ``sitecustomize.py``);
``tools/offline.sh`` takes the network away from all of them.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from pathlib import Path

# One list a process, whoever loaded this file: a worker of pytest-xdist is a guarded child that runs tests.
ATTEMPTS: list[str] = vars(sys).setdefault("_network_attempts", [])
_LOCAL_NAMES = {"", "localhost", "localhost.localdomain", socket.gethostname()}
_WATCHED = {"socket.connect": 1, "socket.sendto": 1, "socket.sendmsg": 1, "socket.getaddrinfo": 0}
_WATCHED |= {"socket.gethostbyname": 0}


def is_local(host: object) -> bool:
    """Whether a host is this machine."""
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if host is None or host in _LOCAL_NAMES:
        return True
    try:
        address = ipaddress.ip_address(str(host).partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _refuse_others(event: str, args: tuple) -> None:
    position = _WATCHED.get(event)
    if position is None:
        return
    target = args[position]
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        if args[0].family not in (socket.AF_INET, socket.AF_INET6) or target is None:
            return
        target = target[0]
    if not is_local(target):
        ATTEMPTS.append(f"{event} {target}")
        raise PermissionError(f"a test reached for the network: {event} {target}")


def watch() -> None:
    """Watch this process from now on."""
    sys.addaudithook(_refuse_others)


def watch_children() -> None:
    """Watch the Python processes that this one starts with its environment."""
    folders = [str(Path(__file__).parent / "guarded"), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(folders)
