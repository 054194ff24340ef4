"""Lines of a log that another machine writes, as they come."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


class FollowedLog:
    """What is appended to a log from now on.

    Args:
        path: The log; it may come later.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._position = path.stat().st_size if path.exists() else 0
        self._begun = b""

    def new_lines(self) -> Iterator[str]:
        """Whole lines that have come since the last call, without those that the runner itself writes."""
        if not self.path.exists():
            return
        with self.path.open("rb") as log:
            log.seek(self._position)
            content = log.read()
        self._position += len(content)
        *lines, self._begun = (self._begun + content).split(b"\n")
        for line in lines:
            if not line.startswith(b"# "):
                yield line.decode("utf-8", errors="replace").rstrip("\r")
