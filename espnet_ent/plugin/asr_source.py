"""What is needed of a trained speech recogniser to encode as it does, read from where it lies.

A source is an ESPnet ASR model as a packed zip (of ESPnet's packing stage or its model zoo), such a zip unpacked, an
experiment directory (of ESPnet's ASR or of this package), or a tag of ESPnet's model zoo. Nothing is unpacked: members
of a zip are read one by one, and checkpoints without running code from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from espnet_ent.encoders.ssl_checkpoint import HUB
from espnet_ent.errors import CheckpointError, ConfigError
from espnet_ent.plugin.archives import check_name
from espnet_ent.plugin.checkpoint_files import is_model_state
from espnet_ent.plugin.source_files import SourceArchive, SourceDirectory, SourceFiles
from espnet_ent.plugin.zoo import download_from_zoo

COMPONENTS = ("frontend", "specaug", "normalize", "preencoder", "encoder")
_OF_ESPNET = {"frontend": "default", "normalize": "utterance_mvn", "encoder": "rnn"}  # ESPnet's defaults
_OF_THIS_PACKAGE = {"frontend": "default", "normalize": "global_mvn", "encoder": "conformer"}
_CONFIG = "config.yaml"
_META = "meta.yaml"
_CHECKPOINTS = ("valid.acc.ave.pth", "valid.loss.ave.pth", "valid.acc.best.pth", "valid.loss.best.pth")
_STATE_PARTS = ("frontend", "normalize", "preencoder", "encoder")


@dataclass(frozen=True, eq=False)
class ASRSource:
    """A trained recogniser's way from samples to encoder states.

    Attributes:
        where: Where it was read from, for messages.
        architecture: ``fs`` in Hz and, for each of :data:`COMPONENTS`, its name and options, as ESPnet writes them.
        state: Parameters and statistics of the components, named ``<component>.<name>``.
    """

    where: str
    architecture: dict[str, Any]
    state: dict[str, Tensor]


def read_asr_source(source: str, checkpoint: str | None = None) -> ASRSource:
    """Read a source.

    Args:
        source: Path of a zip or directory, or a tag of ESPnet's model zoo, after ``hub:`` where it must not be a path.
        checkpoint: File name of the checkpoint in an experiment directory; None: the averaged best.

    Raises:
        ConfigError: If there is no such source, or its configuration is of no use.
        CheckpointError: If it is damaged, lacks a file or does not hold what it should.
    """
    files, config_name, checkpoint_name = locate(source, checkpoint)
    config = files.read_yaml(config_name)
    state = files.read_state(checkpoint_name)
    where = files.describe(checkpoint_name)
    if not is_model_state(state):
        raise CheckpointError("not a model's parameters", where=where)
    is_ours = "emotion_list" in config
    prefix = "encoder." if is_ours else ""
    parts = {
        key.removeprefix(prefix): value
        for key, value in state.items()
        if key.startswith(tuple(f"{prefix}{part}." for part in _STATE_PARTS))
    }
    if not parts:
        raise CheckpointError(
            "no parameter of an encoder", where=where, expected=f"names that begin with {prefix}encoder."
        )
    return ASRSource(str(source), _architecture(config, is_ours, files.describe(config_name)), parts)


def read_architecture(source: str, checkpoint: str | None = None) -> dict[str, Any]:
    """The architecture of a source, without its parameters; arguments and errors as :func:`read_asr_source`."""
    files, config_name, _ = locate(source, checkpoint)
    config = files.read_yaml(config_name)
    return _architecture(config, "emotion_list" in config, files.describe(config_name))


def locate(source: str, checkpoint: str | None) -> tuple[SourceFiles, str, str]:
    """The files of a source, and which of them are its configuration and its checkpoint.

    Arguments and errors as :func:`read_asr_source`.
    """
    if not isinstance(source, str) or not source:
        raise ConfigError("no source is named", where="encoder_conf.source", expected="a path or tag", got=repr(source))
    is_here = not source.startswith(HUB) and Path(source).exists()
    path = Path(source) if is_here else download_from_zoo(source.removeprefix(HUB))
    files = SourceDirectory(path) if path.is_dir() else SourceArchive(path)
    if path.is_dir() and not files.has(_META):
        return files, _CONFIG, _choose_checkpoint(path, checkpoint)
    if checkpoint is not None:
        raise ConfigError("a packed model has one checkpoint", where="encoder_conf.checkpoint", got=checkpoint)
    meta = files.read_yaml(_META)
    names = []
    for section, key in (("yaml_files", "asr_train_config"), ("files", "asr_model_file")):
        entries = meta.get(section)
        if not isinstance(entries, dict) or not isinstance(entries.get(key), str):
            raise CheckpointError(
                "not a packed ASR model", where=files.describe(_META), expected=f"{section}.{key}", got=entries
            )
        names.append(check_name(entries[key], files.describe(_META)))
    return files, names[0], names[1]


def _choose_checkpoint(directory: Path, checkpoint: str | None) -> str:
    if checkpoint is not None:
        return check_name(checkpoint, "encoder_conf.checkpoint")
    found = sorted(path.name for path in directory.glob("*.pth"))
    for name in _CHECKPOINTS:
        if name in found:
            return name
    raise CheckpointError(
        "none of the usual checkpoints is there",
        where=directory,
        expected=" or ".join(_CHECKPOINTS),
        got=" ".join(found) or "no *.pth",
        next_step="name one with encoder_conf.checkpoint" if found else "train the recogniser",
    )


def _architecture(config: Mapping[str, Any], is_ours: bool, where: str) -> dict[str, Any]:
    if config.get("input_size") is not None:
        raise ConfigError("the source reads features, not audio", where=where, expected="input_size: null")
    defaults = _OF_THIS_PACKAGE if is_ours else _OF_ESPNET
    found: dict[str, Any] = {}
    for component in COMPONENTS:
        conf = config.get(f"{component}_conf") or {}
        if not isinstance(conf, dict):
            raise ConfigError("options are not a mapping", where=f"{where}: {component}_conf", got=repr(conf))
        found[component] = config.get(component, defaults.get(component))
        found[f"{component}_conf"] = dict(conf)
    for component in ("frontend", "encoder"):
        if found[component] is None:
            raise ConfigError(f"the source has no {component}", where=where)
    found["normalize_conf"].pop("stats_file", None)  # the checkpoint holds the statistics
    rate = config.get("fs") if is_ours else found["frontend_conf"].get("fs")
    found["fs"] = _hertz(16000 if rate is None else rate, where)
    if found["frontend"] == "default" or is_ours:
        found["frontend_conf"]["fs"] = found["fs"]
    return found


def _hertz(rate: Any, where: str) -> int:
    """A sample rate, which ESPnet also writes as ``16k``."""
    try:
        return int(float(rate[:-1]) * 1000) if isinstance(rate, str) and rate.endswith("k") else int(rate)
    except (TypeError, ValueError):
        raise ConfigError("not a sample rate", where=where, got=repr(rate)) from None
