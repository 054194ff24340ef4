"""A whole training step of ``make demo``, where its time goes, and what it was with dense joint networks."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import yaml
from torch import Tensor

from benchmarks.dense import Batch, dense_losses
from espnet_ent.plugin.builder import build_model
from espnet_ent.plugin.model import ESPnetENTModel
from espnet_ent.report.document import Table

_CONF = Path(__file__).parents[1] / "conf"
_SAMPLE_RATE = 16000
_SECONDS = torch.linspace(2.2, 3.6, 12)  # a batch of the mini corpus: sorted by length
_LABELS_A_SECOND = 14
_TOKENS = ["<blank>", "<unk>", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ", "<space>", "<sos/eos>"]
_EMOTIONS = ["hap emotion", "ang emotion", "sad emotion", "neu neutral"]


def _batch() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    samples = (_SECONDS * _SAMPLE_RATE).long()
    labels = (_SECONDS * _LABELS_A_SECOND).long()
    return {
        "speech": 0.1 * torch.randn(len(samples), int(samples.max()), generator=generator),
        "speech_lengths": samples,
        "text": torch.randint(1, len(_TOKENS), (len(labels), int(labels.max())), generator=generator),
        "text_lengths": labels,
        "emotion": torch.randint(0, len(_EMOTIONS), (len(labels), 1), generator=generator),
    }


def _model(name: str) -> ESPnetENTModel:
    torch.manual_seed(0)
    config: dict[str, Any] = yaml.safe_load((_CONF / f"train_{name}_mini.yaml").read_text())
    return build_model({**config, "token_list": _TOKENS, "emotion_list": _EMOTIONS, "normalize": "utterance_mvn"})


def _dense_step(model: ESPnetENTModel, batch: Mapping[str, Tensor]) -> Tensor:
    """The model's loss with all joint networks spread out, as published."""
    enc = model.encoder(batch["speech"], batch["speech_lengths"])
    states = model.transducer.predict(batch["text"], batch["text_lengths"])
    h, g = model.transducer.emotion_inputs(enc, states)
    utterance = model.utterance_head(h, enc.lengths, g, batch["text_lengths"] + 1)
    emotions = batch["emotion"].flatten()
    spread = [terms.logits() for terms in model.transducer.joint_terms(enc, states)]
    emotion = model.emotion_joint.terms(h, g).logits()
    heads = SimpleNamespace(joints=[lambda *_, k=k: spread[k] for k in range(len(spread))], emotion=lambda *_: emotion)
    inputs = Batch(h, g, batch["text"], enc.lengths, batch["text_lengths"], emotions, model.emotions.neutral_index)
    transducer, pooled = dense_losses(heads, inputs)
    weights = model.losses
    entropy = torch.nn.functional.cross_entropy(utterance, emotions)
    return weights.transducer_weight * transducer + weights.lattice_weight * pooled + weights.utterance_weight * entropy


def _front_step(model: ESPnetENTModel, batch: Mapping[str, Tensor]) -> Tensor:
    """Features, encoder, prediction network and utterance head alone."""
    enc = model.encoder(batch["speech"], batch["speech_lengths"])
    states = model.transducer.predict(batch["text"], batch["text_lengths"])
    h, g = model.transducer.emotion_inputs(enc, states)
    utterance = model.utterance_head(h, enc.lengths, g, batch["text_lengths"] + 1)
    rest = (h.sum() + g.sum() + enc.h.sum() + states.g.sum()) * 1e-6
    return torch.nn.functional.cross_entropy(utterance, batch["emotion"].flatten()) + rest


def demo_table(num_runs: int) -> Table:
    """Seconds of a step, and the share of joint networks and losses in it."""
    rows = []
    for name in ("ent", "fent"):
        model, batch = _model(name), _batch()
        model.train()
        steps = {
            "dense": lambda: _dense_step(model, batch),  # noqa: B023 (called before the next turn)
            "fused": lambda: model(**batch)[0],  # noqa: B023
            "without joints": lambda: _front_step(model, batch),  # noqa: B023
        }
        seconds: dict[str, list[float]] = {key: [] for key in steps}
        for _ in range(num_runs + 2):
            for key, step in steps.items():
                start = time.perf_counter()
                step().backward()
                seconds[key].append(time.perf_counter() - start)
                model.zero_grad()
        median = {key: statistics.median(values[2:]) for key, values in seconds.items()}
        joints = {key: median[key] - median["without joints"] for key in ("dense", "fused")}
        rows.append(
            (
                name.upper(),
                *(f"{1000 * median[key]:.0f}" for key in ("dense", "fused")),
                f"{median['dense'] / median['fused']:.2f}x",
                *(f"{1000 * joints[key]:.0f} ({100 * joints[key] / median[key]:.0f} %)" for key in joints),
                f"{100 * joints['fused'] / joints['dense']:.0f} %",
            )
        )
    header = ("system", "dense ms", "fused ms", "ratio", "joints + losses, dense", "fused", "fused / dense")
    return Table(header, tuple(rows))
