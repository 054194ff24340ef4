"""Pretrained modules that stay as they are: held, not owned; in checkpoints there is only what they are known by.

A frozen source is no part of the model's parameters, modules or state: it is in no optimizer, never in training mode
and in no checkpoint. What a checkpoint holds in its place is the SHA-256 of what the source computes with; where that
differs, the checkpoint was trained on another source and is refused. The source's path stands in the configuration.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from espnet_ent.errors import CheckpointError

DIGEST = "frozen_source_sha256"
"""Last part of the name under which a checkpoint holds a digest, as (32,) uint8."""
_NUM_TOLD = 12  # hexadecimal digits of a digest in a message


class FrozenSource(nn.Module):
    """A pretrained module, frozen.

    Args:
        module: The module; it is set to evaluation and its gradients are switched off.
        digest: What it is known by, see :func:`source_digest`.
    """

    def __init__(self, module: nn.Module, digest: Tensor) -> None:
        super().__init__()
        # In a tuple: PyTorch registers what is assigned as a module, and with it parameters, state and mode.
        self._held = (module.eval().requires_grad_(False),)
        self.is_released = False
        self.register_buffer(DIGEST, digest)

    @property
    def module(self) -> nn.Module:
        """The module that is held."""
        return self._held[0]

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module gives, without gradients."""
        if self.is_released:
            raise RuntimeError("the weights of this module were let go of")
        with torch.no_grad():
            return self.module(*args, **kwargs)

    def release(self) -> None:
        """Let go of the weights, where what the module gives is known already; digest, sizes and settings stay."""
        self.module.to("meta")
        self.is_released = True

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> FrozenSource:
        """Follow the model to another device."""
        if not self.is_released:
            self.module._apply(fn, recurse)
        return super()._apply(fn, recurse)

    def _load_from_state_dict(self, state_dict: Mapping[str, Tensor], prefix: str, *args: Any) -> None:
        check_frozen_sources(self.state_dict(prefix=prefix), state_dict, None)
        super()._load_from_state_dict(state_dict, prefix, *args)


def source_digest(state: Mapping[str, Tensor], description: Mapping[str, Any]) -> Tensor:
    """SHA-256 (32,) uint8 of parameters and a description, wherever and however they were stored.

    Args:
        state: Parameters and statistics by name.
        description: What the results depend on besides, as plain data (e.g. a configuration).
    """
    digest = hashlib.sha256(json.dumps(description, sort_keys=True, default=str).encode())
    for name in sorted(state):
        value = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return torch.frombuffer(bytearray(digest.digest()), dtype=torch.uint8)


def check_frozen_sources(expected: Mapping[str, Tensor], got: Mapping[str, Tensor], where: object) -> None:
    """Check that two sets of parameters belong to the same frozen sources.

    Args:
        expected: State of a model.
        got: State of a checkpoint; what it lacks is not looked at.
        where: Named in the error.

    Raises:
        CheckpointError: If a digest differs.
    """
    for key in sorted(expected.keys() & got.keys()):
        if key.rpartition(".")[2] == DIGEST and not torch.equal(expected[key].cpu(), got[key].cpu()):
            raise CheckpointError(
                "checkpoint was trained on another frozen source than the configuration names",
                where=where,
                expected=f"SHA-256 {_told(got[key])} ({key})",
                got=_told(expected[key]),
                next_step="put back the source that it was trained on, or train into another directory (--ent_tag)",
            )


def _told(digest: Tensor) -> str:
    return bytes(digest.cpu().tolist()).hex()[:_NUM_TOLD] + "..."
