"""Training on the states of a feature cache in place of audio: what may be cached, and how ESPnet's loader reads it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from espnet2.train.dataset import DATA_TYPES
from torch import nn

from espnet_ent.data.cached_set import CachedSet
from espnet_ent.encoders.ssl import SSLEncoder
from espnet_ent.errors import ConfigError
from espnet_ent.plugin.asr_encoder import ASREncoder

NAME = "states"
"""Name of the data, where training is given a feature cache in place of ``speech``."""
TYPE = "feature_cache"
"""Its type in ``--train_data_path_and_name_and_type``; its path is a ``states.scp``."""

_VERSION = 1
"""To be raised when the code of the encoders gives other states or local features of the same audio."""


def states_depend_on(encoder: nn.Module) -> dict[str, Any]:
    """What an encoder's layer states depend on besides the samples.

    Raises:
        ConfigError: If the encoder has none that can be cached.
    """
    if not isinstance(encoder, (ASREncoder, SSLEncoder)):
        raise ConfigError(
            "nothing to cache: the encoder is trained as a whole",
            where="option encoder",
            expected="ssl or espnet_asr",
            next_step="leave out --feature_cache",
        )
    return {**encoder.states_depend_on, "sample_rate": encoder.grid.sample_rate, "version": _VERSION}


def is_from_cache(args: argparse.Namespace) -> bool:
    """Whether the training data of a run are cached states.

    Raises:
        ConfigError: If they are for one of the sets alone, or statistics are to be collected of them.
    """
    kinds = {
        phase: {name: kind for _, name, kind in getattr(args, f"{phase}_data_path_and_name_and_type")}
        for phase in ("train", "valid")
    }
    cached = [phase for phase, of_phase in kinds.items() if NAME in of_phase]
    for phase in cached:
        if "speech" in kinds[phase] or kinds[phase][NAME] != TYPE:
            raise ConfigError(
                "not as cached states are given",
                where=f"--{phase}_data_path_and_name_and_type",
                expected=f"<states.scp>,{NAME},{TYPE} in place of speech",
                got=kinds[phase],
            )
    if len(cached) == 1:
        raise ConfigError("cached states are given for one set only", got=cached[0], expected="train and valid")
    if cached and args.collect_stats:
        raise ConfigError("statistics are collected from audio", expected="speech", got=NAME)
    return bool(cached)


def train_from_cache(encoder: nn.Module, args: argparse.Namespace) -> None:
    """Check that the cached states that a run names are those of its encoder, which lets go of its frozen weights.

    Raises:
        ConfigError: If the encoder's states can't be cached.
        DataError: If they are those of another.
    """
    depends_on = states_depend_on(encoder)
    for phase in ("train", "valid"):
        for path, name, _ in getattr(args, f"{phase}_data_path_and_name_and_type"):
            if name == NAME:
                CachedSet(path).check_encoder(depends_on)
    encoder.release()


class StatesLoader(Mapping[str, tuple[np.ndarray, np.ndarray, int]]):
    """What ESPnet's dataset reads of a ``states.scp``: float32 states (T, L, D), local features (N, F), samples.

    Args:
        path: The ``states.scp``.
    """

    def __init__(self, path: str) -> None:
        self.found = CachedSet(path)

    def __getitem__(self, utt_id: str) -> tuple[np.ndarray, np.ndarray, int]:
        read = self.found[utt_id]
        return _to_float32(read.states), _to_float32(read.local), read.num_samples

    def __iter__(self) -> Iterator[str]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)


def _to_float32(values: np.ndarray) -> np.ndarray:
    """The same values; torch converts float16 ten times as fast as numpy does."""
    return torch.from_numpy(values.copy()).float().numpy()


DATA_TYPES[TYPE] = {"func": StatesLoader, "kwargs": [], "help": "states.scp of a feature cache"}
