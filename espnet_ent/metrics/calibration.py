"""Temperatures that make the probabilities of emotions as high as they are right.

Temperature scaling (Guo, Pleiss, Sun & Weinberger: On calibration of modern neural networks, ICML 2017, section 4.2) of
probabilities whose logits are not at hand: ``softmax(log(p) / T)`` is that of the logits, which differ by a constant.
One temperature for utterances, one for frames, both fitted on development data.

Dimensions: N samples, E emotions.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from espnet_ent.data.atomic import atomic_write_text
from espnet_ent.data.provenance import digest_files
from espnet_ent.errors import CheckpointError

CALIBRATION = "calibration.json"
LOWEST, HIGHEST = 0.05, 20.0
"""Bounds of a fitted temperature: where every sample is right, the likelihood grows without end as T goes to 0."""
FLOOR = 1e-6
"""Smallest probability that is told apart from 0: that of the six decimals of ``utt2emo_posteriors``."""
_TOLERANCE = 1e-10
_MOST_STEPS = 200
_DECIMALS = 6
_FIT_AGAIN = "rerun stage 13 (scoring), or remove the file to do without"


def scale(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities at a temperature: above 1 they are flatter, below 1 sharper; their order stays.

    Args:
        probabilities: (..., E), each row adds up to 1.
        temperature: T > 0.

    Returns:
        softmax(log(p) / T) with p of at least :data:`FLOOR`, float64 (..., E).

    >>> scale(np.array([0.8, 0.2]), 2.0).round(3).tolist()
    [0.667, 0.333]
    """
    return _softmax(log_probabilities(probabilities) / temperature)


def log_probabilities(probabilities: np.ndarray) -> np.ndarray:
    """Natural logarithms of probabilities of at least :data:`FLOOR`, float64 of the same shape."""
    return np.log(np.maximum(np.asarray(probabilities, dtype=np.float64), FLOOR))


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The temperature of the greatest likelihood, in [:data:`LOWEST`, :data:`HIGHEST`].

    The negative log likelihood is convex in b = 1 / T. Its derivative's zero is bracketed and found by Newton's method,
    which a bisection replaces where it leaves the bracket.

    Args:
        probabilities: (N, E).
        labels: int64 (N,), the true classes.

    Returns:
        T; 1 where all are equally likely: without samples, or if each is uniform.
    """
    if len(labels) == 0:
        return 1.0
    logits = log_probabilities(probabilities)
    logits -= logits.max(axis=1, keepdims=True)  # uniform rows become exact zeros, without a slope
    low, high, b = 1.0 / HIGHEST, 1.0 / LOWEST, 1.0
    for bound, sign in ((low, 1.0), (high, -1.0)):
        if sign * _derivatives(logits, labels, bound)[0] > 0:
            return 1.0 / bound
    for _ in range(_MOST_STEPS):
        slope, curvature = _derivatives(logits, labels, b)
        low, high = (low, b) if slope > 0 else (b, high)
        newton = b - slope / curvature if curvature > 0 else b
        following = newton if low <= newton <= high else (low + high) / 2
        if abs(following - b) <= _TOLERANCE * b:
            break
        b = following
    return 1.0 / b


def _derivatives(logits: np.ndarray, labels: np.ndarray, b: float) -> tuple[float, float]:
    """First and second derivative by b of the mean negative log likelihood of softmax(b * logits)."""
    probabilities = _softmax(b * logits)
    mean = (probabilities * logits).sum(axis=1)
    variance = (probabilities * (logits - mean[:, None]) ** 2).sum(axis=1)
    truth = logits[np.arange(len(labels)), labels]
    return float((mean - truth).mean()), float(variance.mean())


def _softmax(logits: np.ndarray) -> np.ndarray:
    likelihoods = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return likelihoods / likelihoods.sum(axis=-1, keepdims=True)


@dataclass(frozen=True)
class Calibration:
    """The temperatures of a model; the content of ``calibration.json``.

    Attributes:
        utterance_temperature: T of the probabilities of utterances; None where the model or the data tells none.
        frame_temperature: T of those of frames; None likewise, e.g. without ``emo_segments``.
        num_utterances: Utterances that T was fitted on.
        num_frames: Frames that T was fitted on.
        fitted_on: Name of the development set.
        checkpoint: Digest of the checkpoint, as ``made_from.json`` of a decoding has it.
    """

    utterance_temperature: float | None
    frame_temperature: float | None
    num_utterances: int
    num_frames: int
    fitted_on: str
    checkpoint: str

    def of_utterance(self, probabilities: np.ndarray | None) -> np.ndarray | None:
        """Probabilities (E,) of an utterance at its temperature, in their dtype; as they are where there is none."""
        return _at(self.utterance_temperature, probabilities)

    def of_frames(self, probabilities: np.ndarray | None) -> np.ndarray | None:
        """Probabilities (T, E) of frames likewise."""
        return _at(self.frame_temperature, probabilities)

    @classmethod
    def read(cls, path: str | Path) -> Calibration:
        """Read a file.

        Raises:
            CheckpointError: If it is missing or damaged.
        """
        path = Path(path)
        if not path.is_file():
            raise CheckpointError("temperatures are missing", where=path, next_step="rerun stage 13 (scoring)")
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise CheckpointError("file is damaged", where=path, got=error, next_step=_FIT_AGAIN) from error
        fault = _fault(values)
        if fault is not None:
            raise CheckpointError("file is damaged", where=path, got=fault, next_step=_FIT_AGAIN)
        return cls(**values)

    def write(self, path: str | Path) -> bool:
        """Write a file, unless it says the same already.

        Returns:
            Whether the file was written.
        """
        path, text = Path(path), self.to_json()
        if path.is_file() and path.read_bytes() == text.encode():
            return False
        atomic_write_text(path, text)
        return True

    def to_json(self) -> str:
        """The content of the file, temperatures with six decimals."""
        values = {name: round(v, _DECIMALS) if isinstance(v, float) else v for name, v in asdict(self).items()}
        return json.dumps(values, sort_keys=True, indent=1, ensure_ascii=False) + "\n"


RAW = Calibration(None, None, 0, 0, "", "")
"""No temperatures."""


def read_calibration_of(directory: str | Path, checkpoint: str) -> Calibration:
    """The temperatures that lie beside a checkpoint; :data:`RAW` if there are none.

    Those of another checkpoint are not used, with a warning.

    Raises:
        CheckpointError: If the file is damaged.
    """
    path = Path(directory, CALIBRATION)
    if not path.is_file():
        return RAW
    fitted = Calibration.read(path)
    if fitted.checkpoint != digest_files([Path(directory, checkpoint)]):
        logging.warning(f"{path}: not the temperatures of {checkpoint}; its probabilities stay raw")
        return RAW
    return fitted


def _at(temperature: float | None, probabilities: np.ndarray | None) -> np.ndarray | None:
    if temperature is None or probabilities is None:
        return probabilities
    return scale(probabilities, temperature).astype(probabilities.dtype)


def _fault(values: object) -> str | None:
    """What is wrong with the content of a file, in words; None if nothing is."""
    names = [field.name for field in fields(Calibration)]
    if not isinstance(values, dict) or sorted(values) != sorted(names):
        return f"other keys than {' '.join(names)}"
    for name in names:
        value = values[name]
        if name.endswith("_temperature"):
            is_right = value is None or (type(value) in (int, float) and LOWEST <= value <= HIGHEST)
        elif name.startswith("num_"):
            is_right = type(value) is int and value >= 0
        else:
            is_right = isinstance(value, str)
        if not is_right:
            return f"{name} {value!r}"
    return None
