"""YAML files that hold a mapping."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from espnet_ent.errors import CheckpointError, ConfigError

_DEEPEST = 50
_LONGEST_REASON = 200


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


class _PlainLoader(yaml.SafeLoader):
    """Plain data, each value written out where it stands, and not nested without end."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Refuse aliases, with which a few lines grow into terabytes, and deep nesting."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "an alias", self.peek_event().start_mark)
        if self.depth > _DEEPEST:
            raise yaml.composer.ComposerError(None, None, f"more than {_DEEPEST} levels", self.peek_event().start_mark)
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


def parse_untrusted_yaml(text: bytes, where: object) -> dict[str, Any]:
    """The YAML mapping of a file that somebody else wrote: plain data alone.

    Raises:
        CheckpointError: If it is something else, e.g. tags that name Python objects, or aliases.
    """
    try:
        values = yaml.load(text, Loader=_PlainLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # wrong dates and long numbers are ValueErrors
        reason = " ".join(str(error).split())[:_LONGEST_REASON]
        raise CheckpointError("not YAML of plain data", where=where, got=reason) from error
    if not isinstance(values, dict):
        raise CheckpointError("not a mapping", where=where, got=type(values).__name__)
    return values
