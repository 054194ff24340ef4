"""A stand-in of the hub on this machine: the endpoints that an upload and a download of a model go through.

``repos/create`` · ``validate-yaml`` · ``preupload`` · LFS ``objects/batch``, upload, ``verify`` · ``commit`` · model
info · ``tree`` · ``resolve``. Whoever writes needs the token.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

TOKEN = "hf_standin"
_LFS = (".pth", ".npz", ".png", ".safetensors")


@dataclass
class Hub:
    """What the hub holds, and what it was asked.

    Attributes:
        url: Its address.
        repos: Files of each repository.
        lfs_paths: Files that came by LFS.
        requests: Method and path of each request.
        is_refusing: Refuse every commit.
    """

    url: str = ""
    repos: dict[str, dict[str, bytes]] = field(default_factory=dict)
    lfs_paths: set[str] = field(default_factory=set)
    objects: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    is_refusing: bool = False

    def commit_of(self, repo: str) -> str:
        """The newest commit of a repository, which is its content's digest."""
        digest = hashlib.sha1()
        for name, data in sorted(self.repos[repo].items()):
            digest.update(name.encode() + hashlib.sha1(data).digest())
        return digest.hexdigest()


@contextmanager
def run_hub() -> Iterator[Hub]:
    """The hub, on a free port of the loopback, until the block ends."""
    hub = Hub()

    class Handler(_Handler):
        pass

    Handler.hub = hub
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, status: int, content: object = None, **headers: str) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content or {}).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", headers.get("Length", str(len(data))))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            data = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return data
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _is_allowed(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def do_POST(self) -> None:
        path, body = self.path.partition("?")[0], self._body()
        self.hub.requests.append(f"POST {path}")
        if not self._is_allowed():
            return self._answer(401, {"error": "Invalid username or password."})
        if path == "/api/repos/create":
            asked = json.loads(body)
            repo = "/".join(filter(None, (asked.get("organization") or "user", asked["name"])))
            self.hub.repos.setdefault(repo, {})
            return self._answer(200, {"url": f"{self.hub.url}/{repo}", "id": repo})
        if path == "/api/validate-yaml":
            return self._answer(200, {"errors": [], "warnings": []})
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/preupload/main", path):
            files = [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if file["path"].endswith(_LFS) else "regular",
                    "shouldIgnore": False,
                }
                for file in json.loads(body)["files"]
            ]
            return self._answer(200, {"files": files})
        if re.fullmatch(r"/[^/]+/[^/]+\.git/info/lfs/objects/batch", path):
            return self._answer(
                200, {"transfer": "basic", "objects": [self._action(o) for o in json.loads(body)["objects"]]}
            )
        if path == "/lfs/verify":
            return self._answer(200 if json.loads(body)["oid"] in self.hub.objects else 404)
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/main", path):
            if self.hub.is_refusing:
                return self._answer(403, {"error": "no right to write here"})
            self._commit(match[1], [json.loads(line) for line in body.splitlines()])
            commit = self.hub.commit_of(match[1])
            return self._answer(
                200, {"success": True, "commitOid": commit, "commitUrl": f"{self.hub.url}/{match[1]}/commit/{commit}"}
            )
        return self._answer(404, {"error": path})

    def _action(self, asked: dict) -> dict:
        oid, size = asked["oid"], asked["size"]
        if oid in self.hub.objects:
            return {"oid": oid, "size": size}
        actions = {
            "upload": {"href": f"{self.hub.url}/lfs/{oid}", "header": {}},
            "verify": {"href": f"{self.hub.url}/lfs/verify", "header": {}},
        }
        return {"oid": oid, "size": size, "actions": actions}

    def _commit(self, repo: str, entries: list[dict]) -> None:
        files = self.hub.repos[repo]
        for entry in entries:
            value = entry["value"]
            if entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                files[value["path"]] = self.hub.objects[value["oid"]]
                self.hub.lfs_paths.add(value["path"])
            else:
                assert entry["key"] == "header", entry

    def do_PUT(self) -> None:
        self.hub.requests.append(f"PUT {self.path}")
        oid, data = self.path.rpartition("/")[2], self._body()
        if hashlib.sha256(data).hexdigest() != oid:
            return self._answer(400)
        self.hub.objects[oid] = data
        return self._answer(200)

    def do_GET(self) -> None:
        path = unquote(self.path.partition("?")[0])
        self.hub.requests.append(f"{self.command} {path}")
        match = re.fullmatch(r"/api/models/([^/]+/[^/]+?)(/revision/[^/]+|/tree/[^/]+)?", path)
        if match and match[1] in self.hub.repos:
            files, commit = self.hub.repos[match[1]], self.hub.commit_of(match[1])
            if (match[2] or "").startswith("/tree/"):
                return self._answer(
                    200,
                    [
                        {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                        for name, data in sorted(files.items())
                    ],
                )
            siblings = [{"rfilename": name} for name in files]
            return self._answer(200, {"id": match[1], "modelId": match[1], "sha": commit, "siblings": siblings})
        match = re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path)
        if match and match[2] in self.hub.repos.get(match[1], {}):
            data = self.hub.repos[match[1]][match[2]]
            headers = {"ETag": f'"{hashlib.sha1(data).hexdigest()}"', "X_Repo_Commit": self.hub.commit_of(match[1])}
            return self._answer(200, data, **headers)
        return self._answer(404, {"error": "Repository not found"}, X_Error_Code="RepoNotFound")

    do_HEAD = do_GET  # noqa: N815
