"""Encoder from a pretrained speech model: frozen or fine-tuned, layers mixed, a small network on top."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from torch import Tensor, nn

from espnet_ent.encoders.frozen_source import FrozenSource
from espnet_ent.encoders.layer_mix import LayerMix
from espnet_ent.encoders.layer_states import LayerStates
from espnet_ent.encoders.local_context import LocalContext
from espnet_ent.encoders.ssl_checkpoint import SSLDescription, digest_of
from espnet_ent.encoders.ssl_models import SSLModel, depth_of, one_by_one
from espnet_ent.encoders.top import NoTop
from espnet_ent.errors import ConfigError
from espnet_ent.frames import FrameGrid
from espnet_ent.transducer.states import AcousticStates, EncoderStates, EncoderUse

LAYERS = ("mix", "last")
TOPS = ("bilstm", "conformer", "linear", "none")


@dataclass(frozen=True)
class SSLOptions:
    """``encoder_conf`` of ``encoder: ssl``.

    Attributes:
        model: Directory that ``save_pretrained`` wrote, or hub id, with ``@revision`` where one is meant, and ``hub:``
            before it where a directory here has the same name.
        frozen: No gradients, always in evaluation mode, neither in the optimizer nor in checkpoints.
        save_frozen: Put frozen weights into checkpoints all the same; decoding then needs no ``model``.
        local_files_only: Do not ask the hub.
        layers: ``mix``: learned sum of all layers; ``last``: the last alone.
        one_by_one: Utterances of unlike length are encoded apart: states do not depend on the batch, for more time.
        freeze_steps: Fine-tuning: updates until the pretrained weights join in.
        layer_decay: Fine-tuning: factor of the learning rate from each block to the one below.
        lr_factor: Fine-tuning: factor of the learning rate of the last block.
        top: ``bilstm | conformer | linear | none``.
        top_conf: Options of the top.
        share_emotion_rnn: With a second layer mix: both mixes go through the same top, as in the reference. False: the
            emotion side has a top of its own.
        stored: Written by training: what the model is, and the digest of its weights.

    Raises:
        ConfigError: If a value is of the wrong type, out of its range, or without effect.
    """

    model: str
    frozen: bool = True
    save_frozen: bool = False
    local_files_only: bool = False
    layers: str = "mix"
    one_by_one: bool = False
    freeze_steps: int = 0
    layer_decay: float = 1.0
    lr_factor: float = 1.0
    top: str = "bilstm"
    top_conf: Mapping[str, Any] = field(default_factory=dict)
    share_emotion_rnn: bool = True
    stored: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        for option in fields(self):
            value = getattr(self, option.name)
            if type(option.default) is bool and type(value) is not bool:
                _refuse(option.name, "true or false", value)
            if type(option.default) in (int, float) and (type(value) not in (int, float) or value < 0):
                _refuse(option.name, "a number, 0 or more", value)
        for name, choices in (("layers", LAYERS), ("top", TOPS)):
            if getattr(self, name) not in choices:
                _refuse(name, " | ".join(choices), getattr(self, name))
        if type(self.freeze_steps) is not int:
            _refuse("freeze_steps", "a whole number", self.freeze_steps)
        if not 0 < self.layer_decay <= 1:
            _refuse("layer_decay", "above 0, 1 at most", self.layer_decay)
        if self.frozen and (self.freeze_steps, self.layer_decay, self.lr_factor) != (0, 1.0, 1.0):
            raise ConfigError(
                "freeze_steps, layer_decay and lr_factor are for fine-tuning",
                where="encoder_conf",
                expected="frozen: false",
            )
        if self.save_frozen and not self.frozen:
            raise ConfigError("save_frozen is for frozen weights", where="encoder_conf", expected="frozen: true")

    @property
    def weights_in_checkpoints(self) -> bool:
        """Whether checkpoints hold the model's own weights."""
        return self.save_frozen or not self.frozen


