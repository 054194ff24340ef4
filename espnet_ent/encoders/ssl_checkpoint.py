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
from espnet_ent.encoders.ssl_settings import check_digest, check_settings
from espnet_ent.errors import CheckpointError, ConfigError, EntError

WHERE = "encoder_conf.model"
STORED = "encoder_conf.stored"
HUB = "hub:"
"""Before a name that is the hub's, whatever lies here: ``hub:user/name``."""
_PLACES = ("_name_or_path", "transformers_version")  # where a configuration comes from, not what it says
_UNTRAINED = "masked_spec_embed"  # used by masking alone, and not in every checkpoint
_OF_MODEL = ("config.json", "preprocessor_config.json", "*.safetensors", "*.safetensors.index.json", "pytorch_model*")
_LONGEST_REASON = 200


@dataclass(frozen=True)
class SSLDescription:
    """What a model is, without its weights.

    Attributes:
        name: Directory or hub id, after :data:`HUB` where it must not be a directory.
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
        if not isinstance(stored, Mapping) or set(stored) != set(keys):
            got = " ".join(map(str, stored)) if isinstance(stored, Mapping) else repr(stored)
            raise ConfigError(
                "not as training writes it", where=STORED, expected=" ".join(keys), got=got[:_LONGEST_REASON]
            )
        model, features, digest = (stored[key] for key in keys)
        for key, value in (("model", model), ("features", features)):
            if not isinstance(value, Mapping):
                raise ConfigError("not as training writes it", where=f"{STORED}.{key}", expected="a mapping")
        check_settings(model, features, (f"{STORED}.model.", f"{STORED}.features."))
        check_digest(digest, f"{STORED}.weights_sha256")
        found = cls(name, dict(model), dict(features), digest)
        with settings_explained():
            _config_of(found)
        return found


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

        place, options = _place(name, is_local, local_files_only)
        config = AutoConfig.from_pretrained(place, trust_remote_code=False, **options)
    if getattr(config, "add_adapter", False):
        raise ConfigError("adapter layers are not supported", where=f"{WHERE}: {name}", got="add_adapter: true")
    # All of them: what a later version of the library takes for granted may be something else.
    model = {
        key: value for key, value in json.loads(config.to_json_string(use_diff=False)).items() if key not in _PLACES
    }
    features = _read_features(place, config, **options)
    place = f"{WHERE}: {name}: "
    check_settings(model, features, (f"{place}config.json: ", f"{place}preprocessor_config.json: "))
    return SSLDescription(name, model, features)


def _check_name(name: str) -> bool:
    """Whether it is a directory; what can only be a directory must be there."""
    if not isinstance(name, str) or not name:
        raise ConfigError("no pretrained model is named", where=WHERE, expected="a directory or hub id", got=repr(name))
    if name.startswith(HUB):
        return False
    if Path(name).is_dir():
        if not (Path(name) / "config.json").is_file():
            raise ConfigError("not a model directory", where=f"{WHERE}: {name}", expected="config.json and weights")
        return True
    if name.startswith(("/", ".", "~")) or name.count("/") > 1:
        raise ConfigError("model directory is missing", where=f"{WHERE}: {name}")
    return False


def _place(name: str, is_local: bool, local_files_only: bool) -> tuple[str, dict[str, Any]]:
    """Where the library looks for a model, and what else it is told."""
    if is_local:
        return name, {"local_files_only": True}
    repo, _, revision = name.removeprefix(HUB).partition("@")
    options = {"local_files_only": local_files_only, **({"revision": revision} if revision else {})}
    if Path(repo).exists():  # the library would take what lies here for the hub's model
        from huggingface_hub import snapshot_download

        return snapshot_download(repo, allow_patterns=list(_OF_MODEL), **options), {"local_files_only": True}
    return repo, options


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
        place, options = _place(name, is_local, local_files_only)
        model, info = AutoModel.from_pretrained(
            place,
            config=_config_of(description),
            dtype=torch.float32,
            trust_remote_code=False,
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
    with settings_explained():
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
def settings_explained() -> Iterator[None]:
    """Make any failure of the library over stored settings one line."""
    with _quiet():
        try:
            yield
        except EntError:
            raise
        except Exception as error:  # whatever such values lead to
            raise ConfigError("no model can be made of the settings", where=STORED, got=_reason(error)) from error


@contextlib.contextmanager
def _explained(name: str) -> Iterator[None]:
    """Make any failure of the library over a directory or the hub one line."""
    with _quiet():
        try:
            yield
        except Exception as error:  # transformers, its hub client and its file formats raise a dozen types
            is_directory = not name.startswith(HUB) and Path(name).is_dir()
            raise ConfigError(
                "pretrained model can't be read" if is_directory else "pretrained model can't be had from the hub",
                where=f"{WHERE}: {name}",
                got=_reason(error),
                next_step="save it again with save_pretrained"
                if is_directory
                else "name a directory that save_pretrained wrote, or fetch it once where the hub can be reached",
            ) from error


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:_LONGEST_REASON]}"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library from printing progress and remarks."""
    try:
        from transformers.utils import logging
    except ImportError as error:
        raise ConfigError("encoder: ssl needs transformers", got=error, next_step="make env") from error
    verbosity, has_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if has_bars:
            logging.enable_progress_bar()
