"""F0 of signals whose F0 is known."""

from __future__ import annotations

import numpy as np
import pytest

from espnet_ent.data.pitch import continuous_log_f0, track_f0

RATE = 16000


def voice(f0: np.ndarray) -> np.ndarray:
    """A harmonic sound with a given F0 (N,) in Hz."""
    phase = 2 * np.pi * np.cumsum(f0) / RATE
    return sum(np.sin(k * phase) / k for k in range(1, 9)) * 0.1


@pytest.mark.parametrize("f0", [90.0, 180.0, 420.0])
@pytest.mark.parametrize("downsampling", [1, 4])
def test_a_steady_voice(f0: float, downsampling: int) -> None:
    found = track_f0(voice(np.full(RATE, f0)), RATE, 0.01, downsampling=downsampling)
    assert len(found) == 101
    assert np.median(found) == pytest.approx(f0, rel=0.01)


def test_a_rising_voice_and_silence() -> None:
    rising = np.linspace(120, 240, RATE)
    found = track_f0(np.concatenate([voice(rising), np.zeros(RATE)]), RATE, 0.01)
    np.testing.assert_allclose(found[20:80], np.linspace(120, 240, 101)[20:80], rtol=0.02)
    assert not found[120:].any()


def test_frames_without_voice_are_drawn_through() -> None:
    log_f0 = continuous_log_f0(np.array([0.0, 100.0, 0.0, 0.0, 200.0, 0.0]))
    np.testing.assert_allclose(log_f0[[0, 1, 4, 5]], np.log([100, 100, 200, 200]))
    np.testing.assert_allclose(np.diff(log_f0[1:5]), np.log(2) / 3)
    assert np.ptp(continuous_log_f0(np.zeros(5))) == 0
