"""Learning curves from the checkpoint of training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from espnet_ent.errors import CheckpointError
from espnet_ent.report.html.learning_curves import curves_of, read_learning_curves


def test_epochs_become_curves_with_the_loss_first() -> None:
    stats = {
        2: {"train": {"loss": 1.0, "acc": 0.5, "time": 3.0}, "valid": {"loss": float("nan"), "ua": 0.25}},
        1: {"train": {"loss": 2.0, "acc": 0.25, "total_count": 7}, "valid": {"loss": 3.0}},
    }
    found = curves_of(stats)
    assert found == {
        "epochs": [1, 2],
        "curves": {
            "loss": {"train": [2.0, 1.0], "valid": [3.0, None]},
            "acc": {"train": [0.25, 0.5]},
            "ua": {"valid": [None, 0.25]},
        },
    }
    assert list(found["curves"]) == ["loss", "acc", "ua"]


def test_a_checkpoint_that_is_not_there_has_none_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    assert read_learning_curves(tmp_path) is None
    (tmp_path / "checkpoint.pth").write_bytes(b"no zip")
    with pytest.raises(CheckpointError, match=r"checkpoint.pth: no training state; got "):
        read_learning_curves(tmp_path)
    torch.save({"model": {}}, tmp_path / "checkpoint.pth")
    with pytest.raises(CheckpointError, match="KeyError: 'reporter'"):
        read_learning_curves(tmp_path)


class _Touch:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


def test_a_hostile_checkpoint_runs_nothing(tmp_path: Path) -> None:
    torch.save({"reporter": {"stats": _Touch(tmp_path / "pwned")}}, tmp_path / "checkpoint.pth")
    with pytest.raises(CheckpointError, match="no training state"):
        read_learning_curves(tmp_path)
    assert not (tmp_path / "pwned").exists()
