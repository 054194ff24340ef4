"""The configuration in a packed model: what the model is made of, and nothing of the machine that trained it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from espnet_ent.encoders.ssl_checkpoint import HUB
from espnet_ent.errors import CheckpointError, ConfigError
from espnet_ent.plugin.builder import REGISTRY
from espnet_ent.plugin.components import check_keys

ENCODER_FOLDER = "packed_encoder"
"""Where a pretrained encoder lies in a pack that brings its own."""
STATISTICS = "feats_stats.npz"
BPE_MODEL = "bpe.model"
REFERENCES = ("model", "source")
"""Options of ``encoder_conf`` that name a pretrained model."""
_OF_TEXT = ("token_list", "token_type", "bpemodel", "emotion_list", "fs")
_OF_MODEL = (*_OF_TEXT, "model_conf", *(key for name in REGISTRY for key in (name, f"{name}_conf")))
_OF_LM = ("token_list", "token_type", "bpemodel", "lm", "lm_conf", "model_conf")
_HUB_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?(@\w[\w.-]*)?", re.ASCII)
_RUNS_CODE = ("trust_remote_code", "auto_map")
_ATTENTION = ("attn_implementation", "_attn_implementation")  # user/name: a compiled kernel of the hub


def model_config(training: Mapping[str, Any], is_lm: bool = False) -> dict[str, Any]:
    """The part of a training run's configuration that its model is made from.

    Args:
        training: Content of the run's ``config.yaml``.
        is_lm: It is that of a language model.

    Returns:
        A configuration whose files are those of the pack.
    """
    config = {key: training[key] for key in (_OF_LM if is_lm else _OF_MODEL) if key in training}
    if config.get("bpemodel"):
        config["bpemodel"] = BPE_MODEL
    if "stats_file" in (config.get("normalize_conf") or {}):
        config["normalize_conf"] = {**config["normalize_conf"], "stats_file": STATISTICS}
    return config


def check_config(config: Mapping[str, Any], where: object, is_lm: bool = False) -> None:
    """Check a configuration that somebody else packed.

    Raises:
        ConfigError: On a key that no packed model has.
        CheckpointError: If it would run code, or names files outside of the pack.
    """
    check_keys(str(where), config, _OF_LM if is_lm else _OF_MODEL)
    check_code(config, where)
    for key in ("token_list",) if is_lm else ("token_list", "emotion_list"):
        entries = config.get(key)
        if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
            raise CheckpointError(f"{key} is not a list of names", where=where)  # a text would be read as a path
    for key, value in config.items():
        if key.endswith("_conf") and not isinstance(value, (dict, type(None))):
            raise ConfigError("options are not a mapping", where=f"{where}: {key}", got=repr(value))
    for key in REFERENCES:
        name = (config.get("encoder_conf") or {}).get(key, ENCODER_FOLDER)
        if not isinstance(name, str) or not _HUB_ID.fullmatch(name) or ".." in name:
            raise CheckpointError(
                "the encoder names a file outside of the pack",
                where=f"{where}: encoder_conf.{key}",
                expected=f"{ENCODER_FOLDER} or a hub id",
                got=repr(name),
                next_step="do not trust this model",
            )


def check_code(value: Any, where: object) -> None:
    """Refuse plain data that asks to run code.

    Raises:
        CheckpointError: If it does, at any depth.
    """
    if isinstance(value, Mapping):
        for key, entry in value.items():
            if (key in _RUNS_CODE and entry) or (key in _ATTENTION and "/" in str(entry)):
                raise CheckpointError(
                    f"{key} is refused: code that comes with a model is never run",
                    where=where,
                    next_step="do not trust this model",
                )
            check_code(entry, where)
    elif isinstance(value, list):
        for entry in value:
            check_code(entry, where)


def placed_config(config: Mapping[str, Any], directory: Path) -> dict[str, Any]:
    """A packed configuration with the place of a packed encoder; any other is the hub's, whatever lies here."""
    conf = dict(config.get("encoder_conf") or {})
    placed = {
        key: str(directory / ENCODER_FOLDER) if conf[key] == ENCODER_FOLDER else f"{HUB}{conf[key]}"
        for key in REFERENCES
        if key in conf
    }
    return {**config, "encoder_conf": {**conf, **placed}}
