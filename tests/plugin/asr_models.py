"""Tiny speech recognisers made, saved and packed by ESPnet's own classes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from espnet2.asr.espnet_model import ESPnetASRModel
from espnet2.main_funcs.pack_funcs import pack
from espnet2.tasks.asr import ASRTask
from espnet2.utils.yaml_no_alias_safe_dump import yaml_no_alias_safe_dump

CHECKPOINT = "valid.acc.ave.pth"
NUM_MELS = 20
_SHARED = {"output_size": 16, "dropout_rate": 0.1}
_TRANSFORMER = {**_SHARED, "attention_heads": 2, "linear_units": 16, "num_blocks": 3}
_BRANCHES = {**_SHARED, "attention_heads": 2, "num_blocks": 3, "cgmlp_linear_units": 16, "cgmlp_conv_kernel": 3}
_BLOCKS = {"block_size": 8, "hop_size": 3, "look_ahead": 2}

ENCODERS: dict[str, tuple[str, dict[str, Any], int, int]] = {
    "conformer": ("conformer", {**_TRANSFORMER, "cnn_module_kernel": 3, "rel_pos_type": "latest"}, 3, 4),
    "conformer_legacy": ("conformer", {**_TRANSFORMER, "cnn_module_kernel": 3, "input_layer": "conv2d2"}, 3, 2),
    "conformer_interctc": (
        "conformer",
        {**_TRANSFORMER, "cnn_module_kernel": 3, "rel_pos_type": "latest", "interctc_layer_idx": [2]},
        3,
        4,
    ),
    "transformer": ("transformer", _TRANSFORMER, 3, 4),
    "transformer_norm_after": (
        "transformer",
        {**_TRANSFORMER, "normalize_before": False, "input_layer": "conv1d2"},
        3,
        2,
    ),
    "transformer_linear": ("transformer", {**_TRANSFORMER, "input_layer": "linear"}, 3, 1),
    "e_branchformer": ("e_branchformer", {**_BRANCHES, "rel_pos_type": "latest", "layer_drop_rate": 0.5}, 3, 4),
    "branchformer": ("branchformer", {**_BRANCHES, "rel_pos_type": "latest", "input_layer": "conv2d6"}, 3, 6),
    "rnn": ("rnn", {"num_layers": 3, "hidden_size": 8, "output_size": 16, "subsample": [2, 1, 2]}, 3, 4),
    "rnn_plain": ("rnn", {"num_layers": 2, "hidden_size": 8, "output_size": 16, "use_projection": False}, 1, 1),
    "contextual_block_transformer": ("contextual_block_transformer", {**_TRANSFORMER, **_BLOCKS}, 3, 4),
    "contextual_block_conformer": (
        "contextual_block_conformer",
        {**_TRANSFORMER, **_BLOCKS, "cnn_module_kernel": 3},
        3,
        4,
    ),
}
"""Name of a case -> ESPnet's name, options, number of layers, feature frames an encoder frame."""


def make_recogniser(directory: Path, case: str = "conformer", fs: int | str = 16000, **changes: Any) -> ESPnetASRModel:
    """Make a recogniser with random parameters and statistics, saved as ESPnet's training does.

    Args:
        directory: The experiment directory to write.
        case: A key of :data:`ENCODERS`.
        fs: Sample rate, as a recipe writes it.
        changes: Options of ESPnet's ASR task that are set otherwise.
    """
    directory.mkdir(parents=True, exist_ok=True)
    name, conf, _, _ = ENCODERS[case]
    stats = directory / "feats_stats.npz"
    generator = np.random.default_rng(len(case))
    mean = generator.standard_normal(NUM_MELS)
    np.savez(stats, count=10.0, sum=10 * mean, sum_square=10 * (mean**2 + generator.uniform(1, 2, NUM_MELS)))
    args = ASRTask.get_parser().parse_args(["--output_dir", str(directory)])
    options = {
        "token_list": ["<blank>", "<unk>", "A", "B", "<sos/eos>"],
        "frontend_conf": {"fs": fs, "n_fft": 256, "hop_length": 160, "n_mels": NUM_MELS},
        "specaug": "specaug",
        "specaug_conf": {"apply_time_warp": False, "freq_mask_width_range": [3, 6], "time_mask_width_range": [3, 6]},
        "normalize": "global_mvn",
        "normalize_conf": {"stats_file": str(stats)},
        "encoder": name,
        "encoder_conf": {**conf},
        "decoder": "transformer",
        "decoder_conf": {"attention_heads": 2, "linear_units": 8, "num_blocks": 1},
        "model_conf": {"ctc_weight": 0.3},
        **changes,
    }
    for key, value in options.items():
        setattr(args, key, value)
    torch.manual_seed(3)
    model = ASRTask.build_model(args)
    with torch.no_grad():
        for parameter in model.encoder.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))  # norms and biases start at 1 and 0
    (directory / "config.yaml").write_text(yaml_no_alias_safe_dump(vars(args), indent=4, sort_keys=False))
    torch.save(model.state_dict(), directory / "valid.acc.ave_2best.pth")
    (directory / CHECKPOINT).unlink(missing_ok=True)
    (directory / CHECKPOINT).symlink_to("valid.acc.ave_2best.pth")
    return model.eval()


def pack_recogniser(root: Path, experiment: str, archive: str = "asr.zip") -> Path:
    """Pack ``root/experiment`` as ESPnet's packing stage does, from ``root``."""
    before = Path.cwd()
    os.chdir(root)
    try:
        pack(
            files={"asr_model_file": f"{experiment}/{CHECKPOINT}"},
            yaml_files={"asr_train_config": f"{experiment}/config.yaml"},
            option=[f"{experiment}/feats_stats.npz"],
            outpath=archive,
        )
    finally:
        os.chdir(before)
    return root / archive
