"""Strict ``--init_param``: what is asked for must be found, and must fit."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from torch import Tensor, nn

from espnet_ent.errors import CheckpointError
from espnet_ent.plugin.checkpoints import read_checkpoint

_MOST_NAMED = 5


@dataclass(frozen=True)
class InitParam:
    """``path[:source prefix[:destination prefix[:excluded prefixes]]]``, as ESPnet writes it."""

    path: str
    source: str = ""
    destination: str = ""
    excluded: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> InitParam:
        """Parse ESPnet's form.

        Raises:
            CheckpointError: If there are too many parts.
        """
        parts = text.split(":")
        if len(parts) > 4:
            raise CheckpointError("malformed --init_param", expected="path:source:destination:excluded", got=text)
        path, source, destination, excluded = parts + [""] * (4 - len(parts))
        return cls(path, source, destination, tuple(part for part in excluded.split(",") if part))


def check_init_param(model: nn.Module, text: str, ignore_mismatch: bool = False) -> int:
    """Check one ``--init_param`` against a model and log how much of it is covered.

    ESPnet drops what does not match without a word; a checkpoint whose keys were all renamed "loads".

    Args:
        model: The model to initialise.
        text: The option's value.
        ignore_mismatch: Allow parameters that the model lacks or that have another shape.

    Returns:
        The number of parameters that will be set.

    Raises:
        CheckpointError: If nothing matches, or something does not fit.
    """
    option = InitParam.parse(text)
    source = _below(_without(read_checkpoint(option.path), option.excluded), option.source)
    destination = _below(model.state_dict(), option.destination)
    for name, found in (("source", source), ("destination", destination)):
        if not found:
            raise CheckpointError(
                f"--init_param: no parameter below the {name} prefix", where=text, got=getattr(option, name)
            )
    unknown = sorted(source.keys() - destination.keys())
    shapes = sorted(key for key in source.keys() & destination.keys() if source[key].shape != destination[key].shape)
    num_set = len(source) - len(unknown) - len(shapes)
    if num_set == 0 or ((unknown or shapes) and not ignore_mismatch):
        raise CheckpointError(
            "--init_param does not fit the model",
            where=text,
            got=f"{num_set} fit, {len(unknown)} unknown, {len(shapes)} of another shape: "
            + " ".join((unknown + shapes)[:_MOST_NAMED]),
            next_step="mend the prefixes, or pass --ignore_init_mismatch true",
        )
    logging.info(f"init_param {text}: sets {num_set} of {len(destination)} parameters")
    return num_set


def _without(state: dict[str, Tensor], prefixes: tuple[str, ...]) -> dict[str, Tensor]:
    return {key: value for key, value in state.items() if not key.startswith(prefixes)} if prefixes else state


def _below(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    if not prefix:
        return dict(state)
    return {key[len(prefix) + 1 :]: value for key, value in state.items() if key.startswith(prefix + ".")}
