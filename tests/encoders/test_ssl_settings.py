"""Settings that somebody else wrote: each key that is read is checked by name."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from espnet_ent.encoders.ssl_checkpoint import SSLDescription, describe
from espnet_ent.encoders.ssl_settings import check_digest
from espnet_ent.errors import ConfigError
from tests.encoders.tiny_ssl import save_tiny

_READ = {
    "wavlm-base": ("hidden_size", "num_hidden_layers", "conv_dim", "conv_kernel", "conv_stride", "model_type"),
    "whisper": ("d_model", "encoder_layers", "num_mel_bins", "max_source_positions", "model_type"),
}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("models")
    return {family: describe(str(save_tiny(folder / family, family))).to_config() for family in _READ}


def _message(stored: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as raised:
        SSLDescription.from_config("model", stored)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(("family", "key"), [(family, key) for family, keys in _READ.items() for key in keys])
def test_a_key_that_is_missing_or_wrong_is_named(stored: dict[str, Any], family: str, key: str) -> None:
    SSLDescription.from_config("model", stored[family])
    for value in (None, "5,2,2", -1, 0, 1.5, True, 10**9, [], ["a"] * 7, [10**9] * 7, {"a": 1}):
        changed = copy.deepcopy(stored[family])
        changed["model"][key] = value
        assert _message(changed).startswith(f"encoder_conf.stored.model.{key}: ")
    changed = copy.deepcopy(stored[family])
    changed["model"][key] = [1]
    assert _message(changed).startswith(f"encoder_conf.stored.model.{'conv_kernel' if key == 'conv_dim' else key}: ")
    changed = copy.deepcopy(stored[family])
    del changed["model"][key]
    assert _message(changed).startswith(f"encoder_conf.stored.model.{key}: ")


@pytest.mark.parametrize("key", ["sampling_rate", "hop_length", "n_fft", "do_normalize", "return_attention_mask"])
def test_features_are_named_too(stored: dict[str, Any], key: str) -> None:
    for value in ("x", -1, [1], None):
        changed = copy.deepcopy(stored["whisper"])
        changed["features"][key] = value
        assert _message(changed).startswith(f"encoder_conf.stored.features.{key}: ")


def test_what_is_not_stored_settings_at_all() -> None:
    for given in (5, "text", [1], {}, {1: 2}, {"model": {}}):
        assert _message(given).startswith("encoder_conf.stored: not as training writes it")


@pytest.mark.parametrize("digest", ["", "0" * 63, "0" * 65, "g" * 64, "F" * 64, "0" * 64 + "\n", 5, b"0" * 64])
def test_a_digest_is_of_64_digits(digest: object) -> None:
    check_digest("0f" * 32, "key")
    check_digest(None, "key")
    with pytest.raises(ConfigError, match=r"^key: not a SHA-256"):
        check_digest(digest, "key")


def test_a_directory_s_own_settings_are_checked_by_their_file(tmp_path: Path) -> None:
    directory = save_tiny(tmp_path, "wavlm-base")
    (directory / "preprocessor_config.json").write_text('{"sampling_rate": "16k"}')
    with pytest.raises(ConfigError, match=r"preprocessor_config\.json: sampling_rate: wrong value; .* got '16k'"):
        describe(str(directory))
