"""What differs between machines and versions of third parties, kept in one place."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator

_NOISE = (
    "Failed to import Flash Attention",  # ESPnet prints it wherever that optional package is missing
    "[nltk_data]",  # a grapheme-to-phoneme package asks the network for data that we never use
)


class _LineFilter(io.TextIOBase):
    """Passes text on line by line, without the lines that are known noise."""

    def __init__(self, stream: io.TextIOBase) -> None:
        self._stream = stream
        self._line = ""

    def write(self, text: str) -> int:
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            if not line.startswith(_NOISE):
                self._stream.write(line + "\n")
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def finish(self) -> None:
        """Pass on a last line without an end."""
        if self._line and not self._line.startswith(_NOISE):
            self._stream.write(self._line)
        self._line = ""


@contextlib.contextmanager
def quiet_imports() -> Iterator[None]:
    """Import third parties without their known start-up noise; everything else is passed on.

    What asks the network (nltk, through ESPnet's phoneme tokenizer) is not imported by this package at all.
    """
    out, err = _LineFilter(sys.stdout), _LineFilter(sys.stderr)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            yield
    finally:
        out.finish()
        err.finish()
