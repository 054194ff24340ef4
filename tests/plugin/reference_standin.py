"""A small encoder with the interface of ``encoder: ssl``, and state dicts as the public ENT code writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from espnet_ent.encoders.frozen_source import FrozenSource
from espnet_ent.encoders.layer_mix import LayerMix
from espnet_ent.frames import FrameGrid
from espnet_ent.plugin import builder
from espnet_ent.transducer.states import EncoderStates

STRIDE = 320
NUM_LAYERS, SSL_SIZE, RNN_SIZE = 3, 6, 4
EMBEDDING, HIDDEN, PREDICTION, JOINT = 5, 7, 9, 10
_PRETRAIN = "encoder.speech_pretrain_model.pretrain."


class TinySsl(nn.Module):
    """Hidden states with parameters named as those of wav2vec2, weight normalisation and the mask's vector included."""

    def __init__(self) -> None:
        super().__init__()
        self.masked_spec_embed = nn.Parameter(torch.rand(SSL_SIZE))
        self.feature_extractor = nn.ModuleDict({"conv": nn.Conv1d(1, SSL_SIZE, STRIDE, STRIDE)})
        self.encoder = nn.ModuleDict(
            {
                "pos_conv_embed": nn.ModuleDict({"conv": weight_norm(nn.Conv1d(SSL_SIZE, SSL_SIZE, 1), dim=2)}),
                "layers": nn.ModuleList(nn.Linear(SSL_SIZE, SSL_SIZE) for _ in range(NUM_LAYERS - 1)),
            }
        )

    def hidden_states(self, speech: Tensor) -> list[Tensor]:
        """Hidden states, each (B, T, S), of samples (B, N)."""
        features = self.feature_extractor["conv"](speech.unsqueeze(1))
        layers = [self.encoder["pos_conv_embed"]["conv"](features).transpose(1, 2)]
        for layer in self.encoder["layers"]:
            layers.append(layer(layers[-1]).tanh())
        return layers


class _Description:
    """What a checkpoint stores of an SSL model."""

    def to_config(self) -> dict[str, Any]:
        features = {"do_normalize": True, "return_attention_mask": True, "sampling_rate": 16000}
        return {"model": {"model_type": "wav2vec2"}, "features": features, "weights_sha256": "00"}


