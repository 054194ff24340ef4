"""``encoder: espnet_asr``: the encoder of a trained speech recogniser, with all of its layers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from espnet2.asr.frontend.windowing import SlidingWindow
from torch import Tensor, nn

from espnet_ent.encoders.frozen_source import DIGEST, FrozenSource, source_digest
from espnet_ent.encoders.layer_mix import LayerMix, layer_numbers
from espnet_ent.encoders.layer_states import LayerStates
from espnet_ent.encoders.local_context import LocalContext
from espnet_ent.errors import ConfigError
from espnet_ent.frames import FrameGrid
from espnet_ent.plugin.asr_parts import (
    ASRModelParts,
    grid_of,
    load_parts,
    make_parts,
    registry_of_sources,
)
from espnet_ent.plugin.asr_source import read_architecture, read_asr_source
from espnet_ent.plugin.components import Registry, check_keys, make_component
from espnet_ent.plugin.encoders import subsampling_factor
from espnet_ent.plugin.layer_outputs import LayerOutputs
from espnet_ent.transducer.masks import trim_speech
from espnet_ent.transducer.states import AcousticStates, EncoderStates, EncoderUse

NAME = "espnet_asr"
_KIND = "encoder_conf"


@dataclass(frozen=True)
class ASREncoderOptions:
    """``encoder_conf`` of ``encoder: espnet_asr``.

    Attributes:
        source: The recogniser: a packed zip, an experiment directory (of ESPnet's ASR or of this package) or a tag of
            ESPnet's model zoo.
        checkpoint: File name of the checkpoint in an experiment directory; None: the averaged best.
        freeze: Leave the recogniser as it is; otherwise it is trained with the rest.
        layers: ``all``, ``last``, or numbers from 1. Several layers are mixed with learned weights.
        layer_norm: Bring each layer's output through the encoder's final norm.
        specaug: Apply the recogniser's SpecAugment in training.
        architecture: What the recogniser is made of. Written into ``config.yaml`` by the training of ``freeze: false``,
            so that its checkpoints need no source.
    """

    source: str
    checkpoint: str | None = None
    freeze: bool = True
    layers: str | Sequence[int] = "all"
    layer_norm: bool = True
    specaug: bool = False
    architecture: Mapping[str, Any] | None = None

    @classmethod
    def read(cls, conf: Mapping[str, Any]) -> ASREncoderOptions:
        """Check options.

        Raises:
            ConfigError: On an unknown key, a wrong type, or if the source is missing.
        """
        check_keys(_KIND, conf, [field.name for field in fields(cls)])
        if not conf.get("source"):
            raise ConfigError("no source is named", where=f"{_KIND}.source", expected="a zip, a directory or a zoo tag")
        for key in ("freeze", "layer_norm", "specaug"):
            if not isinstance(conf.get(key, True), bool):
                raise ConfigError("wrong type", where=f"{_KIND}.{key}", expected="true or false", got=repr(conf[key]))
        return cls(**conf)


class ASREncoder(nn.Module):
    """Samples to encoder states, through the encoder of a trained recogniser.

    Glossary: B batch, N samples, L layers, T encoder frames, D output size.

    Without padding the states of an utterance are those of ESPnet's own ``encode``; with padding, too, which is to say
    that convolutional subsampling lets some of it in: an utterance of a batch may have two more frames than alone.
    Decoding encodes recordings one by one.

    Args:
        source: The recogniser's modules, frozen or to be trained.
        grid: Time grid of the encoder's frames.
        num_layers: L.
        specaug: ESPnet SpecAugment, or None.
        emotion_layer_mix: Give ``h_emo`` from a second mix of the layers (that of FENT).
        emotion_branch: Layers of short context, whose states the emotion lattice sees in place of ``h_emo``; or None.
        use: What the model needs.

    Raises:
        ConfigError: If a second layer mix is asked of a single layer.
    """

    def __init__(
        self,
        source: FrozenSource | ASRModelParts,
        grid: FrameGrid,
        num_layers: int,
        specaug: nn.Module | None = None,
        emotion_layer_mix: bool = False,
        emotion_branch: LocalContext | None = None,
        use: EncoderUse = EncoderUse(),  # noqa: B008 (frozen)
    ) -> None:
        super().__init__()
        self.use, self.num_layers = use, num_layers
        if emotion_layer_mix and num_layers < 2:
            raise ConfigError(
                "a second layer mix needs several layers",
                where="model_conf.emotion_layer_mix",
                expected="encoder_conf.layers of 2 or more",
                got=num_layers,
            )
        self.source = source
        self.grid = grid
        self.specaug = specaug
        self.emotion_branch = emotion_branch
        self.mix = LayerMix(num_layers) if num_layers > 1 and use.states else None
        self.emotion_mix = LayerMix(num_layers) if emotion_layer_mix else None

    @property
    def parts(self) -> ASRModelParts:
        """The recogniser's modules."""
        return self.source.module if isinstance(self.source, FrozenSource) else self.source

    @property
    def output_size(self) -> int:
        """D."""
        return self.parts.encoder.output_size()

    @property
    def layer_shape(self) -> tuple[int, int]:
        """Number and size of the layers in ``EncoderStates.layers``."""
        return self.num_layers, self.output_size

    @property
    def acoustic_size(self) -> int:
        """Size of a row of ``EncoderStates.acoustic``."""
        return self.parts.frontend.output_size()

    def features(self, speech: Tensor, speech_lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The recogniser's features (B, frames, bins) before normalisation, and their lengths (B,)."""
        return self.parts.frontend(trim_speech(speech, speech_lengths), speech_lengths)

    def layer_states(self, speech: Tensor, speech_lengths: Tensor) -> LayerStates:
        """The chosen layers' states, e.g. for a head that fuses them itself.

        Args:
            speech: (B, N), float32 samples.
            speech_lengths: (B,), samples.

        Raises:
            LossInputError: If utterances are too short for the encoder.
        """
        augment = self.specaug if self.training else None
        return self.source(trim_speech(speech, speech_lengths), speech_lengths, augment)

    @property
    def states_depend_on(self) -> dict[str, Any]:
        """What the states of the layers depend on besides the samples, for a feature cache.

        Raises:
            ConfigError: If they depend on training.
        """
        if not isinstance(self.source, FrozenSource):
            raise ConfigError(
                "fine-tuning changes the states that a feature cache holds",
                where=f"{_KIND}.freeze",
                expected="true",
                got="false",
                next_step="leave out --feature_cache",
            )
        if self.specaug is not None:
            raise ConfigError(
                "SpecAugment changes the states that a feature cache holds",
                where=f"specaug, {_KIND}.specaug",
                expected="none",
                next_step="leave out one of SpecAugment and --feature_cache",
            )
        digest = bytes(self.source.get_buffer(DIGEST).tolist()).hex()
        return {"encoder": NAME, "source_sha256": digest, **self.parts.chosen}

    def release(self) -> None:
        """Let go of the frozen weights: states come from a feature cache."""
        self.source.release()

    def forward(self, speech: Tensor, speech_lengths: Tensor) -> EncoderStates:
        """Encode; arguments and errors as in :meth:`layer_states`."""
        return self.from_layers(self.layer_states(speech, speech_lengths))

    def from_layers(self, states: LayerStates) -> EncoderStates:
        """What is trained, on states of the layers."""
        h = states.layers[-1] if self.mix is None else self.mix(states.layers)
        h_emo = h if self.emotion_mix is None else self.emotion_mix(states.layers)
        acoustic = None
        if self.use.acoustic:
            rate = self.grid.samples_per_frame // self.parts.frontend.hop_length
            acoustic = AcousticStates(states.local, states.local_lengths, rate)
        return states.encoded(h, h_emo, self.emotion_branch, self.use, acoustic)


def build_asr_encoder(
    config: Mapping[str, Any],
    registry: Registry,
    make_here: Callable[..., Any],
    emotion_layer_mix: bool,
    weights_follow: bool,
    use: EncoderUse,
) -> ASREncoder:
    """Build the encoder that a configuration with ``encoder: espnet_asr`` describes.

    Args:
        config: The whole configuration. Its ``frontend`` and ``normalize`` have no effect: the source brings its own.
        registry: Component -> name -> class.
        make_here: Makes a component of ``config``, as ``make_here(config, component, **given)``.
        emotion_layer_mix: As in :class:`ASREncoder`.
        weights_follow: The caller loads a checkpoint afterwards.
        use: What the model needs.

    Raises:
        ConfigError: On wrong options, a source that is not there or of another sample rate.
        CheckpointError: If the source is damaged or does not fit its own configuration.
    """
    options = ASREncoderOptions.read(config.get(_KIND) or {})
    _check_config(config, options)
    if not weights_follow and config.get("normalize"):
        logging.info("encoder: espnet_asr normalises as its source does; normalize has no effect")
    if options.freeze or not weights_follow or options.architecture is None:
        source = read_asr_source(options.source, options.checkpoint)
        architecture = source.architecture
    else:
        source, architecture = None, dict(options.architecture)
    _check_rate(config, architecture, options.source)
    registry = registry_of_sources(registry)
    prefix = f"{options.source}: "
    parts = make_parts(architecture, registry, prefix)
    num_layers = len(LayerOutputs(parts["encoder"]))
    layers = layer_numbers(options.layers, num_layers, f"{_KIND}.layers")
    model = ASRModelParts(parts, layers, options.layer_norm)
    model.encoder.to(memory_format=torch.channels_last)
    if source is not None:
        load_parts(model, source)
    if use.acoustic and isinstance(model.frontend, SlidingWindow):
        raise ConfigError(
            "a source that reads samples has no features for an acoustic stream", where="utterance_head_conf.streams"
        )
    specaug = make_here(config, "specaug")
    if options.specaug:
        specaug = make_component(registry, architecture, "specaug", prefix=prefix)
    return ASREncoder(
        source=_frozen(model, architecture) if options.freeze else model,
        grid=grid_of(architecture, parts["frontend"]),
        num_layers=len(layers),
        specaug=specaug,
        emotion_layer_mix=emotion_layer_mix,
        emotion_branch=_make_emotion_branch(config, model, architecture, make_here),
        use=use,
    )


def _make_emotion_branch(
    config: Mapping[str, Any], model: ASRModelParts, architecture: Mapping[str, Any], make_here: Callable[..., Any]
) -> LocalContext | None:
    if config.get("emotion_branch") and isinstance(model.frontend, SlidingWindow):
        raise ConfigError("a source that reads samples has no features for an emotion branch", where="emotion_branch")
    options = make_here(config, "emotion_branch")
    return options and LocalContext(
        input_size=model.frontend.output_size(),
        output_size=model.encoder.output_size(),
        subsampling=subsampling_factor(architecture["encoder"], architecture["encoder_conf"]),
        options=options,
    )


def asr_frame_grid(config: Mapping[str, Any], registry: Registry) -> FrameGrid:
    """Time grid of the encoder that a configuration with ``encoder: espnet_asr`` describes; errors as when building."""
    options = ASREncoderOptions.read(config.get(_KIND) or {})
    architecture = read_architecture(options.source, options.checkpoint)
    _check_rate(config, architecture, options.source)
    frontend = make_component(registry_of_sources(registry), architecture, "frontend", prefix=f"{options.source}: ")
    return grid_of(architecture, frontend)


def with_architecture(config: Mapping[str, Any]) -> dict[str, Any]:
    """``encoder_conf`` of a configuration; with what a fine-tuned recogniser is made of, so that it needs no source."""
    conf = dict(config.get(_KIND) or {})
    if config.get("encoder") == NAME and conf.get("freeze") is False:
        options = ASREncoderOptions.read(conf)
        conf["architecture"] = read_architecture(options.source, options.checkpoint)
    return conf


def _check_config(config: Mapping[str, Any], options: ASREncoderOptions) -> None:
    if config.get("frontend_conf"):
        raise ConfigError("encoder: espnet_asr brings its own frontend", where="frontend_conf", expected="nothing")
    if options.specaug and config.get("specaug"):
        raise ConfigError(
            "two SpecAugments", where=f"{_KIND}.specaug", expected="specaug of the source or of the configuration"
        )
    if config.get("init") and not options.freeze:
        raise ConfigError("an initialisation would overwrite the source", where="option init", got=config["init"])


def _check_rate(config: Mapping[str, Any], architecture: Mapping[str, Any], source: str) -> None:
    rate = int(config.get("fs") or 16000)
    if architecture["fs"] != rate:
        raise ConfigError(
            "the source was trained on audio of another sample rate",
            where=source,
            expected=f"{rate} Hz, as the data has (--fs)",
            got=f"{architecture['fs']} Hz",
            next_step=f"choose another source, or prepare the data with --fs {architecture['fs']}",
        )


def _frozen(model: ASRModelParts, architecture: Mapping[str, Any]) -> FrozenSource:
    """A frozen recogniser, known by its parameters and by what else its states depend on."""
    that_matters = {key: value for key, value in architecture.items() if not key.startswith("specaug")}
    return FrozenSource(model, source_digest(model.state_dict(), that_matters))
