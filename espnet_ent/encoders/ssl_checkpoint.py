"""Pretrained speech models of the transformers library: where they lie, what input they expect, their weights.

Only plain weights and settings are read; code that comes with a checkpoint is never run.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from espnet_ent.encoders.frozen_source import source_digest
from espnet_ent.errors import CheckpointError, ConfigError

FAMILIES = ("wav2vec2", "hubert", "wavlm", "data2vec-audio", "whisper")
"""Values of ``model_type`` in a checkpoint's config.json."""
WHERE = "encoder_conf.model"
_PLACES = ("_name_or_path", "transformers_version")  # where a configuration comes from, not what it says
_UNTRAINED = "masked_spec_embed"  # used by masking alone, and not in every checkpoint
_LONGEST_REASON = 200


@dataclass(frozen=True)
class SSLDescription:
    """What a model is, without its weights.

    Attributes:
        name: Directory or hub id.
        model: Its config.json, as transformers writes it.
        features: Its preprocessor_config.json, or what stands in for it.
        weights_sha256: Digest of the pretrained weights; None until they have been read.
    """

    name: str
    model: dict[str, Any]
    features: dict[str, Any]
    weights_sha256: str | None = None

    @property
    def family(self) -> str:
        """One of :data:`FAMILIES`."""
        return self.model["model_type"]

    def to_config(self) -> dict[str, Any]:
        """Plain data for a config.yaml."""
        return {"model": self.model, "features": self.features, "weights_sha256": self.weights_sha256}

    @classmethod
    def from_config(cls, name: str, stored: Mapping[str, Any]) -> SSLDescription:
        """Back from :meth:`to_config`.

        Raises:
            ConfigError: If it does not hold what it should.
        """
        keys = ("model", "features", "weights_sha256")
        if set(stored) != set(keys):
            raise ConfigError(
                "not as training writes it", where="encoder_conf.stored", expected=" ".join(keys), got=" ".join(stored)
            )
        model, features, digest = (stored[key] for key in keys)
        if not isinstance(model, Mapping) or not isinstance(features, Mapping):
            raise ConfigError("not as training writes it", where="encoder_conf.stored", expected="mappings")
        _check_family(model.get("model_type"), "encoder_conf.stored.model")
        return cls(name, dict(model), dict(features), digest)


def describe(name: str, local_files_only: bool = False) -> SSLDescription:
    """Read the settings of a model.

    Args:
        name: A directory as ``save_pretrained`` writes it, or a hub id (``user/name`` or ``user/name@revision``).
        local_files_only: Do not ask the hub; the environment's ``HF_HUB_OFFLINE=1`` does the same.

    Raises:
        ConfigError: If it can't be read, or is of no known family.
    """
    is_local = _check_name(name)
    with _explained(name):
        from transformers import AutoConfig

        place, options = _place(name, is_local)
        options["local_files_only"] = local_files_only or is_local
        config = AutoConfig.from_pretrained(place, trust_remote_code=False, **options)
    _check_family(config.model_type, f"{WHERE}: {name}")
    if getattr(config, "add_adapter", False):
        raise ConfigError("adapter layers are not supported", where=f"{WHERE}: {name}", got="add_adapter: true")
    # All of them: what a later version of the library takes for granted may be something else.
    model = {
        key: value for key, value in json.loads(config.to_json_string(use_diff=False)).items() if key not in _PLACES
    }
    return SSLDescription(name, model, _read_features(place, config, **options))


def _check_family(family: object, where: str) -> None:
    if family not in FAMILIES:
        raise ConfigError("not a speech model that is known", where=where, expected=FAMILIES, got=family)


def _check_name(name: str) -> bool:
    """Whether it is a directory; what can only be a directory must be there."""
    if not isinstance(name, str) or not name:
        raise ConfigError("no pretrained model is named", where=WHERE, expected="a directory or hub id", got=repr(name))
    if Path(name).is_dir():
        if not (Path(name) / "config.json").is_file():
            raise ConfigError("not a model directory", where=f"{WHERE}: {name}", expected="config.json and weights")
        return True
    if name.startswith(("/", ".", "~")) or name.count("/") > 1:
        raise ConfigError("model directory is missing", where=f"{WHERE}: {name}")
    return False


def _place(name: str, is_local: bool) -> tuple[str, dict[str, Any]]:
    """Where the library looks for a model, and which revision it takes."""
    repo, _, revision = name.partition("@")
    return (repo, {"revision": revision}) if revision and not is_local else (name, {})


