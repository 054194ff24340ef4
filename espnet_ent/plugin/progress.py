"""Visible progress: a bar on a terminal, nothing in a log."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sized


def progress_bar(batches: Iterable, source: object, description: str) -> Iterable:
    """Show a bar while batches are taken, if stderr is a terminal.

    Args:
        batches: What to iterate over.
        source: Where they come from; its length is shown if it has one.
        description: Stands before the bar.
    """
    if not sys.stderr.isatty():
        return batches
    from tqdm import tqdm

    total = len(source) if isinstance(source, Sized) else None
    return tqdm(batches, desc=description, total=total, unit="batch", leave=False)
