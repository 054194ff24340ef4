"""Fundamental frequency of speech, by WORLD's DIO and StoneMask (Morise et al., 2009, 2016)."""

from __future__ import annotations

import numpy as np

F0_FLOOR, F0_CEILING = 60.0, 600.0
_UNKNOWN_F0 = 150.0


def track_f0(
    samples: np.ndarray,
    sample_rate: int,
    frame_seconds: float,
    floor: float = F0_FLOOR,
    ceiling: float = F0_CEILING,
    downsampling: int = 1,
) -> np.ndarray:
    """Fundamental frequency of each frame.

    Args:
        samples: (N,) speech.
        sample_rate: Samples a second.
        frame_seconds: Time between frames; the first is at 0.
        floor: Lowest frequency in Hz.
        ceiling: Highest frequency in Hz.
        downsampling: Factor of DIO's search, 1 to 12: faster, at a small loss; StoneMask refines at the full rate.

    Returns:
        float64 (num_frames,) in Hz, 0 where there is no voice; num_frames is about N / sample_rate / frame_seconds + 1.
    """
    import pyworld

    signal = np.ascontiguousarray(samples, dtype=np.float64)
    f0, times = pyworld.dio(
        signal,
        sample_rate,
        f0_floor=floor,
        f0_ceil=ceiling,
        frame_period=1000.0 * frame_seconds,
        speed=downsampling,
    )
    return pyworld.stonemask(signal, f0, times, sample_rate)


def continuous_log_f0(f0: np.ndarray) -> np.ndarray:
    """Logarithm of F0 (T,) in Hz, drawn straight through frames without voice; constant where there is no voice."""
    voiced = f0 > 0
    if not voiced.any():
        return np.full(len(f0), np.log(_UNKNOWN_F0))
    return np.interp(np.arange(len(f0)), np.flatnonzero(voiced), np.log(f0[voiced]))
