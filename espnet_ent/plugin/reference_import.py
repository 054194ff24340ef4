"""Checkpoints of the public ENT code, turned into experiment directories of ours.

Source: Shen et al., "Emotion neural transducer for fine-grained speech emotion recognition", 2024, and the names and
shapes of its public code. Two differences from what that code computes remain, neither of them in a parameter:

- A frame that has emitted ``max_symbols_per_frame`` labels: the public code reads its emotion before the last of them,
  we read it after. The labels are the same.
- Probabilities in the lattice loss: the public code clamps them at 1e-8, gradients included, and our model does not.

Letters of sizes: V vocabulary with blank, E emotions, K half the encoder's output, S hidden states of the SSL model,
M label embedding, H hidden and P output size of a prediction network, J size of the joint networks, F of the emotion
joint network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from espnet_ent.data.atomic import atomic_directory
from espnet_ent.data.datadir import read_lines
from espnet_ent.data.tokens import SPACE, TokenList
from espnet_ent.data.words import WORD_START
from espnet_ent.errors import CheckpointError, ConfigError
from espnet_ent.labels import FOUR_EMOTIONS, EmotionInventory
from espnet_ent.plugin.builder import build_model
from espnet_ent.plugin.checkpoint_files import check_fit, is_model_state, read_checkpoint, write_checkpoint
from espnet_ent.plugin.reference_encoder import ReferenceEncoder
from espnet_ent.plugin.reference_tensors import Entry, Sizes, check_tensors, convert, size_of

TYPES = ("ent", "fent")
CHECKPOINT = "valid.loss.ave.pth"
CONFIG = "config.yaml"
ACCOUNT = "imported_tensors.txt"

REFERENCE_TOKENS = TokenList(("<blank>", "<unk>", SPACE, *"ETAONIHSRDLUMWCFGYPBVK'XJQZ", "<sos/eos>"))
"""The characters of the public code, in its order."""

_TRANSDUCERS = {"ent": "transducer", "fent": "factorized_transducer"}
_PREDICTORS = {
    "ent": {"predictor": "transducer.prediction"},
    "fent": {
        "predictor_blank": "transducer.blank_prediction",
        "predictor_vocab": "transducer.vocabulary_prediction",
    },
}
_JOINTS = {
    "ent": {"joint": ("transducer.joint", "V")},
    "fent": {
        "joint_blank": ("transducer.blank_joint", "1"),
        "joint_vocab": ("transducer.vocabulary_joint", "V-1"),
    },
}
_EMOTION_JOINT = "joint_emotion"
_EMOTION_HEAD = "head_emotion"
_LM_HEAD = "head_lm"

_PREDICTOR = {
    "embed.weight": ("embedding.weight", "V M"),
    "rnn.weight_ih_l0": ("recurrent.weight_ih_l0", "4H M"),
    "rnn.weight_hh_l0": ("recurrent.weight_hh_l0", "4H H"),
    "rnn.bias_ih_l0": ("recurrent.bias_ih_l0", "4H"),
    "rnn.bias_hh_l0": ("recurrent.bias_hh_l0", "4H"),
    "projection.weight": ("output.weight", "P H"),
    "projection.bias": ("output.bias", "P"),
}
_HEAD = {
    "norm.weight": ("norm.weight", "2K+P"),
    "norm.bias": ("norm.bias", "2K+P"),
    "head.weight": ("output.weight", "E 2K+P"),
    "head.bias": ("output.bias", "E"),
}
_DROPOUT = 0.1  # of the public code's prediction networks
_WEIGHT = 0.5  # of each of its losses


@dataclass(frozen=True)
class ReferenceOptions:
    """What a state dict alone does not tell.

    Attributes:
        kind: ``ent`` or ``fent``.
        ssl: Directory or hub id of the SSL model; None: the published one that its names point to.
        emotion_list: File with the emotions, in the order of the classes; None: hap ang sad neu.
        token_list: File with the tokens, one a line, an index behind each or not; None: the public code's characters.
    """

    kind: str
    ssl: str | None = None
    emotion_list: str | Path | None = None
    token_list: str | Path | None = None


@dataclass(frozen=True)
class ImportedReference:
    """An experiment directory that has been written.

    Attributes:
        directory: Where.
        fates: What has become of each tensor of the file: its name in our model, or why it is not needed.
    """

    directory: Path
    fates: Mapping[str, str]

    @property
    def num_left_out(self) -> int:
        """Tensors that our model does not need."""
        return sum(fate.startswith("not needed") for fate in self.fates.values())


def import_reference(path: str | Path, out: str | Path, options: ReferenceOptions) -> ImportedReference:
    """Turn a state dict of the public ENT code into an experiment directory.

    The directory holds ``config.yaml``, the checkpoint, and a file that tells what has become of each tensor. The model
    has been built from the one and has taken the other before anything is written.

    Args:
        path: What ``torch.save(model.state_dict(), path)`` has written; no code of it is run.
        out: Directory to write; an earlier import there is replaced.
        options: The rest.

    Raises:
        CheckpointError: If the file is damaged, or tensors are missing, unknown or of another shape.
        ConfigError: If an option is wrong or does not fit the file, or the directory holds something else.
        DataError: If the token list is wrong.
        LabelError: If the emotion list is wrong.
    """
    _check_out(Path(out))
    tokens = REFERENCE_TOKENS if options.token_list is None else read_tokens(options.token_list)
    emotions = FOUR_EMOTIONS if options.emotion_list is None else EmotionInventory.read(options.emotion_list)
    state = _read_state(path)
    _check_kind(state, options.kind, path)
    _check_number(state, list(_PREDICTORS[options.kind]), "embed.weight", len(tokens), "--token_list", path)
    _check_number(state, [_EMOTION_JOINT], "ffn_out.weight", len(emotions), "--emotion_list", path)
    _check_number(state, [_EMOTION_HEAD], "head.weight", len(emotions), "--emotion_list", path)
    encoder = ReferenceEncoder.of(state)
    entries = encoder.entries(options.kind == "fent" and _has_emotions(state)) + _entries(state, options.kind)
    known = {"V": len(tokens), "E": len(emotions)}
    sizes = check_tensors(state, entries, encoder.ssl.values(), known, path)
    own = convert(state, entries) | _missing_projections(state, options.kind, sizes)
    config = {
        "token_type": "bpe" if any(token.startswith(WORD_START) for token in tokens.tokens) else "char",
        "token_list": list(tokens.tokens),
        "emotion_list": emotions.to_lines(),
        **_config(state, options, encoder, sizes),
    }
    model = build_model(config)
    expected = model.state_dict()
    ssl, fates = encoder.ssl_tensors(state, model.encoder, expected, path)
    check_fit(expected, own | ssl, path)
    config["encoder_conf"]["stored"] = encoder.stored(model.encoder)
    imported = ImportedReference(Path(out), {entry.source: entry.fate for entry in entries} | fates)
    _write(imported, config, own | ssl)
    return imported


def read_tokens(path: str | Path) -> TokenList:
    """A token list: one token a line, as ours, or a token and its index, as the public code's.

    A list of characters in which ``▁`` stands for the space gets our name for it.

    Raises:
        DataError: If the file is missing or is not a token list.
    """
    lines = read_lines(path)
    fields = [line.rsplit(maxsplit=1) for line in lines]
    if all(len(field) == 2 and field[1] == str(number) for number, field in enumerate(fields)):
        lines = [field[0] for field in fields]
    if not any(WORD_START in line and line != WORD_START for line in lines):
        lines = [SPACE if line == WORD_START else line for line in lines]
    return TokenList(tuple(lines))


def _read_state(path: str | Path) -> dict[str, Tensor]:
    state = read_checkpoint(path)
    if not is_model_state(state) or not state:
        raise CheckpointError("not a model's parameters", where=path, expected="a state dict of the public ENT code")
    return dict(state)


def _check_kind(state: Mapping[str, Tensor], kind: str, where: object) -> None:
    if kind not in TYPES:
        raise ConfigError("unknown type", where="--type", expected=" or ".join(TYPES), got=repr(kind))
    for other in TYPES:
        if other != kind and all(_has(state, name) for name in _PREDICTORS[other]):
            raise ConfigError(
                "the checkpoint is of the other type",
                where=where,
                got=" ".join(_PREDICTORS[other]),
                next_step=f"--type {other}",
            )


def _check_number(
    state: Mapping[str, Tensor], modules: list[str], tensor: str, expected: int, option: str, where: object
) -> None:
    """Refuse a list that is not of the model, before its length makes other shapes look wrong."""
    for module in modules:
        value = state.get(f"{module}.{tensor}")
        if value is not None and value.dim() == 2 and value.size(0) != expected:
            raise ConfigError(
                f"{module} and the list differ in number",
                where=where,
                expected=f"{expected} (of the list)",
                got=value.size(0),
                next_step=f"name the list that it was trained with: {option} FILE",
            )


def _has(state: Mapping[str, Tensor], module: str) -> bool:
    return any(name.startswith(f"{module}.") for name in state)


def _has_emotions(state: Mapping[str, Tensor]) -> bool:
    return _has(state, _EMOTION_JOINT) or _has(state, _EMOTION_HEAD)


def _entries(state: Mapping[str, Tensor], kind: str) -> list[Entry]:
    """All that must be there, the encoder left out."""
    found = []
    for module, own in _PREDICTORS[kind].items():
        found += [Entry(f"{module}.{name}", (shape,), f"{own}.{to}") for name, (to, shape) in _PREDICTOR.items()]
    for module, (own, outputs) in _JOINTS[kind].items():
        found += _joint_entries(state, module, own, outputs, "J")
    if _has(state, _EMOTION_JOINT):
        found += _joint_entries(state, _EMOTION_JOINT, "emotion_joint", "E", "F")
    if _has(state, _EMOTION_HEAD):
        found += [
            Entry(f"{_EMOTION_HEAD}.{name}", (shape,), f"utterance_head.{to}") for name, (to, shape) in _HEAD.items()
        ]
    if _has(state, _LM_HEAD):
        reason = "predicts labels in training alone"
        found += [
            Entry(f"{_LM_HEAD}.head.{name}", (shape,), None, reason=reason)
            for name, shape in (("weight", "V P"), ("bias", "V"))
        ]
    return found


def _joint_entries(state: Mapping[str, Tensor], module: str, own: str, outputs: str, size: str) -> list[Entry]:
    """Tensors of a joint network, whose two first layers may be absent: see :func:`_missing_projections`."""
    has_encoder, has_prediction = _projections(state, module)
    shapes = [f"{outputs} {size}"]
    found = []
    if has_encoder:
        found.append(Entry(f"{module}.enc_ffn.weight", (f"{size} 2K",), f"{own}.encoder_projection.weight"))
        found.append(Entry(f"{module}.enc_ffn.bias", (size,), f"{own}.encoder_projection.bias"))
    if has_prediction:
        found.append(Entry(f"{module}.pred_ffn.weight", (f"{size} P",), f"{own}.prediction_projection.weight"))
        # One bias is enough: the two projections are added.
        found.append(Entry(f"{module}.pred_ffn.bias", (size,), f"{own}.encoder_projection.bias"))
    if not has_encoder and not has_prediction and _is_concatenation(state, module):
        shapes.append(f"{outputs} 2K+P")
    else:
        shapes += [f"{outputs} 2K"] * (not has_encoder) + [f"{outputs} P"] * (not has_prediction)
    found.append(Entry(f"{module}.ffn_out.weight", tuple(shapes), f"{own}.output.weight"))
    found.append(Entry(f"{module}.ffn_out.bias", (outputs,), f"{own}.output.bias"))
    if _has(state, f"{module}.post_ffn"):
        reason = "the public code makes this layer and never calls it"
        found.append(Entry(f"{module}.post_ffn.weight", (f"{size} {size}",), None, reason=reason))
        found.append(Entry(f"{module}.post_ffn.bias", (size,), None, reason=reason))
    return found


def _projections(state: Mapping[str, Tensor], module: str) -> tuple[bool, bool]:
    return _has(state, f"{module}.enc_ffn"), _has(state, f"{module}.pred_ffn")


def _is_concatenation(state: Mapping[str, Tensor], module: str) -> bool:
    """Whether a joint network without first layers puts h and g side by side, rather than adding them."""
    weights = [state.get(f"{module}.ffn_out.weight"), state.get("encoder.rnn.weight_hh_l0")]
    columns = [weight.size(1) for weight in weights if weight is not None and weight.dim() == 2]
    return len(columns) == 2 and columns[0] > 2 * columns[1]


def _missing_projections(state: Mapping[str, Tensor], kind: str, sizes: Sizes) -> dict[str, Tensor]:
    """Our joint networks always have their two first layers: where the public code has none, they pass values on."""
    joints = {module: (own, "J") for module, (own, _) in _JOINTS[kind].items()}
    if _has(state, _EMOTION_JOINT):
        joints[_EMOTION_JOINT] = ("emotion_joint", "F")
    found = {}
    for module, (own, letter) in joints.items():
        has_encoder, has_prediction = _projections(state, module)
        encoder_size, prediction_size, size = size_of("2K", sizes), sizes["P"], sizes[letter]
        if not has_encoder:
            found[f"{own}.encoder_projection.weight"] = torch.eye(size, encoder_size)
            if not has_prediction:
                found[f"{own}.encoder_projection.bias"] = torch.zeros(size)
        if not has_prediction:
            weight = torch.zeros(size, prediction_size)
            weight[size - prediction_size :] = torch.eye(prediction_size)  # the last rows, or all
            found[f"{own}.prediction_projection.weight"] = weight
    return found


def _config(
    state: Mapping[str, Tensor], options: ReferenceOptions, encoder: ReferenceEncoder, sizes: Sizes
) -> dict[str, Any]:
    """The configuration, without the lists."""
    has_joint, has_head = _has(state, _EMOTION_JOINT), _has(state, _EMOTION_HEAD)
    return {
        "fs": 16000,
        "normalize": None,
        **encoder.config(options.ssl, sizes),
        "transducer": _TRANSDUCERS[options.kind],
        "transducer_conf": {
            "embedding_size": sizes["M"],
            "hidden_size": sizes["H"],
            "prediction_size": sizes["P"],
            "joint_size": sizes["J"],
            "dropout": _DROPOUT,
        },
        "emotion_joint": "joint",
        "emotion_joint_conf": {"joint_size": sizes["F"]} if has_joint else {},
        "utterance_head": "pooling",
        "model_conf": {
            "emotion_layer_mix": encoder.has_emotion_mix,
            "transducer_weight": _WEIGHT,
            "lattice_weight": _WEIGHT if has_joint else 0.0,
            "utterance_weight": _WEIGHT if has_head else 0.0,
            "lattice_pooling": "node",
            "neutral_term": "reference",
        },
    }


def _check_out(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise ConfigError("not a directory", where=out)
    others = sorted({path.name for path in out.iterdir()} - {CONFIG, CHECKPOINT, ACCOUNT}) if out.is_dir() else []
    if others:
        raise ConfigError(
            "the directory holds something else", where=out, got=others[0], next_step="name another one with --out"
        )


def _write(imported: ImportedReference, config: Mapping[str, Any], state: Mapping[str, Tensor]) -> None:
    lines = "".join(f"{source}\t{fate}\n" for source, fate in imported.fates.items())
    try:
        with atomic_directory(imported.directory) as directory:
            write_checkpoint(directory / CHECKPOINT, dict(state))
            text = yaml.safe_dump(dict(config), allow_unicode=True, sort_keys=False)
            (directory / CONFIG).write_text(text, encoding="utf-8")
            (directory / ACCOUNT).write_text(lines, encoding="utf-8")
    except OSError as error:
        raise ConfigError("can't write the directory", where=imported.directory, got=error.strerror) from error
