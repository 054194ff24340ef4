"""Temperature scaling: laws, closed cases, and scipy as an oracle; calibration.json as a golden file."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.optimize import minimize_scalar

from espnet_ent.data.provenance import digest_files
from espnet_ent.errors import CheckpointError
from espnet_ent.metrics.calibration import (
    HIGHEST,
    LOWEST,
    RAW,
    Calibration,
    fit_temperature,
    log_probabilities,
    read_calibration_of,
    scale,
)

_FITTED = Calibration(1.2345678, None, 240, 0, "dev", "5f")
_GOLDEN = """{
 "checkpoint": "5f",
 "fitted_on": "dev",
 "frame_temperature": null,
 "num_frames": 0,
 "num_utterances": 240,
 "utterance_temperature": 1.234568
}
"""
_LOGITS = arrays.arrays(np.float64, (5, 4), elements=st.floats(-12, 12))
_TEMPERATURES = st.floats(LOWEST, HIGHEST)


def _softmax(logits: np.ndarray) -> np.ndarray:
    return np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)


def _samples(seed: int, sharpened: float, num_samples: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, and labels drawn from them before they were sharpened."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(num_samples, 4))
    labels = np.array([random.choice(4, p=row) for row in _softmax(logits)])
    return _softmax(logits * sharpened), labels


def _nll(temperature: float, probabilities: np.ndarray, labels: np.ndarray) -> float:
    scaled = _softmax(log_probabilities(probabilities) / temperature)
    return float(np.mean([-np.log(row[label]) for row, label in zip(scaled, labels, strict=True)]))


@given(_LOGITS, _TEMPERATURES)
def test_a_temperature_never_changes_which_emotion_is_the_most_probable(logits: np.ndarray, t: float) -> None:
    probabilities = _softmax(logits)
    scaled = scale(probabilities, t)
    best = probabilities.argmax(axis=1)
    np.testing.assert_array_equal(scaled[np.arange(5), best], scaled.max(axis=1))
    np.testing.assert_allclose(scaled.sum(axis=1), 1)


@given(_LOGITS)
def test_a_temperature_of_1_is_the_identity(logits: np.ndarray) -> None:
    np.testing.assert_allclose(scale(_softmax(logits), 1.0), _softmax(logits), atol=4e-6)


@given(_LOGITS, _TEMPERATURES, _TEMPERATURES)
def test_a_higher_temperature_is_less_sure(logits: np.ndarray, one: float, other: float) -> None:
    low, high = sorted((one, other))
    probabilities = _softmax(logits)
    assert (scale(probabilities, high).max(axis=1) <= scale(probabilities, low).max(axis=1) + 1e-12).all()


@given(arrays.arrays(np.float64, (3, 4), elements=st.floats(-3, 3)), _TEMPERATURES)
def test_scaling_probabilities_is_scaling_their_logits(logits: np.ndarray, t: float) -> None:
    np.testing.assert_allclose(scale(_softmax(logits), t), _softmax(logits / t), rtol=1e-9)


@pytest.mark.parametrize("sharpened", [0.3, 1.0, 2.5, 6.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_fit_is_the_minimum_that_scipy_finds(seed: int, sharpened: float) -> None:
    probabilities, labels = _samples(seed, sharpened)
    temperature = fit_temperature(probabilities, labels)
    bounds = (np.log(LOWEST), np.log(HIGHEST))
    found = minimize_scalar(lambda log_t: _nll(np.exp(log_t), probabilities, labels), bounds=bounds, method="bounded")
    assert temperature == pytest.approx(np.exp(found.x), rel=1e-4)
    assert _nll(temperature, probabilities, labels) <= found.fun + 1e-12


@pytest.mark.parametrize("num_right", [501, 600, 750, 900, 985])
def test_one_confidence_has_a_closed_solution(num_right: int) -> None:
    """Two classes, always 0.9: best is the temperature at which 0.9 becomes the accuracy."""
    labels = np.array([0] * num_right + [1] * (1000 - num_right))
    temperature = fit_temperature(np.tile([0.9, 0.1], (1000, 1)), labels)
    accuracy = num_right / 1000
    expected = np.log(0.9 / 0.1) / np.log(accuracy / (1 - accuracy))
    assert temperature == pytest.approx(min(expected, HIGHEST), rel=1e-8)


def test_the_ends_of_the_range() -> None:
    sure = np.tile([0.7, 0.2, 0.1], (10, 1))
    assert fit_temperature(sure, np.zeros(10, dtype=int)) == pytest.approx(LOWEST)
    assert fit_temperature(sure, np.full(10, 2)) == pytest.approx(HIGHEST)
    assert fit_temperature(np.empty((0, 4)), np.empty(0, dtype=int)) == 1.0
    assert fit_temperature(np.full((9, 3), 1 / 3), np.arange(9) % 3) == 1.0


def test_probabilities_of_zero_are_finite() -> None:
    probabilities = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    labels = np.array([0, 1, 1])
    temperature = fit_temperature(probabilities, labels)
    assert LOWEST < temperature < HIGHEST
    # Two of three are right at 1 - 1e-6: the closed solution again.
    assert temperature == pytest.approx(np.log(1e6) / np.log(2), rel=1e-6)
    assert np.isfinite(scale(probabilities, LOWEST)).all()


def test_the_file_is_as_documented_and_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "exp" / "calibration.json"
    assert _FITTED.write(path)
    assert path.read_text() == _GOLDEN
    before = path.stat().st_ino
    assert not _FITTED.write(path)
    assert path.stat().st_ino == before
    assert Calibration.read(path) == Calibration(1.234568, None, 240, 0, "dev", "5f")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"utterance_temperature": "1"}, "utterance_temperature '1'"),
        ({"frame_temperature": 0.0}, "frame_temperature 0.0"),
        ({"frame_temperature": float("nan")}, "frame_temperature nan"),
        ({"utterance_temperature": True}, "utterance_temperature True"),
        ({"num_frames": -1}, "num_frames -1"),
        ({"fitted_on": None}, "fitted_on None"),
        ({"temperature": 1.0}, "other keys than utterance_temperature"),
    ],
)
def test_a_damaged_file_is_one_line(tmp_path: Path, change: dict[str, object], named: str) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps({**json.loads(_GOLDEN), **change}))
    with pytest.raises(CheckpointError) as caught:
        Calibration.read(path)
    assert str(caught.value).startswith(f"{path}: file is damaged; got {named}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe"])
def test_what_is_not_json_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "calibration.json"
    with pytest.raises(CheckpointError, match="temperatures are missing; next: rerun stage 13"):
        Calibration.read(path)
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"file is damaged; .*next: rerun stage 13"):
        Calibration.read(path)


def test_temperatures_are_those_of_one_checkpoint(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    checkpoint = tmp_path / "valid.loss.ave.pth"
    checkpoint.write_bytes(b"weights")
    assert read_calibration_of(tmp_path, checkpoint.name) is RAW
    fitted = Calibration(2.0, 3.0, 1, 1, "dev", digest_files([checkpoint]))
    fitted.write(tmp_path / "calibration.json")
    assert read_calibration_of(tmp_path, checkpoint.name) == fitted
    assert not caplog.records
    checkpoint.write_bytes(b"trained on")
    with caplog.at_level(logging.WARNING):
        assert read_calibration_of(tmp_path, checkpoint.name) is RAW
    (warning,) = caplog.records
    assert warning.getMessage().endswith("not the temperatures of valid.loss.ave.pth; its probabilities stay raw")


def test_temperatures_are_applied_where_there_are_any() -> None:
    row = np.array([0.8, 0.2], np.float32)
    warm = Calibration(2.0, None, 1, 0, "dev", "")
    assert warm.of_utterance(row).dtype == np.float32
    np.testing.assert_allclose(warm.of_utterance(row), [2 / 3, 1 / 3], rtol=1e-6)
    assert warm.of_frames(row) is row
    assert warm.of_utterance(None) is None
    assert RAW.of_utterance(row) is row
