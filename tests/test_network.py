"""The guard of all tests: this machine alone."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from tests import network

pytestmark = pytest.mark.security
_REACH = "import socket; socket.create_connection(('192.0.2.1', 9), timeout=1)"


@pytest.mark.parametrize("host", ["192.0.2.1", "example.org", "2001:db8::1", b"example.org", "10.0.0.1"])
def test_other_machines_are_others(host) -> None:
    assert not network.is_local(host)


@pytest.mark.parametrize("host", [None, "", "localhost", "127.0.0.1", "127.8.9.1", "::1", "0.0.0.0", b"127.0.0.1"])
def test_this_machine_is_local(host) -> None:
    assert network.is_local(host)


def test_a_test_that_reaches_out_is_refused() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        for reach in (
            lambda: socket.create_connection(("192.0.2.1", 9), timeout=1),
            lambda: socket.getaddrinfo("example.org", 80),
            lambda: datagrams.sendto(b"x", ("192.0.2.1", 9)),
        ):
            with pytest.raises(PermissionError, match="reached for the network"):
                reach()
    assert len(network.ATTEMPTS) >= 3
    network.ATTEMPTS.clear()


def test_the_guard_leaves_this_machine_alone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        pass


def test_children_are_guarded(figures) -> None:
    ended = subprocess.run([sys.executable, "-c", _REACH], capture_output=True, text=True, check=False)
    assert "PermissionError: a test reached for the network" in ended.stderr
    figures("Security", "a test that reaches for another machine fails, and so do its child processes", tried=1)
