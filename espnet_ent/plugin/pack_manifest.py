"""The manifest of a packed model: a SHA-256 of each of its files, held against them whenever the model is loaded.

YAML files are known by what they say, not by their bytes: ESPnet's ``unpack`` and ``ModelDownloader`` write them again,
and put the folder that they unpack into before each value that is the name of a packed file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from espnet_ent.data.yaml_files import parse_untrusted_yaml
from espnet_ent.errors import CheckpointError
from espnet_ent.plugin.archives import check_name

MANIFEST = "manifest.json"
CARD = "README.md"
"""The model card: people edit it on the hub, so that it is not in the manifest."""
_FOR_PEOPLE = ("RESULTS.md", "results/", "images/")
_VERSION = 1
_LARGEST_TEXT = 1 << 24
_NUM_TOLD = 16  # hexadecimal digits of a digest in a message
_KINDS = {"", ".json", ".md", ".model", ".npz", ".png", ".pth", ".safetensors", ".txt", ".vocab", ".yaml"}


def write_manifest(directory: Path) -> None:
    """Write the manifest of all files below a directory."""
    names = [path.relative_to(directory).as_posix() for path in sorted(directory.rglob("*")) if path.is_file()]
    listed = [check_kind(name, directory) for name in names if name not in (MANIFEST, CARD)]
    digests = {name: digest_of_file(directory, name, listed) for name in listed}
    text = json.dumps({"version": _VERSION, "files": digests}, indent=1, sort_keys=True) + "\n"
    (directory / MANIFEST).write_text(text, encoding="utf-8")


def verify_manifest(directory: Path, for_people: bool = True) -> list[str]:
    """Hold the files of a packed model against its manifest.

    Args:
        directory: The unpacked model.
        for_people: Also those that loading does not read: results. Where an unpacked model is scored again, they are
            written again.

    Returns:
        Their names.

    Raises:
        CheckpointError: If there is no manifest, or a file is missing, another, or of a kind that no packed model has.
    """
    digests = _read_manifest(directory)
    for name, expected in digests.items():
        check_kind(check_name(name, directory / MANIFEST), directory)
        if name.startswith(_FOR_PEOPLE) and not for_people:
            continue
        if not (directory / name).is_file():
            raise CheckpointError("file of the packed model is missing", where=directory / name)
        found = digest_of_file(directory, name, digests)
        if found != expected:
            raise CheckpointError(
                "not the file that was packed",
                where=directory / name,
                expected=f"sha256 {expected[:_NUM_TOLD]}",
                got=found[:_NUM_TOLD],
                next_step="download or unpack the model again",
            )
    return list(digests)


def check_kind(name: str, where: object) -> str:
    """A file's name in a packed model.

    Raises:
        CheckpointError: If no packed model has files of that kind, e.g. programs.
    """
    if PurePosixPath(name).suffix.lower() not in _KINDS:
        raise CheckpointError(
            "a kind of file that no packed model has", where=where, got=name, next_step="do not trust this model"
        )
    return name


def read_packed_yaml(directory: Path, name: str, names: Iterable[str]) -> dict[str, Any]:
    """A YAML file of a packed model, as it was packed.

    Args:
        directory: The unpacked model.
        name: The file.
        names: Names of all packed files.

    Raises:
        CheckpointError: If it is not a mapping of plain data.
    """
    places = {place for file in names for place in (file, *map(str, PurePosixPath(file).parents[:-1]))}
    return _restored(parse_untrusted_yaml(_read(directory / name), directory / name), places)


def _restored(value: Any, places: set[str]) -> Any:
    """A value with the names of packed files and folders as they were before an unpacking put a folder before them."""
    if isinstance(value, dict):
        return {key: _restored(entry, places) for key, entry in value.items()}
    if isinstance(value, list):
        return [_restored(entry, places) for entry in value]
    if isinstance(value, str) and "/" in value and value not in places:
        return max((place for place in places if value.endswith(f"/{place}")), key=len, default=value)
    return value


def digest_of_file(directory: Path, name: str, names: Iterable[str]) -> str:
    """What a file of a packed model is known by: the SHA-256 of its bytes, or of what a YAML file says.

    Arguments and errors as :func:`read_packed_yaml`.
    """
    path = directory / name
    if path.suffix == ".yaml":
        content = read_packed_yaml(directory, name, names)
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_manifest(directory: Path) -> dict[str, str]:
    path = directory / MANIFEST
    if not path.is_file():
        raise CheckpointError("packed model without a manifest", where=path, next_step="pack it again (stage 14)")
    try:
        content = json.loads(_read(path))
    except (ValueError, RecursionError) as error:
        raise CheckpointError("manifest is damaged", where=path, got=error) from error
    files = content.get("files") if isinstance(content, dict) else None
    is_right = isinstance(files, dict) and all(isinstance(digest, str) for digest in files.values())
    if not is_right or content.get("version") != _VERSION:
        raise CheckpointError("manifest is damaged", where=path, expected=f"version {_VERSION}, with names and digests")
    return files


def _read(path: Path) -> bytes:
    size = path.stat().st_size
    if size > _LARGEST_TEXT:
        raise CheckpointError("too large for a text", where=path, expected=f"at most {_LARGEST_TEXT} bytes", got=size)
    return path.read_bytes()
