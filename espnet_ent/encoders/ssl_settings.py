"""Settings of a pretrained speech model, looked at before anything is made of them: others may have written them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from espnet_ent.errors import ConfigError

FAMILIES = ("wav2vec2", "hubert", "wavlm", "data2vec-audio", "whisper")
"""Values of ``model_type`` in a checkpoint's config.json."""
_LARGEST = 1 << 16
_CONVOLUTIONS = ("conv_dim", "conv_kernel", "conv_stride")
_WAVEFORM_SIZES = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
_WHISPER_SIZES = (
    *("d_model", "encoder_layers", "encoder_attention_heads", "encoder_ffn_dim"),
    *("num_mel_bins", "max_source_positions"),
)
_FEATURE_SIZES = ("feature_size", "hop_length", "chunk_length", "n_fft")
_FEATURE_CHOICES = ("do_normalize", "return_attention_mask")
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


def check_settings(model: Mapping[str, Any], features: Mapping[str, Any], places: tuple[str, str]) -> None:
    """Check what is read from a config.json and a preprocessor_config.json by this package; the rest is transformers'.

    Args:
        model: Content of the first.
        features: Content of the second.
        places: What stands before their keys in errors.

    Raises:
        ConfigError: Naming the key that is missing or has a wrong value.
    """
    of_model, of_features = places
    family = model.get("model_type")
    if family not in FAMILIES:
        raise ConfigError(
            "not a speech model that is known", where=f"{of_model}model_type", expected=FAMILIES, got=family
        )
    for key in _WHISPER_SIZES if family == "whisper" else _WAVEFORM_SIZES:
        _check_size(model.get(key), of_model + key)
    if family != "whisper":
        for key in _CONVOLUTIONS:
            sizes = model.get(key)
            if not isinstance(sizes, (list, tuple)) or not sizes or len(sizes) != len(model["conv_dim"]):
                expected = "a list of sizes" if key == "conv_dim" else "a list as long as conv_dim"
                raise ConfigError("wrong value", where=of_model + key, expected=expected, got=repr(sizes))
            for size in sizes:
                _check_size(size, of_model + key)
    if "sampling_rate" in features:
        _check_size(features["sampling_rate"], f"{of_features}sampling_rate", 1_000_000)
    for key in features.keys() & set(_FEATURE_SIZES):
        _check_size(features[key], of_features + key)
    for key in features.keys() & set(_FEATURE_CHOICES):
        if not isinstance(features[key], bool):
            raise ConfigError("wrong value", where=of_features + key, expected="true or false", got=repr(features[key]))


def check_digest(digest: object, where: str) -> None:
    """Check the digest of weights.

    Raises:
        ConfigError: If it is neither None nor a SHA-256 in hexadecimal digits.
    """
    if digest is not None and not (isinstance(digest, str) and _DIGEST.fullmatch(digest)):
        raise ConfigError("not a SHA-256", where=where, expected="64 hexadecimal digits", got=repr(digest)[:80])


def _check_size(value: object, where: str, largest: int = _LARGEST) -> None:
    if type(value) is not int or not 1 <= value <= largest:
        raise ConfigError(
            "missing" if value is None else "wrong value",
            where=where,
            expected=f"a whole number from 1 to {largest}",
            got=None if value is None else repr(value)[:80],
        )
