"""The hub's cache on disk, as its client writes it."""

from __future__ import annotations

import hashlib
from pathlib import Path


def put_into_cache(cache: Path, repo: str, files: Path) -> str:
    """Put the files of a directory into the cache as the newest revision of a repository; returns its commit."""
    root = cache / f"models--{repo.replace('/', '--')}"
    revision = hashlib.sha1(repo.encode()).hexdigest()
    (root / "refs").mkdir(parents=True)
    (root / "refs" / "main").write_text(revision)
    (root / "blobs").mkdir()
    for path in sorted(file for file in files.rglob("*") if file.is_file()):
        data = path.read_bytes()
        blob = root / "blobs" / hashlib.sha256(data).hexdigest()
        blob.write_bytes(data)
        link = root / "snapshots" / revision / path.relative_to(files)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(blob)
    return revision
