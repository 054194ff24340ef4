"""A small HTTP server for one page and one action, for the machine that it runs on.

It serves no files: a path is one of two names or it is not found. Nothing that is uploaded is stored.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import ipaddress
import json
import re
import socket
import sys
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from espnet_ent.demo.service import DemoLimits
from espnet_ent.errors import ConfigError, EntError
from espnet_ent.report.html.page import asset

AUDIO_TYPES = (
    *("audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave", "audio/flac", "audio/x-flac", "audio/ogg"),
    *("application/ogg", "audio/mpeg", "audio/mp3", "audio/aiff", "audio/x-aiff", "audio/basic"),
)
"""Content types of uploads; what is in them must be audio, too."""
_LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")
_DEFAULT_PORT = 80  # a browser does not name it


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine reach an address."""
    if host == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


class DemoServer(ThreadingHTTPServer):
    """The server; ``serve_forever`` runs it.

    Args:
        transcribe: Audio file to an object for JSON; raises :class:`EntError` on what it does not accept.
        limits: What is accepted.
        host: Address.
        port: Port; 0: a free one.
        allow_remote: Accept an address that other machines reach.

    Raises:
        ConfigError: If the address is not of this machine alone, or can't be used.
    """

    daemon_threads = True
    request_queue_size = 128  # with the library's 5, a crowd makes honest browsers wait for seconds

    def __init__(
        self,
        transcribe: Callable[[bytes], dict[str, Any]],
        limits: DemoLimits,
        host: str = "127.0.0.1",
        port: int = 7860,
        allow_remote: bool = False,
    ) -> None:
        if not is_loopback(host) and not allow_remote:
            raise ConfigError(
                "other machines would reach the page",
                where=f"--host {host}",
                expected="a loopback address",
                next_step="--allow_remote true, if that is meant",
            )
        self.transcribe = transcribe
        self.limits = limits
        self.is_local = is_loopback(host)
        self.page, self.policy = load_page(limits)
        self._slots = threading.BoundedSemaphore(limits.connections)
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as error:
            raise ConfigError("can't listen", where=f"{host} port {port}", got=error, next_step="--port 0") from None
        self.own_hosts = self._own_hosts()

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{self._address}:{self.server_address[1]}/"

    @property
    def _address(self) -> str:
        host = str(self.server_address[0])
        return f"[{host}]" if ":" in host else host

    def _own_hosts(self) -> frozenset[str]:
        """What ``Host`` says in requests that are meant for a page of this machine alone."""
        port = self.server_address[1]
        names = {*_LOCAL_NAMES, self._address}
        return frozenset(f"{name}:{port}" for name in names) | (names if port == _DEFAULT_PORT else set())

    def server_bind(self) -> None:
        """Bind without a look-up of the machine's name, which may take seconds."""
        super(ThreadingHTTPServer, self).server_bind()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread of its own, or refuse at once where too many are open."""
        if self._slots.acquire(blocking=False):
            try:
                super().process_request(request, client_address)
            except BaseException:
                self._slots.release()
                raise
            return
        with contextlib.suppress(OSError):
            request.settimeout(1)
            request.sendall(b"HTTP/1.0 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n")
        self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, and make room for the next."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks is no defect; anything else keeps its traceback."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def load_page(limits: DemoLimits) -> tuple[bytes, str]:
    """The page with its limits, and a policy by which nothing but its own script and style is run or loaded."""
    page = files("espnet_ent.demo").joinpath("page.html").read_text(encoding="utf-8")
    for name in ("emotions.css", "emotions.js"):
        page = page.replace(f"{{{{{name}}}}}", asset(name))
    page = page.replace("{{max_bytes}}", str(limits.num_bytes)).replace("{{max_seconds}}", f"{limits.seconds:g}")
    sources = {}
    for kind in ("script", "style"):
        (content,) = re.findall(rf"<{kind}>(.*?)</{kind}>", page, flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        sources[kind] = f"{kind}-src 'sha256-{digest}'"
    policy = (
        f"default-src 'none'; {sources['script']}; {sources['style']}; connect-src 'self'; media-src blob:; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return page.encode(), policy


class _Handler(BaseHTTPRequestHandler):
    server: DemoServer
    server_version = "ent-demo"
    sys_version = ""

    def setup(self) -> None:
        limit = self.server.limits.request_seconds
        self.timeout = limit  # of each read and write
        super().setup()
        # A request that trickles in is cut off as a whole.
        self._alarm = threading.Timer(limit, self._cut)
        self._alarm.daemon = True
        self._alarm.start()

    def finish(self) -> None:
        self._alarm.cancel()
        super().finish()

    def _cut(self) -> None:
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RD)

    def do_GET(self) -> None:
        """The page."""
        if not self._is_from_here():
            self._refuse(HTTPStatus.FORBIDDEN, "this page answers to its own address alone")
        elif self.path == "/":
            self._send(HTTPStatus.OK, "text/html; charset=utf-8", self.server.page)
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "there is no such page")

    def do_POST(self) -> None:
        """The transcript of an upload."""
        refusal = self._refusal()
        if refusal is not None:
            self._refuse(*refusal)
            return
        size = int(self.headers["Content-Length"])
        content = self.rfile.read(size)
        self._alarm.cancel()
        if len(content) < size:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "the upload did not come in whole")
            return
        try:
            answer = self.server.transcribe(content)
        except EntError as error:
            self._refuse(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
        except Exception:
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, "a defect of the server; its terminal shows more")
            raise
        else:
            self._send_json(HTTPStatus.OK, answer)

    def _refusal(self) -> tuple[HTTPStatus, str] | None:
        """Why an upload is not even read."""
        limits = self.server.limits
        length = self.headers.get("Content-Length", "")
        if not self._is_from_here():
            return HTTPStatus.FORBIDDEN, "this page answers to its own address alone"
        if self.path != "/transcribe":
            return HTTPStatus.NOT_FOUND, "there is no such page"
        if self.headers.get_content_type() not in AUDIO_TYPES:
            return HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"expected one of {' '.join(sorted(AUDIO_TYPES))}"
        if "Transfer-Encoding" in self.headers or not re.fullmatch(r"[0-9]{1,15}", length):
            return HTTPStatus.LENGTH_REQUIRED, "the length of the upload is not told"
        if int(length) > limits.num_bytes:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"expected at most {limits.megabytes:g} MB"
        return None

    def _is_from_here(self) -> bool:
        """Whether a request is meant for this page, and not sent by another that a browser shows."""
        host, origin = self.headers.get("Host", ""), self.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return False
        return not self.server.is_local or host in self.server.own_hosts

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        self._send_json(status, {"error": message})

    def _send_json(self, status: HTTPStatus, content: dict[str, Any]) -> None:
        self._send(status, "application/json", json.dumps(content, allow_nan=False).encode())

    def _send(self, status: HTTPStatus, content_type: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Security-Policy", self.server.policy)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet: what people ask is theirs."""
