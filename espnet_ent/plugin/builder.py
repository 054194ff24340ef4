"""From a configuration to a model: the only place that knows which name stands for which class."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from espnet2.asr.encoder.branchformer_encoder import BranchformerEncoder
from espnet2.asr.encoder.conformer_encoder import ConformerEncoder
from espnet2.asr.encoder.contextual_block_conformer_encoder import ContextualBlockConformerEncoder
from espnet2.asr.encoder.contextual_block_transformer_encoder import ContextualBlockTransformerEncoder
from espnet2.asr.encoder.e_branchformer_encoder import EBranchformerEncoder
from espnet2.asr.encoder.rnn_encoder import RNNEncoder
from espnet2.asr.encoder.transformer_encoder import TransformerEncoder
from espnet2.asr.frontend.default import DefaultFrontend
from espnet2.asr.specaug.specaug import SpecAug
from espnet2.layers.global_mvn import GlobalMVN
from espnet2.layers.utterance_mvn import UtteranceMVN
from espnet2.torch_utils.initialize import initialize
from torch import nn

from espnet_ent.data.tokens import TokenList
from espnet_ent.emotion.coattention import CoattentionOptions
from espnet_ent.emotion.cta_rnn import CTARNNOptions
from espnet_ent.emotion.joint import EmotionJoint
from espnet_ent.emotion.pooling import PoolingHead
from espnet_ent.encoders.local_context import LocalContext, LocalContextOptions
from espnet_ent.encoders.ssl import SSLEncoder, SSLOptions
from espnet_ent.errors import ConfigError
from espnet_ent.frames import FrameGrid
from espnet_ent.labels import EmotionInventory
from espnet_ent.losses.lattice_intervals import check_mixing_nodes
from espnet_ent.losses.lattice_pooling import check_lattice_pooling
from espnet_ent.plugin.asr_encoder import NAME as ASR_ENCODER
from espnet_ent.plugin.asr_encoder import ASREncoder, asr_frame_grid, build_asr_encoder
from espnet_ent.plugin.components import check_keys, chosen, construct, make_component, parameters_of
from espnet_ent.plugin.encoders import FeatureEncoder, subsampling_factor
from espnet_ent.plugin.frontends import FbankPitchFrontend
from espnet_ent.plugin.heads import build_head, check_transducer, encoder_use
from espnet_ent.plugin.loss_config import LossConfig
from espnet_ent.plugin.model import ESPnetENTModel
from espnet_ent.plugin.ssl_builder import TOPS, build_ssl_encoder, ssl_description, ssl_grid
from espnet_ent.transducer.factorized import FactorizedTransducer
from espnet_ent.transducer.standard import Transducer
from espnet_ent.transducer.states import EncoderUse

REGISTRY: dict[str, dict[str, type]] = {
    "frontend": {"default": DefaultFrontend, "fbank_pitch": FbankPitchFrontend},
    "specaug": {"specaug": SpecAug},
    "normalize": {"global_mvn": GlobalMVN, "utterance_mvn": UtteranceMVN},
    "encoder": {
        "conformer": ConformerEncoder,
        "branchformer": BranchformerEncoder,
        "e_branchformer": EBranchformerEncoder,
        "transformer": TransformerEncoder,
        "rnn": RNNEncoder,
        "contextual_block_conformer": ContextualBlockConformerEncoder,
        "contextual_block_transformer": ContextualBlockTransformerEncoder,
        ASR_ENCODER: ASREncoder,
        "ssl": SSLOptions,
    },
    "emotion_branch": {"local_context": LocalContextOptions},
    "transducer": {"transducer": Transducer, "factorized_transducer": FactorizedTransducer},
    "emotion_joint": {"joint": EmotionJoint},
    "utterance_head": {"pooling": PoolingHead, "cta_rnn": CTARNNOptions, "coattention": CoattentionOptions},
}
"""Component -> name -> class. The task makes its command-line choices from it."""

DEFAULTS: dict[str, str | None] = {
    "frontend": "default",
    "specaug": None,
    "normalize": "global_mvn",
    "encoder": "conformer",
    "emotion_branch": None,
    "transducer": "transducer",
    "emotion_joint": "joint",
    "utterance_head": "pooling",
}
"""What a component is when a configuration does not name it; None leaves it out."""

_MODEL_OPTIONS = ("emotion_layer_mix", "extract_feats_in_collect_stats")  # the second is read by ESPnet's task
_BOUNDED = ("emotion_smoothing", "occupancy_eps")  # in [0, 1)
_UNBOUNDED = ("fastemit", "top_share")
_FLASH_ATTENTION = "use_flash_attn"  # ESPnet's default is on and falls back with a warning where it is missing


def build_model(config: Mapping[str, Any], *, weights_follow: bool = False) -> ESPnetENTModel:
    """Build the model that a configuration describes.

    Args:
        config: The arguments of a training run, as in its ``config.yaml``.
        weights_follow: The caller loads a checkpoint afterwards: files that only give initial values (the
            statistics of ``global_mvn``) are not needed.

    Raises:
        ConfigError: On an unknown name or key (naming the nearest known one) or a wrong value.
    """
    tokens = TokenList.from_config(config["token_list"])
    emotions = EmotionInventory.from_config(config["emotion_list"])
    model_conf = dict(config.get("model_conf") or {})
    emotion_layer_mix = bool(model_conf.pop("emotion_layer_mix", False))
    losses = _make_losses(model_conf)
    has_transducer = _chosen(config, "transducer")[0] is not None
    check_transducer(losses, has_transducer)
    use = encoder_use(config, losses, has_transducer, _make)
    encoder = _build_encoder(config, emotion_layer_mix, weights_follow, use)
    transducer = _make(
        config,
        "transducer",
        vocab_size=len(tokens),
        encoder_size=encoder.output_size,
        **_language_model(config, losses),
    )
    branch = {
        "encoder_size": encoder.output_size,
        "prediction_size": transducer.emotion_prediction_size if transducer is not None else 0,
        "num_emotions": len(emotions),
    }
    emotion_joint, utterance_head = None, None
    if losses.lattice_weight > 0:
        emotion_joint = _needed("emotion_joint", _make(config, "emotion_joint", **branch))
        _check_frame_wise(emotion_joint, losses)
    if losses.utterance_weight > 0:
        utterance_head = _needed("utterance_head", build_head(config, encoder, tokens, branch, _make))
    model = ESPnetENTModel(
        encoder=encoder,
        tokens=tokens.tokens,
        emotions=emotions,
        losses=losses,
        transducer=transducer,
        emotion_joint=emotion_joint,
        utterance_head=utterance_head,
    )
    if model.reads_text and not model.tells_words:
        logging.warning(
            "the utterance head reads a text, and nothing here learns to recognise one: decoding gives it none"
        )
    if config.get("init"):
        _check_init(encoder)
        initialize(model, config["init"])
    return model


def _needed(component: str, module: nn.Module | None) -> nn.Module:
    """An emotion branch, whose loss has a weight."""
    if module is None:
        raise ConfigError(
            f"{component} is left out, but its loss has a weight",
            where=component,
            expected=f"one of {' '.join(REGISTRY[component])}, or a weight of 0 in model_conf",
            got="none",
        )
    return module


def _check_frame_wise(joint: EmotionJoint, losses: LossConfig) -> None:
    if joint.is_frame_wise and losses.lattice_pooling == "occupancy":
        raise ConfigError(
            "a frame-wise emotion joint has no nodes to weigh",
            where="model_conf.lattice_pooling",
            expected="mean, or another that is not occupancy",
            got=losses.lattice_pooling,
        )


def frame_grid(config: Mapping[str, Any]) -> FrameGrid:
    """Time grid of the encoder that a configuration describes.

    Raises:
        ConfigError: As :func:`build_model`.
    """
    sample_rate = int(config.get("fs") or 16000)
    name, conf = _chosen(config, "encoder")
    if name == ASR_ENCODER:
        return asr_frame_grid(config, REGISTRY)
    if name == "ssl":
        return ssl_grid(ssl_description(_make(config, "encoder")), sample_rate)
    return FrameGrid(sample_rate, _make(config, "frontend", fs=sample_rate).hop_length * subsampling_factor(name, conf))


def _build_ssl(config: Mapping[str, Any], emotion_layer_mix: bool, weights_follow: bool, use: EncoderUse) -> SSLEncoder:
    """The encoder on samples. Frontend and statistics, which a recipe sets by default, have nothing to do there."""
    for component in ("specaug", "normalize"):
        if config.get(component) not in (None, DEFAULTS[component]):
            raise ConfigError(
                "encoder: ssl works on samples, normalised as its model was trained",
                where=component,
                expected="none",
                got=config[component],
            )
    options = _make(config, "encoder")

    def make_top(input_size: int) -> nn.Module:
        return construct(
            options.top, TOPS[options.top], "encoder_conf.top_conf", options.top_conf, input_size=input_size
        )

    def make_branch(local_size: int, subsampling: int, output_size: int) -> LocalContext | None:
        return _local_context(config, input_size=local_size, output_size=output_size, subsampling=subsampling)

    sample_rate = int(config.get("fs") or 16000)
    return build_ssl_encoder(options, sample_rate, emotion_layer_mix, make_top, make_branch, weights_follow, use)


def _check_init(encoder: nn.Module) -> None:
    if isinstance(encoder, SSLEncoder) and encoder.options.weights_in_checkpoints:
        raise ConfigError("would overwrite the pretrained weights", where="option init", expected="none")


def build_encoder(config: Mapping[str, Any]) -> FeatureEncoder | ASREncoder | SSLEncoder:
    """Build the encoder that a configuration describes, with its pretrained weights, for a feature cache.

    Raises:
        ConfigError: As :func:`build_model`.
    """
    losses = _make_losses(dict(config.get("model_conf") or {}))
    use = encoder_use(config, losses, _chosen(config, "transducer")[0] is not None, _make)
    return _build_encoder(config, emotion_layer_mix=False, weights_follow=False, use=use)


def _build_encoder(
    config: Mapping[str, Any], emotion_layer_mix: bool, weights_follow: bool, use: EncoderUse
) -> FeatureEncoder | ASREncoder | SSLEncoder:
    name, conf = _chosen(config, "encoder")
    if emotion_layer_mix and (use.layers or not use.states):
        raise ConfigError(
            "a head that fuses the layers itself has no use for a second layer mix",
            where="model_conf.emotion_layer_mix",
            expected="false",
        )
    if name == ASR_ENCODER:
        return build_asr_encoder(config, REGISTRY, _make, emotion_layer_mix, weights_follow, use)
    if name == "ssl":
        return _build_ssl(config, emotion_layer_mix, weights_follow, use)
    sample_rate = int(config.get("fs") or 16000)
    frontend = _make(config, "frontend", fs=sample_rate)
    if _FLASH_ATTENTION in parameters_of(REGISTRY["encoder"][name]):
        conf.setdefault(_FLASH_ATTENTION, False)
    encoder = _make({"encoder": name, "encoder_conf": conf}, "encoder", input_size=frontend.output_size())
    return FeatureEncoder(
        frontend=frontend,
        specaug=_make(config, "specaug"),
        normalize=_build_normalize(config, frontend.output_size(), weights_follow),
        encoder=encoder,
        grid=frame_grid(config),
        emotion_layer_mix=emotion_layer_mix,
        emotion_branch=_local_context(
            config,
            input_size=frontend.output_size(),
            output_size=encoder.output_size(),
            subsampling=subsampling_factor(name, conf),
        ),
        use=use,
    )


def _local_context(config: Mapping[str, Any], **sizes: int) -> LocalContext | None:
    options = _make(config, "emotion_branch")
    return None if options is None else LocalContext(**sizes, options=options)


def _build_normalize(config: Mapping[str, Any], num_features: int, weights_follow: bool) -> nn.Module | None:
    name, conf = _chosen(config, "normalize")
    if name != "global_mvn":
        return _make(config, "normalize")
    if not weights_follow:
        if not Path(conf.get("stats_file", "")).is_file():
            raise ConfigError(
                "feature statistics are missing",
                where="normalize_conf.stats_file",
                got=conf.get("stats_file", "nothing"),
                next_step="rerun stage 10 (statistics)",
            )
        return _make(config, "normalize")
    with tempfile.NamedTemporaryFile(suffix=".npz") as file:
        ones = np.ones(num_features, np.float32)
        np.savez(file, count=np.int64(1), sum=ones, sum_square=2 * ones)
        file.flush()
        return _make({"normalize": name, "normalize_conf": {**conf, "stats_file": file.name}}, "normalize")


def _make_losses(conf: dict[str, Any]) -> LossConfig:
    known = [field.name for field in fields(LossConfig)]
    check_keys("model_conf", conf, [*known, *_MODEL_OPTIONS])
    values = {key: value for key, value in conf.items() if key not in _MODEL_OPTIONS}
    for key in values:
        if key.endswith("_weight"):
            values[key] = _number_below(float("inf"), "weight", key, values[key])
        elif key in _BOUNDED:
            values[key] = _number_below(1.0, key.replace("_", " "), key, values[key])
        elif key in _UNBOUNDED:
            values[key] = _number_below(float("inf"), key.replace("_", " "), key, values[key])
    losses = LossConfig(**values)
    check_lattice_pooling(losses.lattice_pooling, losses.neutral_term, top_share=losses.top_share)
    if losses.lattice_pooling == "occupancy" and not losses.transducer_weight and losses.lattice_weight:
        raise ConfigError(
            "lattice_pooling: occupancy needs the alignments of a transducer",
            where="model_conf",
            expected="transducer_weight above 0",
            got=losses.transducer_weight,
        )
    if losses.occupancy_gradient and (losses.lattice_pooling, losses.transducer_backend) != ("occupancy", "fused"):
        raise ConfigError(
            "occupancy_gradient has no occupancy to go through",
            where="model_conf",
            expected="lattice_pooling: occupancy and transducer_backend: fused",
            got=f"{losses.lattice_pooling} and {losses.transducer_backend}",
        )
    check_mixing_nodes(losses.mixing_nodes)
    losses.of_transducer.check()
    return losses


def _number_below(bound: float, what: str, key: str, value: Any) -> float:
    """A number of [0, bound)."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ConfigError(f"{what} is not a number", where=f"model_conf.{key}", got=repr(value)) from None
    if not 0 <= number < bound:
        expected = "0 or more" if bound == float("inf") else f"0 or more, below {bound:g}"
        raise ConfigError(f"{what} is out of range", where=f"model_conf.{key}", expected=expected, got=number)
    return number


def _language_model(config: Mapping[str, Any], losses: LossConfig) -> dict[str, bool]:
    """The factorized transducer's LM head exists only where its loss has a weight."""
    if losses.lm_weight <= 0:
        return {}
    if config.get("transducer") != "factorized_transducer":
        raise ConfigError(
            "a language-model loss needs a vocabulary predictor",
            where="model_conf.lm_weight",
            expected="transducer: factorized_transducer",
            got=config.get("transducer"),
        )
    return {"language_model": True}


def _chosen(config: Mapping[str, Any], component: str) -> tuple[str | None, dict[str, Any]]:
    """The name of a component's class (None: left out) and a copy of its options."""
    return chosen(REGISTRY, config, component, DEFAULTS[component])


def _make(config: Mapping[str, Any], component: str, **given: Any) -> Any:
    """Make a component from its options and what the builder gives it; None if it is left out."""
    return make_component(REGISTRY, config, component, DEFAULTS[component], **given)
