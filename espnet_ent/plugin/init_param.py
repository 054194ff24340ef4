"""Strict ``--init_param``: what is asked for must be found, and must fit."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from torch import Tensor, nn

from espnet_ent.encoders.frozen_source import check_frozen_sources
from espnet_ent.errors import CheckpointError
from espnet_ent.plugin.checkpoint_files import is_model_state, name_some, read_checkpoint

_ENCODER = "encoder"
_STATISTICS = "normalize"
_BESIDE = ("frontend", _STATISTICS, "preencoder")  # what encodes together with ESPnet's encoder


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


def init_param(model: nn.Module, text: str, ignore_mismatch: bool = False) -> int:
    """Take parameters from a checkpoint.

    ESPnet drops what does not match without a word; a checkpoint whose keys were all renamed "loads".

    ``asr.pth:encoder:encoder``, as ESPnet's users write it, takes from an ESPnet ASR model all that stands in our
    ``encoder``: the encoder, and the frontend and normalisation statistics that it was trained with.

    Args:
        model: The model to initialise.
        text: The option's value.
        ignore_mismatch: Leave out parameters that the model lacks or that have another shape, instead of refusing.

    Returns:
        The number of parameters that were set.

    Raises:
        CheckpointError: If a prefix matches nothing, or something does not fit.
    """
    option = InitParam.parse(text)
    state = read_checkpoint(option.path)
    if not is_model_state(state):
        raise CheckpointError("--init_param: not a model's parameters", where=option.path)
    state, expected = _without(state, option, text), model.state_dict()
    if (option.source, option.destination) == (_ENCODER, _ENCODER):
        state = _from_asr_model(state, expected)
    source = _below(state, option.source, "source", text)
    destination = _below(expected, option.destination, "destination", text)
    check_frozen_sources(destination, source, text)
    unknown = sorted(source.keys() - destination.keys())
    shapes = sorted(key for key in source.keys() & destination.keys() if source[key].shape != destination[key].shape)
    fitting = source.keys() - set(unknown) - set(shapes)
    if not fitting or ((unknown or shapes) and not ignore_mismatch):
        raise CheckpointError(
            "--init_param does not fit the model",
            where=text,
            got=f"{len(fitting)} fit, {len(unknown)} unknown, {len(shapes)} of another shape: "
            + name_some(unknown + shapes),
            next_step="mend the prefixes, or pass --ignore_init_mismatch true" if fitting else "mend the prefixes",
        )
    prefix = f"{option.destination}." if option.destination else ""
    model.load_state_dict({prefix + key: source[key] for key in fitting}, strict=False)
    logging.info(f"init_param {text}: sets {len(fitting)} of {len(destination)} parameters")
    if destination.keys() - fitting:
        logging.info(f"init_param {text}: leaves as they are {name_some(sorted(destination.keys() - fitting))}")
    if unknown or shapes:
        logging.warning(f"init_param {text}: leaves out {name_some(unknown + shapes)}")
    return len(fitting)


def _from_asr_model(state: dict[str, Tensor], expected: dict[str, Tensor]) -> dict[str, Tensor]:
    """Parameters of an ESPnet ASR model under our names; those of a model of ours as they are."""
    ours = f"{_ENCODER}.{_ENCODER}."
    if any(key.startswith(ours) for key in state) or not any(key.startswith(ours) for key in expected):
        return state
    beside = tuple(f"{part}." for part in _BESIDE if any(key.startswith(f"{_ENCODER}.{part}.") for key in expected))
    lost = sorted(
        {key for key in state if key.startswith(f"{_STATISTICS}.")} - {k for k in state if k.startswith(beside)}
    )
    if lost:
        logging.warning(
            f"init_param: the encoder was trained on features normalised by {name_some(lost)}; this model normalises "
            "otherwise (normalize: global_mvn takes them over)"
        )
    return {f"{_ENCODER}.{key}": value for key, value in state.items() if key.startswith((f"{_ENCODER}.", *beside))}


def _without(state: dict[str, Tensor], option: InitParam, text: str) -> dict[str, Tensor]:
    for prefix in option.excluded:
        if not any(key.startswith(prefix) for key in state):
            raise CheckpointError("--init_param: no parameter below the excluded prefix", where=text, got=prefix)
    return {key: value for key, value in state.items() if not key.startswith(option.excluded)}


def _below(state: dict[str, Tensor], prefix: str, role: str, text: str) -> dict[str, Tensor]:
    """Parameters below a prefix, named without it."""
    start = f"{prefix}." if prefix else ""
    found = {key[len(start) :]: value for key, value in state.items() if key.startswith(start)}
    if not found:
        raise CheckpointError(f"--init_param: no parameter below the {role} prefix", where=text, got=repr(prefix))
    return found
