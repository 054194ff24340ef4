"""The page's server: what it answers, and what it refuses."""

from __future__ import annotations

import io
import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import pytest

from espnet_ent.demo.server import DemoServer, is_loopback, load_page
from espnet_ent.demo.service import DemoLimits
from espnet_ent.errors import AudioError, ConfigError
from espnet_ent.report.html.page import asset
from tests.amounts import amount

pytestmark = pytest.mark.security
LIMITS = DemoLimits(megabytes=0.001, seconds=5, request_seconds=60)  # a busy machine reads late


def echo(content: bytes) -> dict[str, Any]:
    """In place of a model."""
    if content == b"bad":
        raise AudioError("not an audio file", where="audio in memory")
    if content == b"defect":
        raise ZeroDivisionError
    return {"size": len(content)}


@contextmanager
def running(
    transcribe: Callable[[bytes], dict[str, Any]] = echo, limits: DemoLimits = LIMITS, host: str = "127.0.0.1"
) -> Iterator[DemoServer]:
    with DemoServer(transcribe, limits, host, port=0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def server() -> Iterator[DemoServer]:
    with running() as found:
        yield found


def ask(server: DemoServer, method: str, path: str, body: bytes | None = None, **headers: str) -> HTTPResponse:
    connection = HTTPConnection("127.0.0.1", server.server_address[1], timeout=60)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, named)
    response = connection.getresponse()
    response.content = response.read()
    connection.close()
    return response


def raw(server: DemoServer, request: bytes) -> bytes:
    """What comes back for bytes that no client would send."""
    with socket.create_connection(("127.0.0.1", server.server_address[1]), timeout=60) as connection:
        connection.sendall(request)
        found = b""
        while part := connection.recv(4096):
            found += part
        return found


def test_the_page_is_whole_and_loads_nothing_from_elsewhere(server: DemoServer) -> None:
    response = ask(server, "GET", "/")
    assert response.status == 200
    assert response.getheader("Content-Type") == "text/html; charset=utf-8"
    text = response.content.decode()
    assert 'data-max-bytes="1000"' in text
    assert "{{" not in text
    outside = [word for word in ("http://", "https://", "//cdn", "@import", "src=") if word in text]
    assert outside == ["http://"]
    assert text.count("http://") == text.count("http://www.w3.org/2000/svg")
    policy = response.getheader("Content-Security-Policy")
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy


def test_the_page_runs_under_its_policy() -> None:
    """No attribute holds a script or a style: the policy would stop it."""
    page = load_page(LIMITS)[0].decode()
    assert page.count("<script") == page.count("<style") == 1
    assert " onclick=" not in page
    assert ' style="' not in page


def test_emotions_have_the_colours_of_the_report() -> None:
    page = load_page(LIMITS)[0].decode()
    for name in ("emotions.css", "emotions.js"):
        assert page.count(asset(name)) == 1
    assert "{{" not in page


def test_an_upload_is_answered(server: DemoServer) -> None:
    response = ask(server, "POST", "/transcribe", b"x" * 1000, Content_Type="audio/wav; rate=16000")
    assert (response.status, json.loads(response.content)) == (200, {"size": 1000})
    assert response.getheader("Cache-Control") == "no-store"


PATHS = ["/../../etc/passwd", "/..%2f..%2fetc/passwd", "//etc/passwd", "/page.html", "/server.py", "/?file=/etc/passwd"]
PATHS += ["/./", "/.", "/..", "/%2e%2e/%2e%2e/etc/passwd", "/..%c0%af..%c0%afetc/passwd", "/....//....//etc/passwd"]
PATHS += ["/..\\..\\etc\\passwd", "/%00", "/transcribe/../../etc/passwd", "/transcribe%2f..", "/transcribe?x", "/%20"]
PATHS += ["/file:///etc/passwd", "/proc/self/environ", "/~root/.ssh/id_rsa", "/.git/config", "/" + "../" * 500 + "etc"]


@pytest.mark.parametrize("path", PATHS)
def test_no_path_leads_to_a_file(server: DemoServer, path: str, figures) -> None:
    figures("Security", "demo server: a path other than its own leads nowhere", paths=1)
    for method in ("GET", "POST"):
        response = ask(server, method, path, b"x" if method == "POST" else None, Content_Type="audio/wav")
        assert response.status == 404
        assert json.loads(response.content) == {"error": "there is no such page"}


def test_other_methods_are_refused(server: DemoServer) -> None:
    for method in ("PUT", "DELETE", "OPTIONS", "HEAD", "TRACE"):
        assert ask(server, method, "/").status == 501


def test_too_large_an_upload_is_refused_before_it_is_sent(server: DemoServer, figures) -> None:
    figures("Security", "demo server: uploads that are too large or of unknown length are refused unread", uploads=7)
    head = f"POST /transcribe HTTP/1.1\r\nHost: localhost:{server.server_address[1]}\r\nContent-Type: audio/wav\r\n"
    for length in ("1001", "99999999999999"):
        answer = raw(server, f"{head}Content-Length: {length}\r\n\r\n".encode())
        assert b" 413 " in answer.splitlines()[0]
    for field in (
        "Transfer-Encoding: chunked",
        "Content-Length: -1",
        "Content-Length: 1e3",
        "X: y",
        f"Content-Length: {'9' * 99}",
    ):
        assert b" 411 " in raw(server, f"{head}{field}\r\n\r\n".encode()).splitlines()[0]


@pytest.mark.parametrize("kind", ["text/html", "application/json", "multipart/form-data; boundary=x", "image/png", ""])
def test_an_upload_of_another_type_is_refused(server: DemoServer, kind: str, figures) -> None:
    figures("Security", "demo server: uploads of another type are refused", types=1)
    assert ask(server, "POST", "/transcribe", b"x", Content_Type=kind).status == 415


