"""Find the scored sets of trained experiments on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from espnet_ent.data.provenance import GIVEN_TEXT
from espnet_ent.errors import ConfigError, ScoringError

PICTURE = "reliability.png"
"""The reliability diagram, beside ``results.json``."""
ORACLE_TEXT = "ORACLE (text given): "
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # token lists of thousands of lines


@dataclass(frozen=True)
class ScoredResults:
    """The scores of one set under one decoding configuration.

    Attributes:
        inference_tag: Name of the decoding directory.
        set_name: Name of the set.
        results: Content of its ``results.json``.
        picture: Its reliability diagram, or None.
    """

    inference_tag: str
    set_name: str
    results: Mapping[str, Any]
    picture: Path | None = None

    @property
    def oracle(self) -> str:
        """A mark before names, if the utterance head was given a text in place of the recognised one; else empty."""
        return ORACLE_TEXT if self.results.get(GIVEN_TEXT) else ""


@dataclass(frozen=True)
class Experiment:
    """A trained system and everything that was scored with it.

    Attributes:
        tag: Name of the experiment directory.
        config: Training configuration file, as training recorded it, or None.
        seed: Random seed of training, or None.
        command: How the experiment was run, or None.
        scored: Sorted by inference tag and set.
    """

    tag: str
    config: str | None
    seed: int | None
    command: str | None
    scored: tuple[ScoredResults, ...]

    def title(self, scored: ScoredResults) -> str:
        """Name of the system; it tells the decoding only where there are several."""
        tags = {other.inference_tag for other in self.scored}
        return scored.oracle + (self.tag if len(tags) == 1 else f"{self.tag} / {scored.inference_tag}")


def read_experiment(directory: str | Path, command: str | None = None) -> Experiment:
    """Read ``<directory>/config.yaml`` and ``<directory>/<inference tag>/<set>/score/results.json``.

    Args:
        directory: Output directory of training.
        command: How the experiment was run.

    Raises:
        ConfigError: If the training configuration is missing or is not YAML.
        ScoringError: If there are no scores, or a score file is damaged.
    """
    directory = Path(directory)
    config = read_config(directory)
    paths = sorted(
        path
        for path in directory.glob("*/*/score/results.json")
        if not path.parts[-3].startswith(".")  # left behind by a killed decoding
    )
    if not paths:
        raise ScoringError("no scores found", where=directory, next_step="rerun stage 13 (scoring)")
    return Experiment(
        tag=directory.resolve().name,
        config=config.get("config"),
        seed=config.get("seed"),
        command=command,
        scored=tuple(_read_scored(path) for path in paths),
    )


def _read_scored(path: Path) -> ScoredResults:
    results, picture = read_json(path, "rerun stage 13 (scoring)"), path.with_name(PICTURE)
    return ScoredResults(path.parts[-4], path.parts[-3], results, picture if picture.is_file() else None)


def read_config(directory: str | Path) -> dict[str, Any]:
    """Read the ``config.yaml`` that training wrote.

    Raises:
        ConfigError: If it is missing or is not a YAML mapping.
    """
    config_path = Path(directory) / "config.yaml"
    if not config_path.is_file():
        raise ConfigError("training configuration is missing", where=config_path, next_step="rerun stage 11 (training)")
    try:
        config = yaml.load(config_path.read_text(encoding="utf-8"), Loader=_LOADER)
    except yaml.YAMLError as error:
        raise ConfigError("configuration is not YAML", where=config_path, got=error) from error
    if not isinstance(config, dict):
        raise ConfigError("configuration is not a mapping", where=config_path, got=type(config).__name__)
    return config


def read_json(path: str | Path, next_step: str) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ScoringError: If the file is missing or damaged; ``next_step`` tells how to make it again.
    """
    path = Path(path)
    if not path.is_file():
        raise ScoringError("file is missing", where=path, next_step=next_step)
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ScoringError("file is damaged", where=path, got=error, next_step=next_step) from error
    if not isinstance(value, dict):
        raise ScoringError("file is damaged", where=path, expected="a JSON object", next_step=next_step)
    return value
