"""A pretrained encoder in a packed model: brought along, or named with its revision and digest."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from espnet_ent.encoders.frozen_source import DIGEST
from espnet_ent.encoders.ssl import SSLOptions
from espnet_ent.encoders.ssl_checkpoint import HUB, SSLDescription, load_pretrained
from espnet_ent.errors import ConfigError
from espnet_ent.plugin.asr_encoder import NAME as ASR_ENCODER
from espnet_ent.plugin.asr_encoder import ASREncoderOptions
from espnet_ent.plugin.asr_source import locate
from espnet_ent.plugin.hub import cached_revision
from espnet_ent.plugin.pack_config import ENCODER_FOLDER

MODES = ("auto", "true", "false")
"""Whether a frozen encoder is packed: ``auto``: if it lies in a file or directory, and so has no name elsewhere."""


@dataclass(frozen=True)
class PackedEncoder:
    """What a pack says of a pretrained encoder.

    Attributes:
        conf: ``encoder_conf`` in the pack.
        described: ``name``, ``revision`` and ``sha256`` of what it was made from, and ``where`` its weights are:
            ``pack``, ``hub`` or ``checkpoint``.
    """

    conf: dict[str, Any]
    described: dict[str, Any]


def pack_encoder(
    config: Mapping[str, Any], state: Mapping[str, Tensor], directory: Path, mode: str = "auto"
) -> PackedEncoder | None:
    """Write a pretrained encoder into a pack, or find what it is known by.

    Args:
        config: Configuration of the model.
        state: The model's parameters.
        directory: The pack.
        mode: One of :data:`MODES`.

    Returns:
        What the pack says of it; None if the encoder was not pretrained.

    Raises:
        ConfigError: If it has no name elsewhere and is not to be packed, or can't be read.
        CheckpointError: If it is not the one of the training.
    """
    if mode not in MODES:
        raise ConfigError("unknown choice", where="pack_encoder", expected=" | ".join(MODES), got=mode)
    conf = dict(config.get("encoder_conf") or {})
    if config.get("encoder") == "ssl":
        return _pack_ssl(conf, directory, mode)
    if config.get("encoder") == ASR_ENCODER:
        digests = [bytes(value.tolist()).hex() for key, value in state.items() if key.rpartition(".")[2] == DIGEST]
        return _pack_asr(conf, directory, mode, digests[0] if digests else None)
    return None


def _pack_ssl(conf: dict[str, Any], directory: Path, mode: str) -> PackedEncoder:
    options = SSLOptions(**conf)
    name = options.model
    if not options.stored:
        raise ConfigError("training did not tell what the encoder is", where="encoder_conf.stored")
    description = SSLDescription.from_config(name, options.stored)
    described = {"name": Path(name).name if Path(name).is_dir() else name, "sha256": description.weights_sha256}
    if options.weights_in_checkpoints:
        return PackedEncoder({**conf, "model": _plain(name)}, {**described, "where": "checkpoint"})
    if _is_packed(Path(name).is_dir(), mode, "model", name):
        model, _ = load_pretrained(description, options.local_files_only)
        target = directory / ENCODER_FOLDER
        model.save_pretrained(target)
        (target / "preprocessor_config.json").write_text(json.dumps(description.features, indent=1, sort_keys=True))
        load_pretrained(SSLDescription.from_config(str(target), options.stored))  # the same weights
        return PackedEncoder({**conf, "model": ENCODER_FOLDER}, {**described, "where": "pack"})
    repo, _, revision = name.removeprefix(HUB).partition("@")
    revision = revision or cached_revision(repo) or ""
    named = f"{repo}@{revision}" if revision else repo
    return PackedEncoder(
        {**conf, "model": named, "local_files_only": False},
        {**described, "name": repo, "revision": revision or None, "where": "hub"},
    )


def _pack_asr(conf: dict[str, Any], directory: Path, mode: str, digest: str | None) -> PackedEncoder:
    options = ASREncoderOptions.read(conf)
    source = options.source
    is_here = Path(source).exists()
    described = {"name": Path(source).name if is_here else source, "sha256": digest}
    if not options.freeze and options.architecture is not None:
        conf.pop("checkpoint", None)
        return PackedEncoder({**conf, "source": _plain(source)}, {**described, "where": "checkpoint"})
    if not _is_packed(is_here, mode, "source", source):
        tag = source.removeprefix(HUB)
        return PackedEncoder({**conf, "source": tag}, {**described, "name": tag, "where": "hub"})
    files, config_name, checkpoint_name = locate(source, options.checkpoint)
    target, packed_name = directory / ENCODER_FOLDER, Path(checkpoint_name).name
    target.mkdir()
    for name, packed in ((config_name, "config.yaml"), (checkpoint_name, packed_name)):
        files.copy(name, target / packed)
    return PackedEncoder({**conf, "source": ENCODER_FOLDER, "checkpoint": packed_name}, {**described, "where": "pack"})


def _is_packed(is_here: bool, mode: str, key: str, name: str) -> bool:
    if mode == "false" and is_here:
        raise ConfigError(
            "the encoder lies here alone, and the pack would not find it elsewhere",
            where=f"encoder_conf.{key}",
            got=name,
            next_step="--pack_encoder true, or train with a hub id",
        )
    return mode == "true" or (mode == "auto" and is_here)


def _plain(name: str) -> str:
    """A name that is told, but that nothing is read from."""
    return re.sub(r"\W+", "_", Path(name).name, flags=re.ASCII).strip("_") or "encoder"
