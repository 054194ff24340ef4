"""A component from its name and options: what a configuration may say, and the one-line error where it says another."""

from __future__ import annotations

import difflib
import inspect
import traceback
from collections.abc import Iterable, Mapping
from typing import Any

from typeguard import TypeCheckError

from espnet_ent.errors import ConfigError

Registry = Mapping[str, Mapping[str, type]]
"""Component -> name -> class."""


def chosen(
    registry: Registry, config: Mapping[str, Any], component: str, default: str | None = None, prefix: str = ""
) -> tuple[str | None, dict[str, Any]]:
    """The name of a component's class (None: left out) and a copy of its options.

    Args:
        registry: What there is.
        config: The configuration.
        component: A key of ``registry`` and ``config``.
        default: The name where the configuration says nothing.
        prefix: Put before the component's name in errors.

    Raises:
        ConfigError: On an unknown name.
    """
    name, known = config.get(component, default), registry[component]
    if name is not None and name not in known:
        raise ConfigError(
            f"unknown {component}", where=prefix + component, expected=f"one of {' '.join(known)}", got=repr(name)
        )
    return name, dict(config.get(f"{component}_conf") or {})


def make_component(
    registry: Registry,
    config: Mapping[str, Any],
    component: str,
    default: str | None = None,
    prefix: str = "",
    **given: Any,
) -> Any:
    """Make a component from its options and what the builder gives it; None if it is left out.

    Args:
        registry: What there is.
        config: The configuration.
        component: A key of ``registry`` and ``config``.
        default: The name where the configuration says nothing.
        prefix: Put before the component's name in errors.
        given: Arguments that the configuration can't set.

    Raises:
        ConfigError: On an unknown name or key, or a value that the class refuses.
    """
    name, conf = chosen(registry, config, component, default, prefix)
    if name is None:
        return None
    return construct(name, registry[component][name], f"{prefix}{component}_conf", conf, **given)


def construct(name: str, cls: type, where: str, conf: Mapping[str, Any], **given: Any) -> Any:
    """An object of a class.

    Args:
        name: What the user calls it.
        cls: Its class.
        where: Where its options stand, for errors.
        conf: Its options.
        given: Arguments that the configuration can't set.

    Raises:
        ConfigError: On an unknown key, or a value that the class refuses.
    """
    check_keys(where, conf, [key for key in parameters_of(cls) if key not in given])
    try:
        return cls(**given, **conf)
    except (TypeError, ValueError, AssertionError, TypeCheckError) as error:
        reason = str(error) or f"a failed check ({_line_of(error)})"
        raise ConfigError(f"{name} refuses its options", where=where, got=reason) from error


def _line_of(error: BaseException) -> str:
    """The line that raised an error: all that is known of an ``assert`` without a message."""
    return traceback.extract_tb(error.__traceback__)[-1].line or type(error).__name__


def parameters_of(cls: type) -> list[str]:
    """Names of a constructor's arguments."""
    return [key for key in inspect.signature(cls).parameters if key != "self"]


def check_keys(where: str, conf: Mapping[str, Any], known: Iterable[str]) -> None:
    """Refuse keys of a configuration that nobody reads.

    Raises:
        ConfigError: Naming the nearest known key.
    """
    known = list(known)
    for key in conf:
        if key not in known:
            nearest = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
            raise ConfigError(f"unknown option {key!r}{hint}", where=where, expected=f"one of {' '.join(known)}")
