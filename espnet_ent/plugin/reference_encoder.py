"""The encoder of the public ENT code in our model: layer mixes, BiLSTM, and the SSL model below them.

All that the import knows of ``encoder: ssl`` stands here: its options, the names of its parameters, the module of
transformers that it holds (``source.model``), and what it stores of that (``description``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from espnet_ent.encoders.frozen_source import DIGEST
from espnet_ent.errors import CheckpointError
from espnet_ent.plugin.checkpoint_files import name_some
from espnet_ent.plugin.reference_tensors import Entry, Sizes

_RNN = "encoder.rnn."
_PRETRAIN = "encoder.speech_pretrain_model.pretrain."
_MIXES = {
    "encoder.speech_pretrain_model.weight_audio.": "encoder.mix.",
    "encoder.speech_pretrain_model.weight_emotion.": "encoder.emotion_mix.",
}
_EMOTION_MIX = "encoder.speech_pretrain_model.weight_emotion."
_LAYER_WEIGHT = "scalar_parameters."
_OWN_RNN = "encoder.top.rnn."
_OWN_SSL = "encoder.ssl.model."
_OWN_DIGEST = f"encoder.held.{DIGEST}"
"""Stands in a checkpoint for a frozen SSL model that is not in it."""
_RAW_INPUT = {"do_normalize": False, "return_attention_mask": False}
"""The public code gives samples to the SSL model as they are, whatever its feature extractor would do."""

# Weight normalisation, before and since transformers went with torch.nn.utils.parametrizations.
_RENAMED = {
    ".weight_g": ".parametrizations.weight.original0",
    ".weight_v": ".parametrizations.weight.original1",
}
_MASK = "masked_spec_embed"
"""Stands in for masked frames while an SSL model is trained; no recording is encoded with it."""

_WAVLM_ALONE = "gru_rel_pos"
_BASE_MODELS = {True: "microsoft/wavlm-base", False: "facebook/wav2vec2-base"}


@dataclass(frozen=True)
class ReferenceEncoder:
    """What a state dict tells of its encoder.

    Attributes:
        is_finetuned: There is no layer mix: the last hidden state of an SSL model that was trained, too.
        has_emotion_mix: There is a second layer mix.
        num_layers: Hidden states that are mixed.
        ssl: Tensors of the SSL model, their name in the file by that in transformers.
        default_model: The published SSL model, of those that the public code knows, whose parameters have such names;
            wav2vec2 and HuBERT, which compute the same, have the same.
    """

    is_finetuned: bool
    has_emotion_mix: bool
    num_layers: int
    ssl: Mapping[str, str]
    default_model: str

    @classmethod
    def of(cls, state: Mapping[str, Tensor]) -> ReferenceEncoder:
        """Look at a state dict."""
        mixes = [prefix for prefix in _MIXES if any(name.startswith(prefix) for name in state)]
        ssl = {_own_name(name): name for name in state if name.startswith(_PRETRAIN)}
        return cls(
            is_finetuned=not mixes,
            has_emotion_mix=_EMOTION_MIX in mixes,
            num_layers=sum(name.startswith(f"{next(iter(_MIXES))}{_LAYER_WEIGHT}") for name in state),
            ssl=ssl,
            default_model=_BASE_MODELS[any(_WAVLM_ALONE in name for name in ssl)],
        )

    def entries(self, needs_emotion_mix: bool) -> list[Entry]:
        """Tensors that must be there, those of the SSL model left out.

        Args:
            needs_emotion_mix: The public code gives such a model a second mix, unless it is fine-tuned.
        """
        found = []
        for direction in ("", "_reverse"):
            shapes = {"weight_ih": "4K S", "weight_hh": "4K K", "bias_ih": "4K", "bias_hh": "4K"}
            for name, shape in shapes.items():
                tensor = f"{name}_l0{direction}"
                found.append(Entry(_RNN + tensor, (shape,), _OWN_RNN + tensor))
        for prefix, own in _MIXES.items():
            if self.is_finetuned or (prefix == _EMOTION_MIX and not needs_emotion_mix):
                continue
            found.append(Entry(f"{prefix}gamma", ("1",), f"{own}scale"))
            for index in range(max(self.num_layers, 1)):
                found.append(Entry(f"{prefix}{_LAYER_WEIGHT}{index}", ("1",), f"{own}weights", index))
        return found

    def config(self, model: str | None, sizes: Sizes) -> dict[str, Any]:
        """Options of our encoder; a directory is named in full."""
        model = model or self.default_model
        return {
            "encoder": "ssl",
            "encoder_conf": {
                "model": str(Path(model).resolve()) if Path(model).is_dir() else model,
                "frozen": not self.is_finetuned,
                "layers": "last" if self.is_finetuned else "mix",
                "top": "bilstm",
                "top_conf": {"hidden_size": sizes["K"]},
                "share_emotion_rnn": True,
            },
        }

    @staticmethod
    def stored(encoder: nn.Module) -> dict[str, Any]:
        """What our encoder tells of its SSL model, with samples going into it as they are."""
        found = encoder.description.to_config()
        return {**found, "features": {**found["features"], **_RAW_INPUT}}

    def ssl_tensors(
        self, state: Mapping[str, Tensor], encoder: nn.Module, expected: Mapping[str, Tensor], where: object
    ) -> tuple[dict[str, Tensor], dict[str, str]]:
        """Tensors of the SSL model by our names, and what becomes of each tensor of the file.

        Where our checkpoints hold a digest in place of the SSL model, the one that our encoder has loaded must be the
        file's.

        Args:
            state: The file's tensors.
            encoder: Our encoder, with its SSL model.
            expected: What a checkpoint of our model holds.
            where: The file.

        Raises:
            CheckpointError: If names, shapes or, where they are not stored, values differ.
        """
        own, is_stored = encoder.source.model.state_dict(), _OWN_DIGEST not in expected
        shared = sorted((own.keys() & self.ssl.keys()) - {_MASK})
        differing = {key for key in shared if not _is_same(own[key], state[self.ssl[key]], not is_stored)}
        wrong = sorted(((own.keys() ^ self.ssl.keys()) - {_MASK}) | differing)
        if wrong:
            raise CheckpointError(
                "the SSL model of the checkpoint is another",
                where=where,
                got=f"{len(wrong)} of {len(own.keys() | self.ssl.keys())} tensors differ: {name_some(wrong)}",
                next_step="name the one that it was trained with: --ssl DIR_OR_ID",
            )
        if not is_stored:
            fates = {self.ssl[key]: "not needed: frozen, the same in --ssl" for key in shared}
            return {_OWN_DIGEST: expected[_OWN_DIGEST]}, fates | self._mask_not_needed()
        if _MASK not in own:
            fates = {self.ssl[key]: _OWN_SSL + key for key in shared} | self._mask_not_needed()
        else:
            fates = {name: _OWN_SSL + key for key, name in self.ssl.items()}
        tensors = {_OWN_SSL + key: state[self.ssl[key]].float() if key in self.ssl else own[key] for key in own}
        return tensors, fates

    def _mask_not_needed(self) -> dict[str, str]:
        return {self.ssl[_MASK]: "not needed: for masking in training alone"} if _MASK in self.ssl else {}


def _is_same(own: Tensor, other: Tensor, with_values: bool) -> bool:
    return own.shape == other.shape and (not with_values or torch.equal(own.float(), other.float()))


def _own_name(name: str) -> str:
    name = name.removeprefix(_PRETRAIN)
    for old, new in _RENAMED.items():
        if name.endswith(old):
            return name.removesuffix(old) + new
    return name
