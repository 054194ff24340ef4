"""Frozen modules: named strictly, and kept as they are during training."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from espnet_ent.errors import ConfigError
from espnet_ent.plugin.checkpoint_files import name_some


def check_freeze_param(model: nn.Module, prefixes: Iterable[str]) -> None:
    """Check that each ``--freeze_param`` names parameters of the model.

    Raises:
        ConfigError: If one names nothing.
    """
    names = [name for name, _ in model.named_parameters()]
    for prefix in prefixes:
        if not any(name == prefix or name.startswith(f"{prefix}.") for name in names):
            parts = sorted({name.partition(".")[0] for name in names})
            raise ConfigError("--freeze_param names no parameter", expected=f"below {name_some(parts)}", got=prefix)


def train_unfrozen(model: nn.Module) -> None:
    """Set a model to training, but what is wholly frozen to evaluation.

    A frozen module in training mode would still change: normalisation statistics drift and dropout is on.
    """
    model.train()
    _set_frozen_to_eval(model)


def tell_update(model: nn.Module) -> None:
    """Tell modules that count them (``after_update``) of an optimizer's step."""
    for module in model.modules():
        if hasattr(module, "after_update"):
            module.after_update()


def _set_frozen_to_eval(module: nn.Module) -> None:
    parameters = list(module.parameters())
    if parameters and not any(parameter.requires_grad for parameter in parameters):
        module.eval()
        return
    for child in module.children():
        _set_frozen_to_eval(child)
