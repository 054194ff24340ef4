"""Checks of the options of utterance heads: a wrong value is named before anything is built from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from espnet_ent.errors import ConfigError

_OPTIONS = "utterance_head_conf"


def check_choice(name: str, value: object, known: Sequence[str]) -> None:
    """Refuse what is none of the known names.

    Raises:
        ConfigError: Naming the option.
    """
    if value not in known:
        _refuse(f"unknown {name}", name, " | ".join(known), value)


def check_count(name: str, value: object, least: int = 1) -> None:
    """Refuse what is no whole number of ``least`` or more.

    Raises:
        ConfigError: Naming the option.
    """
    if type(value) is not int or value < least:
        _refuse(f"{name} is out of range", name, f"a whole number, {least} or more", value)


def check_share(name: str, value: object) -> None:
    """Refuse what is no number of 0 or more, below 1.

    Raises:
        ConfigError: Naming the option.
    """
    if type(value) not in (int, float) or not 0 <= value < 1:
        _refuse(f"{name} is out of range", name, "0 or more, below 1", value)


def check_switch(name: str, value: object) -> None:
    """Refuse what is neither true nor false.

    Raises:
        ConfigError: Naming the option.
    """
    if type(value) is not bool:
        _refuse(f"wrong type of {name}", name, "true or false", value)


def _refuse(what: str, name: str, expected: str, got: object) -> NoReturn:
    raise ConfigError(what, where=f"{_OPTIONS}.{name}", expected=expected, got=repr(got))
