"""The modules of a trained speech recogniser that lead from samples to encoder states, made from its configuration."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from espnet2.asr.frontend.windowing import SlidingWindow
from espnet2.asr.preencoder.linear import LinearProjection
from espnet2.asr.preencoder.sinc import LightweightSincConvs
from torch import Tensor, nn

from espnet_ent.encoders.layer_states import LayerStates
from espnet_ent.errors import CheckpointError, ConfigError
from espnet_ent.frames import FrameGrid
from espnet_ent.plugin.asr_source import ASRSource
from espnet_ent.plugin.checkpoint_files import check_fit
from espnet_ent.plugin.components import Registry, make_component, parameters_of
from espnet_ent.plugin.encoders import long_enough, subsampling_factor
from espnet_ent.plugin.layer_outputs import LayerOutputs

_PREENCODERS = {"linear": LinearProjection, "sinc": LightweightSincConvs}
_SWITCHED_OFF: dict[str, Any] = {
    "use_flash_attn": False,  # the same numbers, and only where an optional package is installed
    "layer_drop_rate": 0.0,  # a layer that is left out has no output
}
_RNN_SWITCHED_OFF = {"dropout": 0.0}  # ESPnet's projected RNN drops out in evaluation, too


class ASRModelParts(nn.Module):
    """Frontend, normalisation, pre-encoder and encoder, named as in ESPnet's ASR model.

    Args:
        parts: The modules; ``normalize`` and ``preencoder`` may be None.
        layers: Numbers of layers from 1.
        layer_norm: Bring each layer's output through the encoder's final norm.

    Attributes:
        layers: As given.
    """

    def __init__(self, parts: Mapping[str, nn.Module | None], layers: Sequence[int], layer_norm: bool) -> None:
        super().__init__()
        self.frontend, self.normalize = parts["frontend"], parts["normalize"]
        self.preencoder, self.encoder = parts["preencoder"], parts["encoder"]
        self.layers, self._layer_norm = tuple(layers), layer_norm

    @property
    def chosen(self) -> dict[str, Any]:
        """Which layers are given, and how."""
        return {"layers": list(self.layers), "layer_norm": self._layer_norm}

    def forward(
        self, speech: Tensor, speech_lengths: Tensor, augment: Callable[[Tensor, Tensor], tuple] | None = None
    ) -> LayerStates:
        """The chosen layers' states, in the order in which they were chosen, and normalised features.

        Args:
            speech: (B, N), float32 samples.
            speech_lengths: (B,), samples.
            augment: Applied to features before their normalisation.
        """
        with torch.autocast(speech.device.type, enabled=False):
            feats, lengths = self.frontend(speech, speech_lengths)
            if augment is not None:
                feats, lengths = augment(feats, lengths)
            if self.normalize is not None:
                feats, lengths = self.normalize(feats, lengths)
        x, x_lengths = (feats, lengths) if self.preencoder is None else self.preencoder(feats, lengths)
        with long_enough():
            layers, h_lengths = LayerOutputs(self.encoder, self._layer_norm)(x, x_lengths)
        return LayerStates([layers[number - 1] for number in self.layers], h_lengths, feats, lengths)


def registry_of_sources(registry: Registry) -> Registry:
    """What a source may be made of: ESPnet's encoders and what stands before them.

    Args:
        registry: Component -> name -> class, of this package.
    """
    encoders = {name: cls for name, cls in registry["encoder"].items() if _is_espnets(cls)}
    return {
        "frontend": {**registry["frontend"], "sliding_window": SlidingWindow},
        "specaug": registry["specaug"],
        "normalize": registry["normalize"],
        "preencoder": _PREENCODERS,
        "encoder": encoders,
    }


def _is_espnets(cls: type) -> bool:
    return cls.__module__.startswith("espnet2.asr.encoder.")


def make_parts(architecture: Mapping[str, Any], registry: Registry, prefix: str) -> dict[str, nn.Module | None]:
    """Frontend, normalisation, pre-encoder and encoder with random parameters.

    Args:
        architecture: See :class:`ASRSource`.
        registry: See :func:`registry_of_sources`.
        prefix: Put before components' names in errors.

    Raises:
        ConfigError: On a component that is not known or refuses its options.
    """
    conf = dict(architecture["encoder_conf"])
    for key in ("interctc_use_conditioning", "ctc_trim"):
        if conf.get(key):
            raise ConfigError("an encoder that reads CTC output is not supported", where=f"{prefix}encoder_conf.{key}")
    cls = registry["encoder"].get(architecture["encoder"])
    known = parameters_of(cls) if cls else []
    conf.update({key: value for key, value in _SWITCHED_OFF.items() if key in known})
    if architecture["encoder"] == "rnn":
        conf.update(_RNN_SWITCHED_OFF)
    frontend = make_component(registry, architecture, "frontend", prefix=prefix)
    preencoder = make_component(registry, architecture, "preencoder", prefix=prefix)
    encoder = make_component(
        registry,
        {**architecture, "encoder_conf": conf},
        "encoder",
        prefix=prefix,
        input_size=(preencoder or frontend).output_size(),
    )
    normalize = _make_normalize(architecture, registry, prefix, frontend.output_size())
    return {"frontend": frontend, "normalize": normalize, "preencoder": preencoder, "encoder": encoder}


def _make_normalize(
    architecture: Mapping[str, Any], registry: Registry, prefix: str, num_features: int
) -> nn.Module | None:
    """Normalisation; the statistics of ``global_mvn`` come with the checkpoint."""
    if architecture["normalize"] != "global_mvn":
        return make_component(registry, architecture, "normalize", prefix=prefix)
    with tempfile.NamedTemporaryFile(suffix=".npz") as file:
        ones = np.ones(num_features, np.float32)
        np.savez(file, count=np.float32(1), sum=ones, sum_square=2 * ones)  # float32 throughout, as features are
        file.flush()
        conf = {**architecture["normalize_conf"], "stats_file": file.name}
        return make_component(registry, {**architecture, "normalize_conf": conf}, "normalize", prefix=prefix)


def load_parts(model: ASRModelParts, source: ASRSource) -> None:
    """Load the parameters and statistics of a source.

    Raises:
        CheckpointError: If they do not fit the architecture that the source itself describes.
    """
    try:
        check_fit(model.state_dict(), source.state, source.where)
    except CheckpointError as error:
        raise CheckpointError(
            "the source's checkpoint does not fit its own configuration", where=source.where, got=error.got
        ) from error
    model.load_state_dict(source.state)


def grid_of(architecture: Mapping[str, Any], frontend: nn.Module) -> FrameGrid:
    """Time grid of the encoder's frames."""
    factor = subsampling_factor(architecture["encoder"], architecture["encoder_conf"])
    return FrameGrid(architecture["fs"], frontend.hop_length * factor)
