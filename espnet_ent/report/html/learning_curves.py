"""Losses and figures of each epoch, as training kept them in its last checkpoint."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from espnet_ent.errors import CheckpointError

CHECKPOINT = "checkpoint.pth"
_PHASES = ("train", "valid")
_NOT_SHOWN = {"total_count", "time", "iter_time", "forward_time", "backward_time", "optim_step_time", "train_time"}


def read_learning_curves(experiment: str | Path) -> dict[str, Any] | None:
    """The curves of an experiment; None where there is no ``checkpoint.pth``.

    Returns:
        ``epochs`` (N numbers) and ``curves``: by name (``loss``, ``acc_emotion``, ...), by phase (``train``, ``valid``)
        N values; None where an epoch has none.

    Raises:
        CheckpointError: If the file is damaged or not one of training.
    """
    path = Path(experiment, CHECKPOINT)
    if not path.is_file():
        return None
    import torch

    try:
        # Mapped: the parameters and the optimizer's state, which are most of the file, are never read.
        stats = torch.load(path, map_location="cpu", weights_only=True, mmap=True)["reporter"]["stats"]
        return curves_of(stats)
    except Exception as error:  # torch.load raises a dozen types on damaged files
        raise CheckpointError("no training state", where=path, got=f"{type(error).__name__}: {error}") from error


def curves_of(stats: Mapping[int, Mapping[str, Mapping[str, float]]]) -> dict[str, Any]:
    """Values by epoch, phase and name turned around; names in alphabetical order, ``loss`` first."""
    epochs = sorted(stats)
    names = {name for phases in stats.values() for values in phases.values() for name in values} - _NOT_SHOWN
    curves: dict[str, dict[str, list[float | None]]] = {}
    for name in sorted(names, key=lambda name: (name != "loss", name)):
        curves[name] = {}
        for phase in _PHASES:
            values = [_finite(stats[epoch].get(phase, {}).get(name)) for epoch in epochs]
            if any(value is not None for value in values):
                curves[name][phase] = values
    return {"epochs": epochs, "curves": {name: phases for name, phases in curves.items() if phases}}


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(f"{value:.6g}")
