"""Numbers of 8 bits in base64: what a page draws does not need more."""

from __future__ import annotations

import base64

import numpy as np

LEVELS = 255


def quantised(values: np.ndarray) -> str:
    """Base64 of round(255 x) of each value, row by row; what lies outside [0, 1] is clipped.

    >>> quantised(np.array([0.0, 0.5, 1.0]))
    'AID/'
    """
    levels = np.rint(np.clip(values, 0, 1) * LEVELS).astype(np.uint8)
    return base64.b64encode(levels.tobytes()).decode("ascii")


def restored(text: str) -> np.ndarray:
    """float64 (N,) of what :func:`quantised` gave, within 1 / 510."""
    return np.frombuffer(base64.b64decode(text), np.uint8) / LEVELS
