"""Configurations small enough to build and run in milliseconds."""

from __future__ import annotations

import copy
from typing import Any

import torch

from espnet_ent.labels import FOUR_EMOTIONS

TOKENS = ["<blank>", "<unk>", "<space>", "A", "B", "C", "<sos/eos>"]

_CONFIG: dict[str, Any] = {
    "token_list": TOKENS,
    "emotion_list": FOUR_EMOTIONS.to_lines(),
    "fs": 16000,
    "frontend_conf": {"n_fft": 256, "hop_length": 160, "n_mels": 20},
    "normalize": "utterance_mvn",
    "encoder": "conformer",
    "encoder_conf": {
        "output_size": 16,
        "attention_heads": 2,
        "linear_units": 16,
        "num_blocks": 2,
        "input_layer": "conv2d",
        "rel_pos_type": "latest",
        "cnn_module_kernel": 3,
        "dropout_rate": 0.0,
        "positional_dropout_rate": 0.0,
        "attention_dropout_rate": 0.0,
    },
    "transducer": "transducer",
    "transducer_conf": {"embedding_size": 8, "hidden_size": 8, "prediction_size": 8, "joint_size": 8},
    "emotion_joint_conf": {"joint_size": 8},
    "model_conf": {},
}


def tiny_config(**changes: Any) -> dict[str, Any]:
    """A configuration, with some of its entries replaced (None removes one)."""
    config = copy.deepcopy(_CONFIG)
    config.update(changes)
    return {
        key: value
        for key, value in config.items()
        if value is not None or key in ("normalize", "specaug", "transducer")
    }


def tiny_batch(lengths: tuple[int, ...] = (9600, 6400), seed: int = 0) -> dict[str, Any]:
    """Noise with random labels and emotions, as :func:`espnet_ent.collate.collate` gives it."""
    generator = torch.Generator().manual_seed(seed)
    speech = torch.zeros(len(lengths), max(lengths))
    text = torch.full((len(lengths), 4), -1)
    text_lengths = torch.tensor([4 - i % 3 for i in range(len(lengths))])
    for row, length in enumerate(lengths):
        speech[row, :length] = 0.1 * torch.randn(length, generator=generator)
        text[row, : text_lengths[row]] = torch.randint(2, 6, (int(text_lengths[row]),), generator=generator)
    return {
        "speech": speech,
        "speech_lengths": torch.tensor(lengths),
        "text": text,
        "text_lengths": text_lengths,
        "emotion": torch.randint(0, 4, (len(lengths), 1), generator=generator),
        "utt_id": [f"utt{row}" for row in range(len(lengths))],
    }
