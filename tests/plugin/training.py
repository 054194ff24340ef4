"""A training run in miniature: a model of a few parameters, four batches, ESPnet's own options and reporter."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from espnet2.schedulers.warmup_lr import WarmupLR
from espnet2.torch_utils.device_funcs import force_gatherable
from espnet2.train.abs_espnet_model import AbsESPnetModel
from espnet2.train.distributed_utils import DistributedOption

from espnet_ent.plugin.checkpoints import read_checkpoint
from espnet_ent.plugin.trainer import ENTTrainer, ENTTrainerOptions

_DEFAULTS = {
    "ngpu": 0,
    "resume": True,
    "use_amp": False,
    "train_dtype": "float32",
    "accum_grad": 1,
    "grad_clip": 5.0,
    "grad_clip_type": 2.0,
    "max_epoch": 3,
    "seed": 7,
    "patience": None,
    "keep_nbest_models": [2],
    "nbest_averaging_interval": 0,
    "early_stopping_criterion": ("valid", "loss", "min"),
    "best_model_criterion": [("valid", "loss", "min")],
    "val_scheduler_criterion": ("valid", "loss"),
    "use_tensorboard": False,
    "use_matplotlib": False,
    "unused_parameters": False,
    "gradient_as_bucket_view": True,
    "max_nonfinite_batches": 2,
    "keep_all_epochs": False,
}


def options(output_dir: Path, **changes: object) -> ENTTrainerOptions:
    """Trainer options; what is not named is off."""
    values = {field.name: None if field.default is MISSING else field.default for field in fields(ENTTrainerOptions)}
    values |= {name: False for name in values if name.startswith(("use_", "no_", "create_")) or name == "sharded_ddp"}
    return ENTTrainerOptions(**{**values, **_DEFAULTS, "output_dir": output_dir, **changes})


class TinyModel(AbsESPnetModel):
    """Regression with normalisation (statistics, a count) and dropout (random state), and emotion counts."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(3)
        self.linear = torch.nn.Linear(3, 1)
        self.dropout = torch.nn.Dropout(0.3)
        self.reset_emotion_counts()

    def forward(self, x, y, utt_id=None, **_unused):
        loss = (self.linear(self.dropout(self.norm(x))).squeeze(-1) - y).square().mean()
        if not self.training:
            self.emotion_counts += np.array([[3, 1], [0, 4]])
        return force_gatherable((loss, {"loss": loss.detach(), "acc": 1 / (1 + loss.detach())}, len(x)), x.device)

    def collect_feats(self, **batch):
        return {}

    def reset_emotion_counts(self):
        self.emotion_counts = np.zeros((2, 2), dtype=np.int64)


class Batches:
    """An iterator factory: the same batches every epoch, in an order that depends on the epoch.

    Args:
        num_batches: Batches an epoch.
        faults: (epoch, position) -> ``crash | sigterm | nan | inf | slow``.
        share: Rows of each batch that this process gets.
    """

    def __init__(self, num_batches=4, faults=None, share=slice(None)):
        generator = torch.Generator().manual_seed(0)
        self.batches = [
            (
                [f"utt{number}{letter}" for letter in "abcd"],
                {"x": torch.randn(4, 3, generator=generator), "y": torch.randn(4, generator=generator)},
            )
            for number in range(num_batches)
        ]
        self.faults = faults or {}
        self.share = share

    def build_iter(self, epoch, shuffle=None):
        order = np.random.RandomState(epoch).permutation(len(self.batches))
        for position, index in enumerate(order):
            fault = self.faults.get((epoch, position))
            names, batch = self.batches[index]
            if fault == "crash":
                raise KeyboardInterrupt
            if fault in ("sigterm", "slow"):
                os.kill(os.getpid(), signal.SIGTERM)
            if fault == "slow":
                time.sleep(60)
            if fault == "nan":
                batch = {**batch, "x": torch.full_like(batch["x"], float("nan"))}
            if fault == "inf":
                batch = {**batch, "y": torch.full_like(batch["y"], float("inf"))}
            yield names[self.share], {name: value[self.share] for name, value in batch.items()}


def train(
    output_dir: Path,
    faults: dict | None = None,
    valid_faults: dict | None = None,
    make_scheduler: Callable | None = lambda optimizer: WarmupLR(optimizer, warmup_steps=5),
    prepare: Callable = lambda model: model,
    **changes: object,
) -> TinyModel:
    """Run (or resume) a training and return its model."""
    torch.manual_seed(0)
    model = prepare(TinyModel())
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    output_dir.mkdir(parents=True, exist_ok=True)
    ENTTrainer.run(
        model=model,
        optimizers=[optimizer],
        schedulers=[make_scheduler(optimizer) if make_scheduler else None],
        train_iter_factory=Batches(faults=faults),
        valid_iter_factory=Batches(2, faults=valid_faults),
        plot_attention_iter_factory=None,
        trainer_options=options(output_dir, **changes),
        distributed_option=DistributedOption(),
    )
    return model


def same(one: Any, other: Any) -> bool:
    """Equality to the bit of nested data with tensors."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def statistics(directory: Path, epoch: int, phase: str) -> dict[str, float]:
    """What an epoch reported."""
    return read_checkpoint(directory / "checkpoint.pth")["reporter"]["stats"][epoch][phase]


def resumable(directory: Path) -> dict[str, Any]:
    """The state to resume from, without what was measured by a clock."""
    state = read_checkpoint(directory / "checkpoint.pth")
    for phases in state["reporter"]["stats"].values():
        for values in phases.values():
            for name in [name for name in values if name == "time" or name.endswith("_time")]:
                del values[name]
    return state


def bytes_of(directory: Path) -> dict[str, bytes]:
    """Contents of all files but the state to resume from, which holds times."""
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.name != "checkpoint.pth"}


def assert_same_run(one: Path, other: Path) -> None:
    """Two runs have ended in the same state, files and all."""
    assert bytes_of(one) == bytes_of(other)
    assert same(resumable(one), resumable(other))
