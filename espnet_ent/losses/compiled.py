"""Loops that numba compiles."""

from __future__ import annotations

from collections.abc import Callable

from numba import njit


def compiled(function: Callable, **options: object) -> Callable:
    """A function compiled at its first call; the machine code is kept on disk where there is a place for it.

    Args:
        function: Loops over arrays and numbers.
        options: Of ``numba.njit``.
    """
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:
        return njit(**options)(function)
