"""Checkpoints: written whole or not at all, read strictly, averaged exactly."""

from __future__ import annotations

import datetime
import io
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from espnet_ent.data.atomic import atomic_write_bytes
from espnet_ent.errors import CheckpointError, NonFiniteError

RESUME = "checkpoint.pth"
LATEST = "latest.pth"
_EPOCH_FILE = re.compile(r"(?P<epoch>\d+)epoch\.pth")
_MOST_NAMED = 5

Criterion = tuple[str, str, str]
"""Phase, statistic and ``min`` or ``max``, e.g. ("valid", "loss", "min")."""


def read_checkpoint(path: str | Path) -> Any:
    """Load a checkpoint on the CPU, without running code from it.

    Raises:
        CheckpointError: If it is missing, truncated or damaged, or holds more than plain data and tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError("checkpoint is missing", where=path)
    try:
        with torch.serialization.safe_globals([datetime.timedelta]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises a dozen types on damaged files
        raise CheckpointError(
            "checkpoint is damaged or not a checkpoint", where=path, got=f"{type(error).__name__}: {error}"
        ) from error


def load_state(model: nn.Module, path: str | Path) -> None:
    """Load a model's parameters; every key must be there and fit.

    Raises:
        CheckpointError: If the file is damaged, or keys are missing, unexpected or of another shape.
    """
    state = read_checkpoint(path)
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise CheckpointError("not a model's parameters", where=path)
    check_fit(model.state_dict(), state, path)
    model.load_state_dict(state)


def check_fit(expected: Mapping[str, Tensor], got: Mapping[str, Tensor], where: object) -> None:
    """Check that two sets of parameters have the same names and shapes.

    Raises:
        CheckpointError: Naming up to five keys of each fault.
    """
    faults = {
        "missing": sorted(expected.keys() - got.keys()),
        "unexpected": sorted(got.keys() - expected.keys()),
        "of another shape": sorted(
            key for key in expected.keys() & got.keys() if expected[key].shape != got[key].shape
        ),
    }
    found = [
        f"{len(keys)} {fault} ({' '.join(keys[:_MOST_NAMED])}{' ...' if len(keys) > _MOST_NAMED else ''})"
        for fault, keys in faults.items()
        if keys
    ]
    if found:
        raise CheckpointError("checkpoint does not fit the model", where=where, got=", ".join(found))


def to_bytes(state: Any) -> bytes:
    """What :func:`torch.save` writes; the same state gives the same bytes, whatever the file is called."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def average_states(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Element-wise mean of parameters, summed in float64; integer buffers are taken from the first.

    Raises:
        CheckpointError: If there is nothing to average, or names or shapes differ.
    """
    if not states:
        raise CheckpointError("no checkpoint to average")
    for state in states[1:]:
        check_fit(states[0], state, "averaging")
    averaged = {}
    for key, first in states[0].items():
        if first.is_floating_point():
            total = sum(state[key].to(torch.float64) for state in states)
            averaged[key] = (total / len(states)).to(first.dtype)
        else:
            averaged[key] = first.clone()
    return averaged


class CheckpointStore:
    """The checkpoint files of an experiment.

    ``<k>epoch.pth`` holds the parameters after epoch k, ``checkpoint.pth`` all that resuming needs. They are written in
    this order, so that a resumed run never lacks the parameters of an epoch that it knows. Links and averages are
    derived from them and from the reported statistics.

    Args:
        directory: The experiment's output directory.
        criteria: What best means.
        keep_nbest: How many of the best epochs to keep and average, for each criterion.
    """

    def __init__(self, directory: str | Path, criteria: Iterable[Criterion], keep_nbest: Sequence[int]) -> None:
        self.directory = Path(directory)
        self.criteria = [tuple(criterion) for criterion in criteria]
        self.keep_nbest = sorted(set(keep_nbest))

    @property
    def resume_path(self) -> Path:
        """The file to resume from."""
        return self.directory / RESUME

    def epoch_path(self, epoch: int) -> Path:
        """The parameters after an epoch."""
        return self.directory / f"{epoch}epoch.pth"

    def save(self, epoch: int, model_state: Mapping[str, Tensor], resume_state: Mapping[str, Any]) -> None:
        """Write the files of a finished epoch.

        Raises:
            NonFiniteError: If a parameter is not finite; nothing is written then.
            CheckpointError: If the disk does not take them; the files of earlier epochs are untouched.
        """
        bad = [key for key, value in model_state.items() if value.is_floating_point() and not value.isfinite().all()]
        if bad:
            raise NonFiniteError(
                "parameters are not finite", where=self.epoch_path(epoch), got=" ".join(bad[:_MOST_NAMED])
            )
        self._write(self.epoch_path(epoch), to_bytes(dict(model_state)))
        self._write(self.resume_path, to_bytes(dict(resume_state)))

    def tidy(self, best: Mapping[Criterion, Sequence[int]], last_epoch: int) -> None:
        """Point the links at what they name, and delete epochs that no criterion ranks among its best.

        Args:
            best: For each criterion, epochs from best to worst.
            last_epoch: The newest epoch, which is always kept.
        """
        kept = {last_epoch}
        for criterion, epochs in best.items():
            kept.update(epochs[: max(self.keep_nbest)])
            self._link(f"{criterion[0]}.{criterion[1]}.best.pth", self.epoch_path(epochs[0]))
        self._link(LATEST, self.epoch_path(last_epoch))
        for path in self.directory.glob("*epoch.pth"):
            match = _EPOCH_FILE.fullmatch(path.name)
            if match and int(match["epoch"]) < last_epoch and int(match["epoch"]) not in kept:
                path.unlink()

    def average(self, best: Mapping[Criterion, Sequence[int]]) -> None:
        """Write ``<phase>.<statistic>.ave_<n>best.pth`` for each n, and ``.ave.pth`` pointing at the largest.

        Raises:
            CheckpointError: If the parameters of a best epoch are missing or damaged.
        """
        for (phase, name, _), epochs in best.items():
            for num_best in self.keep_nbest:
                states = [read_checkpoint(self.epoch_path(epoch)) for epoch in epochs[:num_best]]
                path = self.directory / f"{phase}.{name}.ave_{num_best}best.pth"
                data = to_bytes(average_states(states))
                if not path.is_file() or path.read_bytes() != data:
                    self._write(path, data)
            self._link(f"{phase}.{name}.ave.pth", path)

    def _write(self, path: Path, data: bytes) -> None:
        try:
            atomic_write_bytes(path, data)
        except OSError as error:
            raise CheckpointError(
                f"can't write {len(data)} bytes",
                where=path,
                got=error.strerror,
                next_step="free space and rerun",
            ) from error

    def _link(self, name: str, target: Path) -> None:
        """Point a symbolic link at a file beside it, in one step."""
        link = self.directory / name
        if link.is_symlink() and os.readlink(link) == target.name:
            return
        temporary = link.with_name(f".{name}.tmp.{os.getpid()}")
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(target.name)
        os.replace(temporary, link)
