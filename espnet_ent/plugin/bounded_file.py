"""A file that gives no more at once than the headers of an honest archive need."""

from __future__ import annotations

import io
from typing import Any

LARGEST_READ = 1 << 22
"""Bytes. Readers of archives take headers in one piece and contents in smaller ones."""


class TooMuchError(Exception):
    """More was to be read than is allowed."""


class BoundedFile(io.RawIOBase):
    """A file that gives no more at once than a header may have, and nothing beyond an offset.

    The standard library reads the headers of an archive in one piece, however long they say they are, and skips what it
    does not need by decompressing it.
    """

    def __init__(self, file: Any, end: int | None = None) -> None:
        self._file = file
        self._end = end

    def read(self, size: int = -1) -> bytes:
        """As a file's; refuses reads that are too large."""
        if size > LARGEST_READ:
            raise TooMuchError(f"a header of {size} bytes")
        self._check_place(self._file.tell())
        data = self._file.read(LARGEST_READ + 1 if size < 0 else size)
        if len(data) > LARGEST_READ:
            raise TooMuchError(f"a header of more than {LARGEST_READ} bytes")
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As a file's; refuses what lies beyond the end."""
        if whence == io.SEEK_SET:
            self._check_place(offset)
        return self._file.seek(offset, whence)

    def _check_place(self, offset: int) -> None:
        # Headers and the padding of members come on top of what they hold.
        if self._end is not None and offset > 2 * self._end:
            raise TooMuchError(f"more than {self._end} bytes")

    def tell(self) -> int:
        """As a file's."""
        return self._file.tell()

    def seekable(self) -> bool:
        """Always."""
        return True

    def readable(self) -> bool:
        """Always."""
        return True