def test_what_is_no_audio_is_told_and_a_defect_is_not(server: DemoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()  # capsys loses what another thread writes while it is read
    monkeypatch.setattr(sys, "stderr", shown)
    response = ask(server, "POST", "/transcribe", b"bad", Content_Type="audio/wav")
    assert response.status == 422
    assert json.loads(response.content) == {"error": "audio in memory: not an audio file"}
    response = ask(server, "POST", "/transcribe", b"defect", Content_Type="audio/wav")
    assert response.status == 500
    assert b"ZeroDivision" not in response.content
    deadline = time.monotonic() + 10
    while "ZeroDivisionError" not in shown.getvalue() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "ZeroDivisionError" in shown.getvalue()
    assert ask(server, "GET", "/").status == 200


def test_other_pages_of_the_browser_get_no_answer(server: DemoServer) -> None:
    """A name that leads here (DNS rebinding), and a page of elsewhere that posts."""
    port = server.server_address[1]
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", "localhost:1"):
        assert ask(server, "GET", "/", Host=host).status == 403
    for name in ("localhost", "127.0.0.1", "[::1]"):
        assert ask(server, "GET", "/", Host=f"{name}:{port}").status == 200
    sent = {"Content_Type": "audio/wav"}
    assert ask(server, "POST", "/transcribe", b"x", Origin="http://evil.example", **sent).status == 403
    assert ask(server, "POST", "/transcribe", b"x", Origin="null", **sent).status == 403
    assert ask(server, "POST", "/transcribe", b"x", Origin=f"http://127.0.0.1:{port}", **sent).status == 200


def test_another_loopback_address_is_its_own_page() -> None:
    with running(host="127.0.0.2") as server:
        connection = HTTPConnection("127.0.0.2", server.server_address[1], timeout=10)
        connection.request("GET", "/")
        assert connection.getresponse().status == 200
        connection.close()


def test_requests_that_do_not_come_in_are_cut_off() -> None:
    with running(limits=replace(LIMITS, request_seconds=0.5)) as server:
        head = f"POST /transcribe HTTP/1.1\r\nHost: localhost:{server.server_address[1]}\r\nContent-Type: audio/wav\r\n"
        cut_off = raw(server, f"{head}Content-Length: 10\r\n\r\nabc".encode())
        assert not cut_off or b" 408 " in cut_off.splitlines()[0]  # on a busy machine the head itself may come too late
        assert b" 200 " not in raw(server, b"GET / HTTP/1.0\r\nHost: loc")


def test_more_connections_than_allowed_are_told_to_come_back() -> None:
    limits = DemoLimits(connections=2, request_seconds=30)
    with running(limits=limits) as server:
        address = ("127.0.0.1", server.server_address[1])
        held = [socket.create_connection(address, timeout=10) for _ in range(2)]
        try:
            assert raw(server, b"").startswith(b"HTTP/1.0 503 ")
        finally:
            for connection in held:
                connection.close()
        deadline = time.monotonic() + 10
        while (response := raw(server, b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")).startswith(b"HTTP/1.0 503 "):
            assert time.monotonic() < deadline
        assert b" 403 " in response.splitlines()[0]


def test_many_connections_at_once_are_answered_or_told_to_come_back(figures) -> None:
    """Some ask, some send half a request, some nothing, some leave; afterwards the server is as it was."""
    number, limits = amount(500, 40), DemoLimits(connections=8, request_seconds=2)
    answers: list[bytes] = []

    def ask_or_not(server: DemoServer, kind: int) -> None:
        request = b"GET / HTTP/1.0\r\nHost: localhost:%d\r\n\r\n" % server.server_address[1]
        try:
            with socket.create_connection(("127.0.0.1", server.server_address[1]), timeout=60) as connection:
                connection.sendall((request, request[:9], b"", request)[kind])
                found = b"" if kind == 3 else connection.recv(12)  # the last leaves at once
        except ConnectionError:  # refused while the request was on its way
            found = b""
        except TimeoutError:  # of those who say nothing the system itself may forget some
            found = b"HTTP/1.0 none"
        if kind == 0:
            answers.append(found)

    with running(limits=limits) as server:
        before = threading.active_count()
        clients = [threading.Thread(target=ask_or_not, args=(server, index % 4)) for index in range(number)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        deadline = time.monotonic() + 60
        while threading.active_count() > before and time.monotonic() < deadline:
            time.sleep(0.01)
        assert threading.active_count() <= before
        assert ask(server, "GET", "/").status == 200
    assert {answer[9:12] for answer in answers} <= {b"200", b"503", b""}
    assert b"200" in {answer[9:12] for answer in answers}
    figures("Security", "demo server: many connections at once are answered or told to come back", connections=number)


def test_only_this_machine_is_served_unless_that_is_meant() -> None:
    assert all(is_loopback(host) for host in ("localhost", "127.0.0.1", "127.1.2.3", "::1"))
    assert not any(is_loopback(host) for host in ("0.0.0.0", "::", "192.168.0.1", "example.org", ""))
    with pytest.raises(ConfigError, match=r"--host 0.0.0.0: other machines would reach the page.*--allow_remote true"):
        DemoServer(echo, LIMITS, "0.0.0.0", 0)
    with running() as server, pytest.raises(ConfigError, match="can't listen"):
        DemoServer(echo, LIMITS, port=server.server_address[1])


@pytest.mark.parametrize("limits", [{"megabytes": 0}, {"seconds": -1}, {"connections": 0}])
def test_limits_are_positive(limits: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="out of range"):
        DemoLimits(**limits)