class SSLEncoder(nn.Module):
    """Samples to encoder states, through a pretrained model.

    Glossary: B batch, N samples, T frames, D output size.

    Args:
        source: The pretrained model.
        description: What it is, with the digest of its weights.
        options: How to use it.
        make_top: Makes the network on top.
        grid: Time grid of its frames.
        emotion_layer_mix: Mix the layers a second time for the emotion side.
        make_branch: Makes layers of short reach for the emotion lattice, given the size and subsampling of local
            features and the output size; or gives None.
        use: What the model needs.

    Raises:
        ConfigError: If a second mix is asked for, but ``layers`` is not ``mix``.
    """

    def __init__(
        self,
        source: SSLModel,
        description: SSLDescription,
        options: SSLOptions,
        make_top: Callable[[], nn.Module],
        grid: FrameGrid,
        emotion_layer_mix: bool = False,
        make_branch: Callable[[int, int, int], LocalContext | None] = lambda *_: None,
        use: EncoderUse = EncoderUse(),  # noqa: B008 (frozen)
    ) -> None:
        super().__init__()
        self.use = use
        if emotion_layer_mix and options.layers != "mix":
            raise ConfigError(
                "a second layer mix needs layers: mix",
                where="model_conf.emotion_layer_mix",
                got=f"layers: {options.layers}",
            )
        self.options, self.description, self.grid = options, description, grid
        # One of the two: in checkpoints, or known by its digest there.
        self.ssl = source if options.weights_in_checkpoints else None
        self.held = None if options.weights_in_checkpoints else FrozenSource(source, digest_of(description))
        if options.frozen:
            for parameter in source.parameters():
                parameter.requires_grad_(False)
            source.eval()
        else:
            source.freeze_features()
        if options.freeze_steps:
            self.register_buffer("num_updates", torch.zeros((), dtype=torch.long))
        is_mixed = options.layers == "mix" and (use.states or use.acoustic)
        self.mix = LayerMix(source.num_layers) if is_mixed else None
        self.emotion_mix = LayerMix(source.num_layers) if emotion_layer_mix else None
        self.top = make_top() if use.states else NoTop(source.hidden_size)
        self.emotion_top = None if options.share_emotion_rnn or not use.states else make_top()
        self.emotion_branch = make_branch(source.local_size, source.local_subsampling, self.top.output_size)

    @property
    def source(self) -> SSLModel:
        """The pretrained model."""
        return self.held.module if self.ssl is None else self.ssl

    @property
    def output_size(self) -> int:
        """D."""
        return self.top.output_size

    @property
    def layer_shape(self) -> tuple[int, int]:
        """Number and size of the layers in ``EncoderStates.layers``."""
        return self.source.num_layers, self.source.hidden_size

    @property
    def acoustic_size(self) -> int:
        """Size of a row of ``EncoderStates.acoustic``."""
        return self.source.hidden_size

    @property
    def _gives_all_layers(self) -> bool:
        return self.options.layers == "mix" or self.use.layers

    @property
    def is_frozen_now(self) -> bool:
        """Whether the pretrained weights stay as they are in the next update."""
        return self.options.frozen or (
            self.options.freeze_steps > 0 and int(self.num_updates) < self.options.freeze_steps
        )

    @property
    def skips_parameters(self) -> bool:
        """Whether parameters that are to be trained may get no gradient: before they join in, or masks' embeddings."""
        return not self.options.frozen

    def train(self, mode: bool = True) -> SSLEncoder:
        """As usual, but for a frozen model, which stays in evaluation mode."""
        super().train(mode)
        self.source.train(mode and not self.is_frozen_now)
        return self

    def after_update(self) -> None:
        """Tell that the optimizer has made a step."""
        if self.options.freeze_steps:
            self.num_updates += 1
            self.train(self.training)

    def rate_scales(self) -> dict[nn.Parameter, float]:
        """Factor of the learning rate of each pretrained parameter of the model; 0: it is not trained at all."""
        if self.ssl is None:
            return {}
        return {
            parameter: self.options.lr_factor * self.options.layer_decay ** depth_of(name, self.source)
            if parameter.requires_grad
            else 0.0
            for name, parameter in self.source.named_parameters()
        }

    def features(self, speech: Tensor, speech_lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The samples themselves, (B, N, 1): there is nothing to collect statistics of."""
        return speech[:, : int(speech_lengths.max())].unsqueeze(-1), speech_lengths

    @property
    def states_depend_on(self) -> dict[str, Any]:
        """What the states of the layers depend on besides the samples, for a feature cache.

        Raises:
            ConfigError: If they depend on training.
        """
        if not self.options.frozen:
            raise ConfigError(
                "fine-tuning changes the states that a feature cache holds (and masks some of them)",
                where="encoder_conf.frozen",
                expected="true",
                got="false",
                next_step="leave out --feature_cache",
            )
        layers = "all" if self._gives_all_layers else "last"
        return {"encoder": "ssl", "layers": layers, **self.description.to_config()}

    def release(self) -> None:
        """Let go of the frozen weights, unless checkpoints hold them: states come from a feature cache."""
        if self.held is not None:
            self.held.release()

    def forward(self, speech: Tensor, speech_lengths: Tensor) -> EncoderStates:
        """Encode; arguments and errors as in :meth:`layer_states`."""
        return self.from_layers(self.layer_states(speech, speech_lengths))

    def layer_states(self, speech: Tensor, speech_lengths: Tensor) -> LayerStates:
        """What the pretrained model gives, as far as it is used: all layers, or the last.

        Args:
            speech: (B, N), float32 samples.
            speech_lengths: (B,), samples.

        Raises:
            LossInputError: If an utterance is too short.
        """
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.is_frozen_now):
            if self.options.one_by_one:
                states = one_by_one(self.source, speech, speech_lengths)
            else:
                states = self.source(speech, speech_lengths)
        return states if self._gives_all_layers else replace(states, layers=states.layers[-1:])

    def from_layers(self, states: LayerStates) -> EncoderStates:
        """What is trained, on states of the layers."""
        mixed = states.layers[-1] if self.mix is None else self.mix(states.layers)
        mixed_emo = mixed if self.emotion_mix is None else self.emotion_mix(states.layers)
        if self.emotion_top is not None:
            h, h_emo = self.top(mixed, states.lengths), self.emotion_top(mixed_emo, states.lengths)
        elif self.emotion_mix is not None:
            both = self.top(torch.cat((mixed, mixed_emo)), states.lengths.repeat(2))
            h, h_emo = both.chunk(2)
        else:
            h = h_emo = self.top(mixed, states.lengths)
        return states.encoded(h, h_emo, self.emotion_branch, self.use, AcousticStates(mixed, states.lengths, 1))


def _refuse(option: str, expected: str, got: object) -> None:
    raise ConfigError("wrong type or value", where=f"encoder_conf.{option}", expected=expected, got=repr(got))
