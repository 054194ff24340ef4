"""Speech encoders made of ESPnet's parts: frontend, SpecAugment, normalisation, encoder, and our layer mix."""

from __future__ import annotations

import contextlib
import inspect
import math
from collections.abc import Iterator

import torch
from espnet2.asr.encoder.conformer_encoder import TooShortUttError
from espnet2.asr.encoder.rnn_encoder import RNNEncoder
from torch import Tensor, nn

from espnet_ent.encoders.layer_mix import LayerMix
from espnet_ent.encoders.local_context import LocalContext
from espnet_ent.errors import ConfigError, LossInputError
from espnet_ent.frames import FrameGrid
from espnet_ent.plugin.layer_outputs import LayerOutputs
from espnet_ent.transducer.masks import trim_speech
from espnet_ent.transducer.states import AcousticStates, EncoderStates, EncoderUse

_SUBSAMPLING = {
    "conv2d": 4,
    "conv2d1": 1,
    "conv2d2": 2,
    "conv2d4": 4,
    "conv2d6": 6,
    "conv2d8": 8,
    "conv1d1": 1,
    "conv1d2": 2,
    "conv1d3": 3,
    "linear": 1,
    None: 1,
}


def subsampling_factor(name: str, conf: dict) -> int:
    """Feature frames for one encoder frame, for ESPnet's encoder ``name`` with options ``conf``.

    Raises:
        ConfigError: If the input layer's factor is not known.
    """
    if name == "rnn":
        defaults = inspect.signature(RNNEncoder).parameters
        if not conf.get("use_projection", defaults["use_projection"].default):
            return 1  # ESPnet subsamples between projected layers only
        layers = conf.get("num_layers", defaults["num_layers"].default)
        subsample = conf.get("subsample", defaults["subsample"].default) or ()
        return math.prod(subsample[:layers])
    input_layer = conf.get("input_layer", "conv2d")
    if input_layer not in _SUBSAMPLING:
        raise ConfigError(
            "encoder input layer of unknown subsampling",
            where="encoder_conf.input_layer",
            expected=" ".join(str(known) for known in _SUBSAMPLING),
            got=input_layer,
        )
    return _SUBSAMPLING[input_layer]


@contextlib.contextmanager
def long_enough() -> Iterator[None]:
    """Explain what ESPnet's encoders say of utterances that leave no frame.

    Raises:
        LossInputError: If they are too short.
    """
    try:
        yield
    except TooShortUttError as error:
        raise LossInputError(
            "utterances are too short for the encoder's subsampling",
            expected=f"more than {error.limit} feature frames",
            got=error.actual_size,
            next_step="raise --min_wav_duration and rerun stage 4",
        ) from error


class FeatureEncoder(nn.Module):
    """Samples to encoder states, through features that ESPnet's frontend computes.

    Glossary: B batch, N samples, T encoder frames, D output size.

    Args:
        frontend: ESPnet frontend.
        specaug: ESPnet SpecAugment, or None.
        normalize: ESPnet feature normalisation, or None.
        encoder: ESPnet encoder.
        grid: Time grid of the encoder's frames.
        emotion_layer_mix: Give ``h_emo`` from a learned mix of all layers instead of ``h`` itself (the second
            layer mix of FENT).
        emotion_branch: Layers of short context, whose states the emotion lattice sees in place of ``h_emo``; or None.
        use: What the model needs.

    Raises:
        ConfigError: If a layer mix is asked of an encoder that does not give its layers.
    """

    def __init__(
        self,
        frontend: nn.Module,
        specaug: nn.Module | None,
        normalize: nn.Module | None,
        encoder: nn.Module,
        grid: FrameGrid,
        emotion_layer_mix: bool = False,
        emotion_branch: LocalContext | None = None,
        use: EncoderUse = EncoderUse(),  # noqa: B008 (frozen)
    ) -> None:
        super().__init__()
        self.use = use
        self.frontend = frontend
        self.specaug = specaug
        self.normalize = normalize
        # The layout that two-dimensional convolutions compute in: in the other one half of a training step is copies.
        self.encoder = encoder.to(memory_format=torch.channels_last)
        self.grid = grid
        self.emotion_branch = emotion_branch
        self.emotion_mix: LayerMix | None = None
        if emotion_layer_mix:
            if "return_all_hs" not in inspect.signature(encoder.forward).parameters:
                raise ConfigError(
                    "this encoder does not give the layers that a layer mix needs",
                    where="model_conf.emotion_layer_mix",
                    expected="encoder: conformer, e_branchformer or transformer",
                    got=type(encoder).__name__,
                )
            self.emotion_mix = LayerMix(len(encoder.encoders))

    @property
    def output_size(self) -> int:
        """D."""
        return self.encoder.output_size()

    @property
    def layer_shape(self) -> tuple[int, int]:
        """Number and size of the layers in ``EncoderStates.layers``."""
        return len(LayerOutputs(self.encoder)), self.output_size

    @property
    def acoustic_size(self) -> int:
        """Size of a row of ``EncoderStates.acoustic``."""
        return self.frontend.output_size()

    def features(self, speech: Tensor, speech_lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Features before SpecAugment and normalisation.

        Args:
            speech: (B, N), float32 samples; anything beyond the lengths.
            speech_lengths: (B,), samples.

        Returns:
            (B, frames, bins) features and (B,) frame counts.
        """
        return self.frontend(trim_speech(speech, speech_lengths), speech_lengths)

    def forward(self, speech: Tensor, speech_lengths: Tensor) -> EncoderStates:
        """Encode; arguments as in :meth:`features`."""
        with torch.autocast(speech.device.type, enabled=False):
            feats, lengths = self.features(speech, speech_lengths)
            if self.specaug is not None and self.training:
                feats, lengths = self.specaug(feats, lengths)
            if self.normalize is not None:
                feats, lengths = self.normalize(feats, lengths)
        feats_lengths, stacked = lengths, None
        with long_enough():
            if self.use.layers:
                layers, lengths = LayerOutputs(self.encoder)(feats, lengths)
                h, stacked = layers[-1], torch.stack(layers, dim=1)
            elif self.emotion_mix is not None:
                (h, layers), lengths, _ = self.encoder(feats, lengths, return_all_hs=True)
            else:
                h, lengths, _ = self.encoder(feats, lengths)
        h_emo = h if self.emotion_mix is None else self.emotion_mix(layers)
        h_local = None if self.emotion_branch is None else self.emotion_branch(feats, feats_lengths, h_emo, lengths)
        acoustic = None
        if self.use.acoustic:
            rate = self.grid.samples_per_frame // self.frontend.hop_length
            acoustic = AcousticStates(feats, feats_lengths, rate)
        return EncoderStates(h=h, h_emo=h_emo, lengths=lengths, h_local=h_local, layers=stacked, acoustic=acoustic)
