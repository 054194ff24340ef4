"""Tiny pretrained models with random weights, saved as the real ones are: the families of ``encoder: ssl``."""

from __future__ import annotations

import json
from pathlib import Path

import torch

_WAVEFORM = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "conv_dim": (8,) * 7,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
}
_STABLE = {"feat_extract_norm": "layer", "do_stable_layer_norm": True}
_PREPROCESSOR = {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "feature_size": 1, "sampling_rate": 16000}

FAMILIES = {
    "wav2vec2-base": ("wav2vec2", {}, {"do_normalize": True, "return_attention_mask": False}),
    "wav2vec2-large": ("wav2vec2", _STABLE, {"do_normalize": True, "return_attention_mask": True}),
    "hubert-base": ("hubert", {}, {"do_normalize": True, "return_attention_mask": False}),
    "hubert-large": ("hubert", _STABLE, {"do_normalize": True, "return_attention_mask": True}),
    "wavlm-base": ("wavlm", {}, {"do_normalize": False, "return_attention_mask": True}),
    "wavlm-large": ("wavlm", _STABLE, {"do_normalize": True, "return_attention_mask": True}),
    "data2vec-audio-base": (
        "data2vec-audio",
        {"conv_pos_kernel_size": 3, "num_conv_pos_embeddings": 2},
        {"do_normalize": True, "return_attention_mask": True},
    ),
    "whisper": ("whisper", None, None),
}
"""Name -> model_type, changes of its configuration, preprocessor; the flags are those of the published checkpoints."""
EXACT = ("wav2vec2-large", "hubert-large", "wavlm-large", "whisper")
"""Families whose states do not depend on what else is in the batch."""
_WHISPER = {
    "d_model": 16,
    "encoder_layers": 2,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 16,
    "decoder_ffn_dim": 16,
    "vocab_size": 20,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
}


def save_tiny(directory: Path, family: str, seed: int = 0, preprocessor: bool = True, **changes: object) -> Path:
    """Write a directory of ``save_pretrained`` with a model of ``family``; the seed gives its weights."""
    from transformers import AutoConfig, AutoModel, WhisperFeatureExtractor
    from transformers.utils import logging

    logging.disable_progress_bar()
    model_type, own, flags = FAMILIES[family]
    torch_state = torch.get_rng_state()
    torch.manual_seed(seed)
    values = _WHISPER if model_type == "whisper" else {**_WAVEFORM, **own}
    model = AutoModel.from_config(AutoConfig.for_model(model_type, **{**values, **changes}))
    torch.set_rng_state(torch_state)
    model.save_pretrained(directory)
    if model_type == "whisper" and preprocessor:
        WhisperFeatureExtractor().save_pretrained(directory)
    elif preprocessor:
        (directory / "preprocessor_config.json").write_text(json.dumps({**_PREPROCESSOR, **flags}))
    return directory