def _read_features(name: str, config: Any, **options: Any) -> dict[str, Any]:
    """The preprocessor_config.json; without one, what models of that kind were trained with."""
    from transformers import Wav2Vec2FeatureExtractor

    try:
        found, _ = Wav2Vec2FeatureExtractor.get_feature_extractor_dict(name, **options)
        return json.loads(json.dumps(found))
    except (OSError, ValueError, TypeError):
        if Path(name, "preprocessor_config.json").is_file():
            raise ConfigError("is not JSON", where=Path(name, "preprocessor_config.json")) from None
        if config.model_type == "whisper":
            return {"feature_size": config.num_mel_bins, "sampling_rate": 16000}
        is_layer_norm = getattr(config, "feat_extract_norm", "layer") == "layer"
        return {"sampling_rate": 16000, "do_normalize": is_layer_norm, "return_attention_mask": is_layer_norm}


def load_pretrained(description: SSLDescription, local_files_only: bool = False) -> tuple[nn.Module, SSLDescription]:
    """The pretrained model in evaluation mode, in float32, and its description with the digest of its weights.

    Raises:
        ConfigError: If the weights can't be read or lack a part.
        CheckpointError: If the description has a digest, and the weights have another.
    """
    name = description.name
    is_local = _check_name(name)
    with _explained(name):
        from transformers import AutoModel

        # The type of the numbers is that of the file unless it is given.
        place, options = _place(name, is_local)
        model, info = AutoModel.from_pretrained(
            place,
            config=_config_of(description),
            dtype=torch.float32,
            trust_remote_code=False,
            local_files_only=local_files_only or is_local,
            output_loading_info=True,
            **options,
        )
    missing = sorted(key for key in info["missing_keys"] if key != _UNTRAINED)
    if missing:
        raise ConfigError(
            "weights are missing, and would be random", where=f"{WHERE}: {name}", got=" ".join(missing[:5])
        )
    found = weights_sha256(model)
    if description.weights_sha256 not in (None, found):
        raise CheckpointError(
            "the pretrained weights are not those of the training",
            where=f"{WHERE}: {name}",
            expected=f"sha256 {description.weights_sha256[:16]}",
            got=found[:16],
            next_step="put back the weights that the experiment was trained with",
        )
    return model.eval(), SSLDescription(name, description.model, description.features, found)


def build_untrained(description: SSLDescription) -> nn.Module:
    """A model of that kind with random weights: those of a checkpoint follow.

    Raises:
        ConfigError: If the description is not one of a model.
    """
    with _explained(description.name):
        from transformers import AutoModel

        return AutoModel.from_config(_config_of(description), dtype=torch.float32, trust_remote_code=False).eval()


def weights_sha256(model: nn.Module) -> str:
    """Digest of all weights by name, whatever file format they came in."""
    trained = {name: value for name, value in model.state_dict().items() if name != _UNTRAINED}
    return bytes(source_digest(trained, {}).tolist()).hex()


def digest_of(description: SSLDescription) -> Tensor:
    """The digest that a description holds, as (32,) uint8."""
    return torch.tensor(list(bytes.fromhex(description.weights_sha256)), dtype=torch.uint8)


def _config_of(description: SSLDescription) -> Any:
    from transformers import AutoConfig

    return AutoConfig.for_model(**description.model)


@contextlib.contextmanager
def _explained(name: str) -> Iterator[None]:
    """Make any failure of the library one line, and keep it from printing progress and remarks."""
    try:
        from transformers.utils import logging
    except ImportError as error:
        raise ConfigError("encoder: ssl needs transformers", got=error, next_step="make env") from error
    verbosity, has_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    except Exception as error:  # transformers, its hub client and its file formats raise a dozen types
        reason = " ".join(str(error).split())[:_LONGEST_REASON]
        is_directory = Path(name).is_dir()
        raise ConfigError(
            "pretrained model can't be read" if is_directory else "pretrained model can't be had from the hub",
            where=f"{WHERE}: {name}",
            got=f"{type(error).__name__}: {reason}",
            next_step="save it again with save_pretrained"
            if is_directory
            else "name a directory that save_pretrained wrote, or fetch it once where the hub can be reached",
        ) from error
    finally:
        logging.set_verbosity(verbosity)
        if has_bars:
            logging.enable_progress_bar()
