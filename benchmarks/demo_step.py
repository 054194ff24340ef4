"""A whole training step of ``make demo``, where its time goes, and what it was with dense joint networks."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import yaml
from torch import Tensor

from benchmarks.dense import Batch, dense_losses
from espnet_ent.encoders.layer_states import LayerStates
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


def dense_step(model: ESPnetENTModel, batch: Mapping[str, Tensor]) -> Tensor:
    """The model's loss with all joint networks spread out, as published."""
    cached = LayerStates.from_batch(batch)
    if cached is None:
        enc = model.encoder(batch["speech"], batch["speech_lengths"])
    else:
        enc = model.encoder.from_layers(cached)
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


def _encoder_step(model: ESPnetENTModel, batch: Mapping[str, Tensor]) -> Tensor:
    """Features and encoder alone."""
    enc = model.encoder(batch["speech"], batch["speech_lengths"])
    return enc.h.sum() + enc.h_emo.sum()


def _subsampling_step(model: ESPnetENTModel, batch: Mapping[str, Tensor]) -> Tensor:
    """Features and the encoder's two convolutions alone."""
    features, _ = model.encoder.features(batch["speech"], batch["speech_lengths"])
    return model.encoder.encoder.embed.conv(features.unsqueeze(1)).sum()


# Each contains the one before: what a part costs is the difference.
_STEPS: dict[str, Callable[[ESPnetENTModel, Mapping[str, Tensor]], Tensor]] = {
    "features and convolutions": _subsampling_step,
    "encoder blocks": _encoder_step,
    "prediction network, utterance head": _front_step,
    "joint networks and losses": lambda model, batch: model(**batch)[0],
}


def _seconds_of_parts(
    steps: Mapping[str, Callable[[ESPnetENTModel, Mapping[str, Tensor]], Tensor]],
    model: ESPnetENTModel,
    num_runs: int,
) -> dict[str, float]:
    """Median seconds of the parts of a training step, forward, backward and update."""
    batch = _batch()
    optimizer = torch.optim.AdamW(model.parameters())
    seconds: dict[str, list[float]] = {name: [] for name in (*steps, "clipping and update")}
    for _ in range(num_runs + 2):
        for name, step in steps.items():
            optimizer.zero_grad()
            start = time.perf_counter()
            step(model, batch).backward()
            seconds[name].append(time.perf_counter() - start)
        start = time.perf_counter()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        seconds["clipping and update"].append(time.perf_counter() - start)
    found, before = {}, [0.0] * (num_runs + 2)
    for name, values in seconds.items():
        parts = values if name == "clipping and update" else [a - b for a, b in zip(values, before, strict=True)]
        found[name] = statistics.median(parts[2:])
        before = values
    return found


def demo_table(num_runs: int) -> Table:
    """Milliseconds and shares of the parts of a step: as it was with stock parts, and as it is."""
    rows = []
    for name in ("ent", "fent"):
        model = _model(name).train()
        after = _seconds_of_parts(_STEPS, model, num_runs)
        for parameter in model.encoder.encoder.parameters():
            # torch's default layout; .contiguous() would leave strides of dimensions of size 1 as they are
            parameter.data = torch.empty(parameter.shape).copy_(parameter.data)
        before = _seconds_of_parts({**_STEPS, "joint networks and losses": dense_step}, model, num_runs)
        for part in (*after, "all"):
            old, new = (sum(of.values()) if part == "all" else of[part] for of in (before, after))
            shares = (
                f"{1000 * value:.0f} ({100 * value / sum(of.values()):.0f} %)"
                for value, of in ((old, before), (new, after))
            )
            rows.append((name.upper(), part, *shares, f"{100 * new / old:.0f} %"))
    return Table(("system", "part", "before, ms", "after, ms", "after / before"), tuple(rows))
