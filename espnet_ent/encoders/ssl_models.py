"""Layers of pretrained speech models, with exact lengths; one class for each way of feeding them.

Dimensions: B batch, N samples, T frames, L layers, D size, F local features.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from espnet_ent.encoders.layer_states import LayerStates
from espnet_ent.encoders.ssl_checkpoint import SSLDescription
from espnet_ent.errors import ConfigError, LossInputError
from espnet_ent.transducer.masks import padding_mask

_VARIANCE_FLOOR = 1e-7  # of transformers' feature extractors
_BLOCK = re.compile(r"(?:^|\.)layers\.(\d+)\.")
_ENCODER_NORM = re.compile(r"(?:^|\.)encoder\.layer_norm\.")


class SSLModel(Protocol):
    """A pretrained model with its input side.

    Its layers are the input of the first block, then the output of each; of the last, what the model calls its last
    hidden state. There are whole numbers of local features for a frame.

    Attributes:
        num_layers: L, one more than there are blocks.
        hidden_size: D.
        local_size: F.
        local_subsampling: Local features for one frame.
        ends_in_norm: The encoder's own normalisation comes after the blocks, not before.
    """

    num_layers: int
    hidden_size: int
    local_size: int
    local_subsampling: int
    ends_in_norm: bool

    def forward(self, speech: Tensor, lengths: Tensor) -> LayerStates:
        """States of speech (B, N) with valid samples (B,)."""

    def freeze_features(self) -> None:
        """Let fine-tuning leave the layers below the blocks that see samples."""


def samples_per_frame(description: SSLDescription) -> int:
    """Product of the strides."""
    if description.family == "whisper":
        return 2 * int(description.features.get("hop_length", 160))
    return math.prod(description.model["conv_stride"])


def make_ssl_model(model: nn.Module, description: SSLDescription, sample_rate: int) -> SSLModel:
    """Put the input side around a model of transformers.

    Raises:
        ConfigError: If it was trained at another sample rate.
    """
    trained_at = int(description.features.get("sampling_rate", 16000))
    if trained_at != sample_rate:
        raise ConfigError(
            "the pretrained model has another sample rate", where="fs", expected=trained_at, got=sample_rate
        )
    if description.family == "whisper":
        return WhisperLayers(model, description)
    return WaveformLayers(model, description)


def conv_lengths(lengths: Tensor, kernels: Sequence[int], strides: Sequence[int]) -> Tensor:
    """Frames that unpadded convolutions leave of ``lengths``; 0 where the input is shorter than a kernel."""
    for kernel, stride in zip(kernels, strides, strict=True):
        lengths = (lengths - kernel).div(stride, rounding_mode="floor") + 1
        lengths = lengths.clamp(min=0)
    return lengths


def normalize(speech: Tensor, lengths: Tensor) -> Tensor:
    """Zero mean and unit variance over the valid samples (B,) of each utterance of (B, N); padding becomes zero."""
    padding = padding_mask(lengths, speech)
    count = lengths.to(speech).unsqueeze(1).clamp(min=1)
    centred = (speech - speech.masked_fill(padding, 0.0).sum(1, keepdim=True) / count).masked_fill(padding, 0.0)
    variance = centred.square().sum(1, keepdim=True) / count
    return centred * torch.rsqrt(variance + _VARIANCE_FLOOR)


def depth_of(parameter: str, model: SSLModel) -> int:
    """How many blocks lie above a parameter of that name: 0 in and above the last block, all below the first."""
    num_blocks = model.num_layers - 1
    match = _BLOCK.search(parameter)
    if match:
        return num_blocks - 1 - int(match[1])
    return 0 if model.ends_in_norm and _ENCODER_NORM.search(parameter) else num_blocks


class WaveformLayers(nn.Module):
    """wav2vec 2.0, HuBERT, WavLM, data2vec-audio: samples, convolutions without padding, blocks.

    A model whose convolutions normalise over time (``feat_extract_norm: group``, the base models) gives other states in
    a padded batch than alone, and so does data2vec-audio, whose convolutions of positions see each other's padding; see
    :func:`one_by_one`. Layer drop is off: the number of layers must not change.

    Args:
        model: Of transformers.
        description: What it is.
    """

    def __init__(self, model: nn.Module, description: SSLDescription) -> None:
        super().__init__()
        config, features = model.config, description.features
        config.layerdrop = 0.0
        self.model = model
        self.normalizes = bool(features.get("do_normalize", True))
        is_layer_norm = getattr(config, "feat_extract_norm", "layer") == "layer"
        self.has_mask = bool(features.get("return_attention_mask", is_layer_norm))
        self.num_layers = config.num_hidden_layers + 1
        self.hidden_size = config.hidden_size
        self.local_size = config.conv_dim[-1]
        self.local_subsampling = 1
        self.ends_in_norm = bool(getattr(config, "do_stable_layer_norm", False))
        self._masks = bool(getattr(config, "apply_spec_augment", False)) and _masks_anything(model)

    def lengths(self, num_samples: Tensor) -> Tensor:
        """Frames of ``num_samples``."""
        return conv_lengths(num_samples, self.model.config.conv_kernel, self.model.config.conv_stride)

    def freeze_features(self) -> None:
        """Take the convolutions out of fine-tuning."""
        self.model.feature_extractor._freeze_parameters()

    def forward(self, speech: Tensor, lengths: Tensor) -> LayerStates:
        """States of speech (B, N) with valid samples (B,).

        Raises:
            LossInputError: If an utterance has no frame.
        """
        frames = self.lengths(lengths)
        _check_frames(frames, lengths)
        speech = speech[:, : int(lengths.max())]
        padding = padding_mask(lengths, speech)
        with torch.autocast(speech.device.type, enabled=False):
            speech = normalize(speech, lengths) if self.normalizes else speech.masked_fill(padding, 0.0)
        mask = (~padding).long() if self.has_mask and bool(padding.any()) else None
        # A mask of the model's own is longer than the shortest speech, and would be refused.
        self.model.config.apply_spec_augment = self._masks and int(frames.max()) > self.model.config.mask_time_length
        local: list[Tensor] = []
        hook = self.model.feature_extractor.register_forward_hook(lambda _model, _input, output: local.append(output))
        try:
            with warnings.catch_warnings():
                # WavLM gives its attention a mask of truth values and a bias of numbers.
                warnings.filterwarnings("ignore", "Support for mismatched key_padding_mask and attn_mask")
                found = self.model(speech, attention_mask=mask, output_hidden_states=True)
        finally:
            hook.remove()
        # The last block's output is given before the model's last normalisation, where it has one.
        layers = (*found.hidden_states[:-1], found.last_hidden_state)
        return LayerStates(layers, frames, F.layer_norm(local[0].transpose(1, 2), (self.local_size,)), frames)


class WhisperLayers(nn.Module):
    """Whisper's encoder: log-mel features of exactly 30 s at a time.

    Each stretch of 30 s of an utterance is encoded by itself; frames of the silence that fills up the last are cut off.
    There is no attention mask and no masking in training: the model was trained without them.

    Args:
        model: Of transformers; its decoder is dropped.
        description: What it is.
    """

    def __init__(self, model: nn.Module, description: SSLDescription) -> None:
        super().__init__()
        from transformers import WhisperFeatureExtractor

        self.encoder = model.encoder
        self.encoder.layerdrop = 0.0
        known = ("feature_size", "sampling_rate", "hop_length", "chunk_length", "n_fft")
        self.extractor = WhisperFeatureExtractor(**{k: v for k, v in description.features.items() if k in known})
        config = model.config
        if self.extractor.nb_max_frames != 2 * config.max_source_positions:
            raise ConfigError(
                "feature extractor and model do not fit",
                where=description.name,
                expected=f"{2 * config.max_source_positions} feature frames",
                got=self.extractor.nb_max_frames,
            )
        self.num_layers = config.encoder_layers + 1
        self.hidden_size = config.d_model
        self.local_size = config.num_mel_bins
        self.local_subsampling = 2
        self.ends_in_norm = True

    def lengths(self, num_samples: Tensor) -> Tensor:
        """Frames of ``num_samples``."""
        hop = 2 * self.extractor.hop_length
        return (num_samples + hop - 1).div(hop, rounding_mode="floor")

    def freeze_features(self) -> None:
        """Take the convolutions out of fine-tuning."""
        for module in (self.encoder.conv1, self.encoder.conv2, self.encoder.embed_positions):
            module.requires_grad_(False)

    def forward(self, speech: Tensor, lengths: Tensor) -> LayerStates:
        """States of speech (B, N) with valid samples (B,).

        Raises:
            LossInputError: If an utterance has no sample.
        """
        frames = self.lengths(lengths)
        _check_frames(frames, lengths)
        size = self.extractor.n_samples
        windows = [(b, start) for b, length in enumerate(lengths.tolist()) for start in range(0, length, size)]
        pieces = [speech[b, start : min(start + size, int(lengths[b]))].detach().cpu().numpy() for b, start in windows]
        mel = self.extractor(
            pieces, sampling_rate=self.extractor.sampling_rate, return_tensors="pt", device=str(speech.device)
        )
        mel = mel.input_features.to(speech)
        found = self.encoder(mel, output_hidden_states=True)
        kept = self.lengths(torch.tensor([len(piece) for piece in pieces])).tolist()
        owners = [b for b, _ in windows]
        layers = (*found.hidden_states[:-1], found.last_hidden_state)
        return LayerStates(
            layers=[_joined(layer, kept, owners) for layer in layers],
            lengths=frames,
            local=_joined(mel.transpose(1, 2), [2 * number for number in kept], owners),
            local_lengths=2 * frames,
        )


def one_by_one(model: SSLModel, speech: Tensor, lengths: Tensor) -> LayerStates:
    """As ``model(speech, lengths)``, but utterances of unlike length never share a batch: exact for every family."""
    parts: dict[int, LayerStates] = {}
    rows: list[tuple[int, int]] = [(0, 0)] * len(lengths)
    for length in sorted(set(lengths.tolist())):
        members = (lengths == length).nonzero().squeeze(1)
        parts[length] = model(speech[members, :length], lengths[members])
        for row, member in enumerate(members.tolist()):
            rows[member] = (length, row)

    def padded(of: Any) -> Tensor:
        return pad_sequence([of(parts[length])[row] for length, row in rows], batch_first=True)

    return LayerStates(
        layers=[padded(lambda part, index=index: part.layers[index]) for index in range(model.num_layers)],
        lengths=torch.stack([parts[length].lengths[row] for length, row in rows]),
        local=padded(lambda part: part.local),
        local_lengths=torch.stack([parts[length].local_lengths[row] for length, row in rows]),
    )


def _joined(windows: Tensor, kept: Sequence[int], owners: Sequence[int]) -> Tensor:
    """Windows (W, T, D), cut to their valid frames, one after another for each utterance: (B, T', D)."""
    pieces: list[list[Tensor]] = [[] for _ in range(owners[-1] + 1)]
    for window, length, owner in zip(windows, kept, owners, strict=True):
        pieces[owner].append(window[:length])
    return pad_sequence([torch.cat(parts) for parts in pieces], batch_first=True)


def _masks_anything(model: nn.Module) -> bool:
    return hasattr(model, "masked_spec_embed") or getattr(model.config, "mask_feature_prob", 0.0) > 0


def _check_frames(frames: Tensor, lengths: Tensor) -> None:
    if bool((frames < 1).any()):
        raise LossInputError(
            "utterances are too short for the encoder",
            expected="one frame or more",
            got=f"{int(lengths.min())} samples",
            next_step="raise --min_wav_duration and rerun stage 4",
        )
