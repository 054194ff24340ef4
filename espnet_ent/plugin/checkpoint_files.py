"""Checkpoint files: written whole and sealed with a digest, read strictly and without running code."""

from __future__ import annotations

import hashlib
import io
import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from espnet_ent.data.atomic import atomic_write_bytes
from espnet_ent.encoders.frozen_source import check_frozen_sources
from espnet_ent.errors import CheckpointError

_SEAL = b"espnet_ent sha256 "
_SEAL_SIZE = len(_SEAL) + 2 * hashlib.sha256().digest_size
_COMMENT_LENGTH_SIZE = 2  # the last field of a zip file without a comment
_MOST_NAMED = 5
_LONGEST_REASON = 200
_CHUNK = 1 << 20
_REFUSED = re.compile(r"GLOBAL (?P<name>\S+) was not an allowed global")


def to_bytes(state: Any) -> bytes:
    """What :func:`torch.save` writes, with a seal; the same state gives the same bytes, whatever the file is called.

    A zip file may end in a comment, which every reader skips: ours is the SHA-256 of all that precedes it. PyTorch
    itself does not look at the checksums inside the file, and loads a flipped bit without a word.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    body = buffer.getvalue()[:-_COMMENT_LENGTH_SIZE] + _SEAL_SIZE.to_bytes(_COMMENT_LENGTH_SIZE, "little")
    return body + _SEAL + hashlib.sha256(body).hexdigest().encode()


def write_checkpoint(path: Path, state: Any) -> None:
    """Write a checkpoint whole or not at all.

    Raises:
        CheckpointError: If the disk does not take it; what stood there before is untouched.
    """
    data = to_bytes(state)
    try:
        atomic_write_bytes(path, data)
    except OSError as error:
        raise CheckpointError(
            f"can't write {len(data)} bytes", where=path, got=error.strerror, next_step="free space and rerun"
        ) from error


def read_checkpoint(path: str | Path) -> Any:
    """Load a checkpoint on the CPU, without running code from it.

    Files without our seal (written by ESPnet or PyTorch) are held against the checksums inside them.

    Raises:
        CheckpointError: If it is missing, truncated or damaged, or holds more than plain data and tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError("checkpoint is missing", where=path)
    try:
        fault = _find_damage(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of pickles that PyTorch has not written
            state = None if fault else torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:  # its text advises to load without looking
        found = _REFUSED.search(str(error))
        raise CheckpointError(
            "checkpoint holds more than plain data and tensors",
            where=path,
            got=found["name"] if found else "a pickle of something else",
            next_step="do not trust it",
        ) from error
    except Exception as error:  # torch.load and zipfile raise a dozen types on damaged files
        fault = f"{type(error).__name__}: {error}".splitlines()[0][:_LONGEST_REASON]
    if fault:
        raise CheckpointError("checkpoint is damaged or not a checkpoint", where=path, got=fault)
    return state


def _find_damage(path: Path) -> str | None:
    """What shows that a file is not as it was written; None if nothing does."""
    with path.open("rb") as file:
        size = path.stat().st_size
        digest = hashlib.sha256()
        for start in range(0, size - _SEAL_SIZE, _CHUNK):
            digest.update(file.read(min(_CHUNK, size - _SEAL_SIZE - start)))
        seal = file.read()
    if seal.startswith(_SEAL):
        return None if seal == _SEAL + digest.hexdigest().encode() else "its digest differs"
    if not zipfile.is_zipfile(path):
        return None  # the format of PyTorch before 1.6
    with zipfile.ZipFile(path) as archive:
        if archive.comment:
            return "its digest is damaged"
        record = archive.testzip()
    return f"the checksum of {record} differs" if record else None


def load_state(model: nn.Module, path: str | Path) -> None:
    """Load a model's parameters; every key must be there and fit.

    Raises:
        CheckpointError: If the file is damaged, or keys are missing, unexpected or of another shape.
    """
    state = read_checkpoint(path)
    if not is_model_state(state):
        raise CheckpointError("not a model's parameters", where=path)
    check_fit(model.state_dict(), state, path)
    model.load_state_dict(state)


def is_model_state(state: object) -> bool:
    """Whether it maps names to tensors."""
    return isinstance(state, Mapping) and all(isinstance(value, Tensor) for value in state.values())


def check_fit(expected: Mapping[str, Tensor], got: Mapping[str, Tensor], where: object) -> None:
    """Check that two sets of parameters have the same names and shapes, and belong to the same frozen sources.

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
    check_frozen_sources(expected, got, where)
    found = [f"{len(keys)} {fault} ({name_some(keys)})" for fault, keys in faults.items() if keys]
    if found:
        raise CheckpointError(
            "checkpoint does not fit the model",
            where=where,
            got=", ".join(found),
            next_step="restore the configuration that it was trained with, or train into another directory (--ent_tag)",
        )


def name_some(names: list[str]) -> str:
    """The first names of a list, for an error message."""
    return " ".join(names[:_MOST_NAMED]) + (" ..." if len(names) > _MOST_NAMED else "")