class _Source(nn.Module):
    """The SSL model with its input side."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model


class _Top(nn.Module):
    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.rnn = nn.LSTM(SSL_SIZE, hidden_size, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.rnn(packed)[0], batch_first=True)[0]


class SslStandIn(nn.Module):
    """As ``encoder: ssl`` with a BiLSTM; checkpoints hold a digest in place of a frozen SSL model."""

    def __init__(self, conf: Mapping[str, Any], emotion_layer_mix: bool, ssl: nn.Module) -> None:
        super().__init__()
        assert (conf["top"], conf["share_emotion_rnn"]) == ("bilstm", True)
        self.normalizes = conf.get("stored", _Description().to_config())["features"]["do_normalize"]
        self.description = _Description()
        self.grid = FrameGrid(16000, STRIDE)
        self.output_size = 2 * conf["top_conf"]["hidden_size"]
        self.mix = {"mix": LayerMix(NUM_LAYERS), "last": None}[conf["layers"]]
        self.emotion_mix = LayerMix(NUM_LAYERS) if emotion_layer_mix else None
        self.top = _Top(conf["top_conf"]["hidden_size"])
        if conf["frozen"]:
            self.held = FrozenSource(_Source(ssl), torch.zeros(32, dtype=torch.uint8))
        else:
            self.ssl = _Source(ssl)

    @property
    def source(self) -> _Source:
        return self.held.module if hasattr(self, "held") else self.ssl

    def forward(self, speech: Tensor, speech_lengths: Tensor) -> EncoderStates:
        layers = self.source.model.hidden_states(speech / speech.std() if self.normalizes else speech)
        lengths = speech_lengths // STRIDE
        h = self.top(layers[-1] if self.mix is None else self.mix(layers), lengths)
        h_emo = h if self.emotion_mix is None else self.top(self.emotion_mix(layers), lengths)
        return EncoderStates(h, h_emo, lengths)


def stand_in(monkeypatch: pytest.MonkeyPatch, ssl: nn.Module) -> list[Mapping[str, Any]]:
    """Let the builder know ``encoder: ssl``; returns the options that it will be given."""
    given: list[Mapping[str, Any]] = []

    def build(config: Mapping[str, Any], emotion_layer_mix: bool, *_others: Any) -> SslStandIn:
        assert config["encoder"] == "ssl"
        given.append(config["encoder_conf"])
        return SslStandIn(config["encoder_conf"], emotion_layer_mix, ssl)

    monkeypatch.setattr(builder, "_build_encoder", build)
    return given


def reference_state(
    kind: str,
    ssl: nn.Module,
    *,
    finetuned: bool = False,
    joint: str = "projected",
    num_tokens: int = 31,
    num_emotions: int = 4,
    seed: int = 0,
) -> dict[str, Tensor]:
    """A random state dict with the names and the shapes of the public code.

    Args:
        kind: ``ent`` or ``fent``.
        ssl: The SSL model that it holds.
        finetuned: Without layer mixes.
        joint: ``projected``, or without first layers ``added`` or ``concatenated``.
        num_tokens: V.
        num_emotions: E.
        seed: Of the weights.
    """
    generator = torch.Generator().manual_seed(seed)
    shapes = _encoder_shapes(kind, finetuned)
    prediction = 2 * RNN_SIZE if joint == "added" else PREDICTION
    outputs = {"ent": {"": num_tokens}, "fent": {"_blank": 1, "_vocab": num_tokens - 1}}[kind]
    for suffix, size in outputs.items():
        name = f"predictor{suffix}"
        shapes[f"{name}.embed.weight"] = (num_tokens, EMBEDDING)
        shapes |= _lstm_shapes(f"{name}.rnn", EMBEDDING, HIDDEN, "")
        shapes |= _linear_shapes(f"{name}.projection", HIDDEN, prediction)
        shapes |= _joint_shapes(f"joint{suffix}", joint, prediction, size)
    shapes |= _joint_shapes("joint_emotion", joint, prediction, num_emotions)
    shapes |= _linear_shapes("head_emotion.head", 2 * RNN_SIZE + prediction, num_emotions)
    shapes |= {f"head_emotion.norm.{name}": (2 * RNN_SIZE + prediction,) for name in ("weight", "bias")}
    state = {_PRETRAIN + _old_name(name): value.detach().clone() for name, value in ssl.state_dict().items()}
    return state | {name: 0.6 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def _old_name(name: str) -> str:
    """As weight normalisation was named when the public code was written."""
    return name.replace("parametrizations.weight.original0", "weight_g").replace(
        "parametrizations.weight.original1", "weight_v"
    )


def _encoder_shapes(kind: str, finetuned: bool) -> dict[str, tuple[int, ...]]:
    shapes = {}
    for direction in ("", "_reverse"):
        shapes |= _lstm_shapes("encoder.rnn", SSL_SIZE, RNN_SIZE, direction)
    mixes = [] if finetuned else ["audio", "emotion"] if kind == "fent" else ["audio"]
    for mix in mixes:
        name = f"encoder.speech_pretrain_model.weight_{mix}"
        shapes[f"{name}.gamma"] = (1,)
        shapes |= {f"{name}.scalar_parameters.{index}": (1,) for index in range(NUM_LAYERS)}
    return shapes


def _lstm_shapes(name: str, inputs: int, hidden: int, direction: str) -> dict[str, tuple[int, ...]]:
    sizes = {"weight_ih": (4 * hidden, inputs), "weight_hh": (4 * hidden, hidden), "bias_ih": (4 * hidden,)}
    sizes["bias_hh"] = (4 * hidden,)
    return {f"{name}.{kind}_l0{direction}": size for kind, size in sizes.items()}


def _linear_shapes(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _joint_shapes(name: str, joint: str, prediction: int, outputs: int) -> dict[str, tuple[int, ...]]:
    encoder = 2 * RNN_SIZE
    if joint == "projected":
        first = _linear_shapes(f"{name}.enc_ffn", encoder, JOINT) | _linear_shapes(
            f"{name}.pred_ffn", prediction, JOINT
        )
        return first | _linear_shapes(f"{name}.ffn_out", JOINT, outputs)
    return _linear_shapes(f"{name}.ffn_out", encoder if joint == "added" else encoder + prediction, outputs)
