"""Data and options of a training run by the real command, small enough for seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import yaml

from espnet_ent.data.audio import write_pcm16
from espnet_ent.labels import FOUR_EMOTIONS
from tests.plugin.tiny import TOKENS, tiny_config

_TEXTS = ("A B", "AB C", "C", "BA CA")
_FROM_DATA = ("token_list", "emotion_list", "fs", "normalize")


def make_set(directory: Path, num_utterances: int, sample_rate: int = 16000) -> Path:
    """A dumped data directory: noise, texts of three letters, all emotions."""
    generator = np.random.default_rng(num_utterances)
    (directory / "audio").mkdir(parents=True)
    rows = {"wav.scp": [], "text": [], "utt2emo": [], "utt2spk": []}
    for number in range(num_utterances):
        utt_id = f"u{number:02d}"
        path = directory / "audio" / f"{utt_id}.wav"
        samples = 0.1 * generator.standard_normal(4000 + 400 * (number % 5))
        write_pcm16(path, samples, sample_rate, "wav")
        rows["wav.scp"].append(f"{utt_id} {path}")
        rows["text"].append(f"{utt_id} {_TEXTS[number % len(_TEXTS)]}")
        rows["utt2emo"].append(f"{utt_id} {FOUR_EMOTIONS.names[number % 4]}")
        rows["utt2spk"].append(f"{utt_id} {utt_id}")
    for name, lines in rows.items():
        (directory / name).write_text("\n".join(lines) + "\n")
    return directory


def make_data(root: Path) -> Path:
    """``root`` with the sets ``train`` and ``valid``, a token list, an emotion list and a configuration."""
    make_set(root / "train", 8)
    make_set(root / "valid", 4)
    (root / "tokens.txt").write_text("\n".join(TOKENS) + "\n")
    FOUR_EMOTIONS.write(root / "emotion_list")
    config = {key: value for key, value in tiny_config().items() if key not in _FROM_DATA}
    config |= {
        "batch_type": "sorted",
        "batch_size": 3,
        "num_workers": 0,
        "optim": "adam",
        "optim_conf": {"lr": "1e-3"},
        "scheduler": "warmuplr",
        "scheduler_conf": {"warmup_steps": 5},
        "max_epoch": 2,
        "keep_nbest_models": 2,
        "use_tensorboard": False,
    }
    (root / "config.yaml").write_text(yaml.safe_dump(config))
    return root


def options(root: Path, output_dir: Path, *others: str) -> list[str]:
    """Options of the statistics and of the training; ``others`` come last."""
    argv = ["--config", root / "config.yaml", "--output_dir", output_dir]
    argv += ["--token_list", root / "tokens.txt", "--emotion_list", root / "emotion_list"]
    for phase in ("train", "valid"):
        for entry in ("wav.scp,speech,sound", "text,text,text", "utt2emo,emotion,text"):
            argv += [f"--{phase}_data_path_and_name_and_type", root / phase / entry]
    return [str(value) for value in [*argv, *others]]


def statistics_options(root: Path, output_dir: Path) -> list[str]:
    """Options of stage 10."""
    return options(root, output_dir, "--collect_stats", "true")


def training_options(root: Path, stats: Path, output_dir: Path, *others: str) -> list[str]:
    """Options of stage 11."""
    normalize = ["--normalize", "global_mvn", "--normalize_conf", f"stats_file={stats}/train/feats_stats.npz"]
    shapes = []
    for phase in ("train", "valid"):
        for name in ("speech", "text"):
            shapes += [f"--{phase}_shape_file", f"{stats}/{phase}/{name}_shape"]
    return options(root, output_dir, *normalize, *shapes, *others)
