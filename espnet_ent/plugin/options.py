"""Strict options: ESPnet does not check the types of a configuration file, and prints pages on an error."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Callable
from typing import Any, NoReturn

import yaml
from espnet2.utils import config_argparse
from espnet2.utils.nested_dict_action import NestedDictAction
from espnet2.utils.types import int_or_none, str2bool, str2triple_str, str_or_none

from espnet_ent.errors import ConfigError

_UNKNOWN = re.compile(r"unrecognized arguments: -*(\w+)")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)[eE][+-]?\d+")  # YAML 1.1 reads 1e-3 as a string
_LISTS_TOO = ("token_list", "emotion_list")  # a path, or what stands in a finished run's config.yaml


class StrictParser(config_argparse.ArgumentParser):
    """ESPnet's parser, with one line for each error and types checked wherever a value comes from."""

    @classmethod
    def adopt(cls, parser: config_argparse.ArgumentParser, **defaults: Any) -> StrictParser:
        """Make a parser strict in place (ESPnet's task makes it itself; the two differ in methods only).

        Args:
            parser: A parser with all its options.
            defaults: Defaults that replace its own.
        """
        parser.__class__ = cls
        parser.set_defaults(**defaults)
        # A configuration file is read as new defaults, so the declared ones, which are always right, are kept.
        parser.declared = {action.dest: action.default for action in parser._actions}
        return parser

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage of three hundred options.

        Raises:
            ConfigError: Always; names the nearest option where one is unknown.
        """
        match = _UNKNOWN.match(message)
        names = [action.dest for action in self._actions]
        nearest = difflib.get_close_matches(match[1], names, n=1) if match else []
        raise ConfigError(message, next_step=f"did you mean {nearest[0]}?" if nearest else None)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[argparse.Namespace, list[str]]:
        """Parse, with numbers that YAML reads as strings made numbers, and types checked.

        Raises:
            ConfigError: Naming the option and what it should be.
        """
        try:
            options, rest = super().parse_known_args(args, namespace)
        except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigError("configuration can't be read", where="--config", got=error) from error
        for action in self._actions:
            value, declared = getattr(options, action.dest, None), self.declared[action.dest]
            if hasattr(options, action.dest) and (type(value) is not type(declared) or value != declared):
                setattr(options, action.dest, _checked(action, value))
        return options, rest


def _checked(action: argparse.Action, value: Any) -> Any:
    if isinstance(action, NestedDictAction):
        if not isinstance(value, dict):
            _refuse(action.dest, "keys with values", value)
        return with_numbers(value)
    is_list = action.nargs in ("+", "*") or isinstance(action.nargs, int) or isinstance(action, argparse._AppendAction)
    if is_list and action.nargs != 0:
        if action.type is int and type(value) is int:
            value = [value]
        if not isinstance(value, (list, tuple)):
            _refuse(action.dest, "a list", value)
        return [_checked_value(action, entry) for entry in value]
    if action.dest in _LISTS_TOO and isinstance(value, list):
        return [_checked_value(action, entry) for entry in value]
    return _checked_value(action, value)


def _checked_value(action: argparse.Action, value: Any) -> Any:
    expected, is_fine = _TYPES.get(action.type, (None, None))
    if action.type is float and type(value) is int:
        value = float(value)
    if is_fine is not None and not is_fine(value):
        _refuse(action.dest, expected, value)
    if action.choices is not None and value not in action.choices:
        _refuse(action.dest, "one of " + " ".join(str(choice) for choice in action.choices), value)
    return value


def _is_text(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_triple(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 3 and all(isinstance(part, str) for part in value)


_TYPES: dict[Any, tuple[str, Callable[[Any], bool]]] = {
    int: ("a whole number", lambda value: type(value) is int),
    int_or_none: ("a whole number or none", lambda value: value is None or type(value) is int),
    float: ("a number", lambda value: type(value) is float),
    str2bool: ("true or false", lambda value: type(value) is bool),
    str: ("a text", _is_text),
    str_or_none: ("a text", _is_text),
    str2triple_str: ("three texts", _is_triple),
}


def _refuse(option: str, expected: str, value: Any) -> NoReturn:
    raise ConfigError("wrong type or value", where=f"option {option}", expected=expected, got=repr(value))


def with_numbers(value: Any) -> Any:
    """A configuration value in which numbers that YAML reads as strings (``1e-3``) are numbers."""
    if isinstance(value, dict):
        return {key: with_numbers(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [with_numbers(entry) for entry in value]
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value)
    return value
