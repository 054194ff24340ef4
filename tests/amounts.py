"""How many cases a test draws: a few in ``make test``, as many as docs/RELIABILITY.md tells in ``make test-faults``."""

from __future__ import annotations

import os

SHARE = float(os.environ.get("FAULTS") or 0)
"""0: the suite. 1: all that is promised; 0.1: a tenth of it, to try a new test."""


def amount(full: int, quick: int) -> int:
    """How many cases to draw."""
    return max(1, round(full * SHARE)) if SHARE else quick
