"""Trained models wherever they are: an experiment, a packed model (zip, tar or unpacked), or one on the hub.

A packed model is untrusted: what it holds is looked at before it is unpacked, lands in a folder of its own, is held
against the manifest, and is plain data (see :mod:`~espnet_ent.plugin.archives`, :mod:`~espnet_ent.plugin.pack_config`).
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from espnet_ent.data.atomic import atomic_directory
from espnet_ent.data.yaml_files import read_yaml
from espnet_ent.errors import CheckpointError, ConfigError
from espnet_ent.plugin.archives import Archive, ArchiveLimits, check_name
from espnet_ent.plugin.hub import download_snapshot
from espnet_ent.plugin.pack_config import ENCODER_FOLDER, check_code, check_config, placed_config
from espnet_ent.plugin.pack_manifest import CARD, MANIFEST, check_kind, read_packed_yaml, verify_manifest

DEFAULT_CHECKPOINT = "valid.loss.ave.pth"
META = "meta.yaml"
CONFIG = "config.yaml"
INFERENCE = "inference.yaml"
LM_FOLDER = "packed_lm"
CONFIG_KEY, CHECKPOINT_KEY = "ent_train_config", "ent_model_file"
LM_CONFIG_KEY, LM_CHECKPOINT_KEY = "lm_train_config", "lm_file"
_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*(@[\w.-]+)?", re.ASCII)


@dataclass(frozen=True)
class PackedModel:
    """What it takes to load a model.

    Attributes:
        directory: Where its files lie, while the block of :func:`open_pack` lasts.
        config: Configuration of the model, for :func:`~espnet_ent.plugin.builder.build_model`.
        checkpoint: File of its parameters.
        inference: File of the options that it was decoded with; None: not told.
        lm: Directory and checkpoint's name of its language model; None: there is none.
        meta: Content of ``meta.yaml``; empty for an experiment.
    """

    directory: Path
    config: Mapping[str, Any]
    checkpoint: Path
    inference: Path | None = None
    lm: tuple[str, str] | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)


@contextmanager
def open_pack(
    source: str | Path, checkpoint: str | None = None, limits: ArchiveLimits | None = None
) -> Iterator[PackedModel]:
    """Find a model and look at it; an archive is unpacked into a temporary directory until the block ends.

    Args:
        source: An experiment directory, a packed model as an archive or a directory, or a hub id
            (``user/name`` or ``user/name@revision``).
        checkpoint: File name of the checkpoint; None: that of the pack, :data:`DEFAULT_CHECKPOINT` of an experiment.
        limits: What an archive may hold.

    Yields:
        The model's files.

    Raises:
        ConfigError: If there is no such model, or its configuration is missing or of no use.
        CheckpointError: If files are missing, damaged or not to be trusted.
    """
    path = Path(source)
    if path.is_dir():
        is_pack = (path / META).exists() or (path / MANIFEST).exists()
        yield _of_pack(path, checkpoint) if is_pack else _of_experiment(path, checkpoint or DEFAULT_CHECKPOINT)
    elif path.exists():
        with tempfile.TemporaryDirectory(prefix="ent_pack_") as folder:
            unpack(path, folder, limits)
            yield _of_pack(Path(folder), checkpoint)
    elif _HUB_ID.fullmatch(str(source)) and ".." not in str(source):
        yield _of_pack(download_snapshot(str(source)), checkpoint)
    else:
        raise ConfigError(
            "no such model",
            where=source,
            expected="an experiment directory, a packed model, or a hub id such as user/name",
        )


def results_directory(out: str | Path | None, source: str | Path, folder: str, data: str | Path) -> Path:
    """Where an analysis of a model is written.

    Args:
        out: What the user says.
        source: The model, as for :func:`open_pack`.
        folder: Name of the folder in an experiment, if the user says nothing.
        data: Data directory, which gives the folder in it its name.

    Raises:
        ConfigError: If the user says nothing, and the model is not a directory.
    """
    if out is None and not Path(source).is_dir():
        raise ConfigError("a packed model is no place to write to", where=source, expected="--out DIR")
    return Path(out or Path(source, folder, Path(data).name))


def unpack(archive: str | Path, directory: str | Path, limits: ArchiveLimits | None = None) -> None:
    """Unpack a packed model into an empty directory; nothing is written unless all names are fine.

    Raises:
        CheckpointError: If it is damaged, or holds what no packed model holds.
    """
    found = Archive(archive, limits)
    for name in (META, MANIFEST):
        if name not in found:
            raise CheckpointError("not a packed model of this package", where=archive, expected=f"{name} in it")
    for name in found.sizes:
        check_kind(name, archive)
    found.extract(directory)
    unlisted = sorted(set(found.sizes) - {MANIFEST, CARD} - set(verify_manifest(Path(directory))))
    if unlisted:
        raise CheckpointError("files that are not in the manifest", where=archive, got=" ".join(unlisted[:5]))


def _of_pack(directory: Path, checkpoint: str | None) -> PackedModel:
    names = verify_manifest(directory, for_people=False)
    if META not in names:
        raise CheckpointError("not a packed model of this package", where=directory, expected=f"{META} in {MANIFEST}")
    meta = read_packed_yaml(directory, META, names)
    config_name = _named(meta, "yaml_files", CONFIG_KEY, names, directory)
    checkpoint_name = _named(meta, "files", CHECKPOINT_KEY, names, directory)
    if checkpoint not in (None, checkpoint_name, DEFAULT_CHECKPOINT):
        raise ConfigError("a packed model has one checkpoint", where=directory, got=checkpoint)
    config = read_packed_yaml(directory, config_name, names)
    check_config(config, directory / config_name)
    _check_encoder(directory, names)
    lm = None
    if LM_CHECKPOINT_KEY in (meta.get("files") or {}):
        lm_config = _named(meta, "yaml_files", LM_CONFIG_KEY, names, directory)
        lm_checkpoint = directory / _named(meta, "files", LM_CHECKPOINT_KEY, names, directory)
        check_config(read_packed_yaml(directory, lm_config, names), directory / lm_config, is_lm=True)
        if directory / lm_config != lm_checkpoint.with_name(CONFIG):
            raise CheckpointError("language model's files lie apart", where=directory / META, got=lm_config)
        lm = (str(lm_checkpoint.parent), lm_checkpoint.name)
    return PackedModel(
        directory=directory,
        config=placed_config(config, directory),
        checkpoint=directory / checkpoint_name,
        inference=directory / INFERENCE if INFERENCE in names else None,
        lm=lm,
        meta=meta,
    )


def _of_experiment(directory: Path, checkpoint: str) -> PackedModel:
    config = read_yaml(directory / CONFIG)
    if not (directory / checkpoint).is_file():
        raise CheckpointError(
            "checkpoint is missing",
            where=directory / checkpoint,
            next_step="rerun stage 11 (training), or choose one with --inference_ent_model",
        )
    return PackedModel(directory, config, directory / checkpoint)


def _named(meta: Mapping[str, Any], section: str, key: str, names: list[str], directory: Path) -> str:
    """A file that ``meta.yaml`` names."""
    entries = meta.get(section)
    name = entries.get(key) if isinstance(entries, dict) else None
    if not isinstance(name, str):
        raise CheckpointError("not a packed model of this package", where=directory / META, expected=f"{section}.{key}")
    if check_name(name, directory / META) not in names:
        raise CheckpointError("names a file that is not in the manifest", where=directory / META, got=name)
    return name


def _check_encoder(directory: Path, names: list[str]) -> None:
    """A packed encoder is read by its own library: nothing may lie there that the manifest does not tell."""
    for path in sorted((directory / ENCODER_FOLDER).rglob("*")):
        name = path.relative_to(directory).as_posix()
        if not path.is_dir() and name not in names:
            raise CheckpointError("a file that is not in the manifest", where=path, next_step="remove it")
        if path.suffix == ".json":
            try:
                content = json.loads(path.read_bytes())
            except (ValueError, RecursionError) as error:
                raise CheckpointError("not JSON", where=path, got=error) from error
            check_code(content, path)


def copy_pack(source: str | Path, directory: str | Path) -> str:
    """Put a packed model's files into a directory of its own.

    Args:
        source: As for :func:`open_pack`.
        directory: Where to write. Another model there is replaced with all that lies beside it, the same model is left
            as it is, and anything else is not touched.

    Returns:
        File name of its checkpoint.

    Raises:
        ConfigError: If there is no such model, or the directory holds something else.
        CheckpointError: If it is damaged or not to be trusted.
    """
    directory = Path(directory)
    if directory.exists() and any(directory.iterdir()) and not (directory / MANIFEST).is_file():
        raise ConfigError("holds something else than a packed model", where=directory, next_step="name a new directory")
    with open_pack(source) as packed:
        if not packed.meta:
            raise ConfigError("not a packed model", where=source, next_step="pack it (stage 14), or use it where it is")
        own, new = directory / MANIFEST, packed.directory / MANIFEST
        if not own.is_file() or own.read_bytes() != new.read_bytes():
            with atomic_directory(directory) as target:
                names = verify_manifest(packed.directory, for_people=False)
                for name in [MANIFEST, *filter(lambda name: (packed.directory / name).is_file(), names)]:
                    (target / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(packed.directory / name, target / name)
        return packed.checkpoint.name
