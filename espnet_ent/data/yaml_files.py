"""YAML files that hold a mapping."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from espnet_ent.errors import ConfigError


def read_yaml(path: str | Path) -> dict[str, Any]:
    """A YAML mapping.

    Raises:
        ConfigError: If the file is missing, is not YAML or is not a mapping.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigError("configuration is missing", where=path)
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError("configuration is not YAML", where=path, got=error) from error
    if not isinstance(values, dict):
        raise ConfigError("configuration is not a mapping", where=path, got=type(values).__name__)
    return values
