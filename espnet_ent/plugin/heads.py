"""The emotion branches from their options, and what they need of the encoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from espnet_ent.data.tokens import UNKNOWN, TokenList
from espnet_ent.emotion.coattention import CoattentionHead, CoattentionOptions, StreamSizes
from espnet_ent.emotion.cta_rnn import CTARNNHead, CTARNNOptions
from espnet_ent.encoders.ssl import SSLEncoder
from espnet_ent.errors import ConfigError
from espnet_ent.plugin.asr_encoder import ASREncoder
from espnet_ent.plugin.encoders import FeatureEncoder
from espnet_ent.plugin.loss_config import LossConfig
from espnet_ent.transducer.states import EncoderUse

Make = Callable[..., Any]
"""Makes a component of a configuration, as ``make(config, component, **given)``."""


def encoder_use(config: Mapping[str, Any], losses: LossConfig, has_transducer: bool, make: Make) -> EncoderUse:
    """What a model needs of its encoder.

    Raises:
        ConfigError: On wrong options of the utterance head.
    """
    needs_states = has_transducer or losses.lattice_weight > 0 or losses.ctc_weight > 0
    if losses.utterance_weight <= 0:
        return EncoderUse(states=True)
    options = _options(config, make)
    if options is None:
        return EncoderUse(states=True)
    of_head = options.use
    return EncoderUse(needs_states or of_head.states, of_head.layers, of_head.acoustic)


def build_head(
    config: Mapping[str, Any],
    encoder: FeatureEncoder | ASREncoder | SSLEncoder,
    tokens: TokenList,
    sizes: Mapping[str, int],
    make: Make,
) -> nn.Module | None:
    """The utterance head; None if it is left out.

    Args:
        config: The configuration.
        encoder: What it stands on.
        tokens: The vocabulary.
        sizes: ``encoder_size``, ``prediction_size``, ``num_emotions``.
        make: Makes a component of ``config``.

    Raises:
        ConfigError: On wrong options.
    """
    options = _options(config, make)
    if isinstance(options, CTARNNOptions):
        return CTARNNHead(options, encoder.layer_shape, sizes["num_emotions"])
    if isinstance(options, CoattentionOptions):
        of_streams = StreamSizes(
            encoder=sizes["encoder_size"],
            acoustic=encoder.acoustic_size,
            prediction=sizes["prediction_size"],
            vocabulary=len(tokens),
            unknown=tokens.tokens.index(UNKNOWN),
        )
        return CoattentionHead(options, of_streams, sizes["num_emotions"])
    return make(config, "utterance_head", **sizes)


def check_transducer(losses: LossConfig, has_transducer: bool) -> None:
    """Refuse losses that need a transducer where there is none.

    Raises:
        ConfigError: Naming the loss.
    """
    if has_transducer:
        return
    for name in ("transducer_weight", "lm_weight"):
        if getattr(losses, name) > 0:
            raise ConfigError(
                "transducer is left out, but its loss has a weight",
                where=f"model_conf.{name}",
                expected="0, or transducer: transducer",
                got=getattr(losses, name),
            )


def _options(config: Mapping[str, Any], make: Make) -> CTARNNOptions | CoattentionOptions | None:
    """Options of a head that has them in a class of their own."""
    if config.get("utterance_head") in ("cta_rnn", "coattention"):
        return make(config, "utterance_head")
    return None
