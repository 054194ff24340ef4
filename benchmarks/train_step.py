"""Joint networks and losses, forward and backward: time, memory, and the distance to what arithmetic allows.

Everything runs on one thread; the implementations take turns in one process, and ratios are those of paired runs.
Memory is the growth of the peak over one step, in a process of its own. The limit of a case is the time of the matrix
products that nobody can avoid (projections; output layers over valid nodes forwards, and twice over occupied nodes
backwards), plus one tanh over the valid nodes of each joint network, measured in the same process.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.dense import Batch, Case, Heads, dense_losses, make_batch
from espnet_ent.losses.lattice_pooling import lattice_pooling_loss
from espnet_ent.losses.transducer import TransducerLossConfig, transducer_alignments, transducer_loss
from espnet_ent.transducer.products import product
from espnet_ent.transducer.states import JointTerms

_SPREAD = (1.0, 0.78, 0.57, 0.35)
CASES = (
    Case("ENT", 150, 30, 31),
    Case("ENT", 250, 60, 31, lengths=(1.0, 1.0)),
    Case("ENT", 374, 120, 31, lengths=(1.0, 1.0)),
    Case("FENT", 374, 120, 31, lengths=(1.0, 1.0), is_factorized=True),
    Case("FENT, lengths 1 : 0.35", 374, 120, 31, lengths=_SPREAD, is_factorized=True),
    Case("FENT, lengths 1 : 0.35", 374, 120, 31, size=256, lengths=_SPREAD, is_factorized=True),
    Case("FENT", 374, 60, 500, size=256, lengths=(1.0, 1.0), is_factorized=True),
    Case("FENT", 250, 40, 5000, size=256, is_factorized=True),
)
LARGE = (
    Case("FENT, 30 s", 1500, 450, 31, is_factorized=True),
    Case("FENT", 374, 60, 5000, size=256, lengths=(1.0,) * 8, is_factorized=True),
)
_CHUNKS = 8
SPARSE = 1e-6


def _terms(joint: torch.nn.Module, batch: Batch) -> JointTerms:
    return JointTerms(joint.encoder(batch.h), joint.prediction(batch.g), joint.output.weight, joint.output.bias)


def fused_losses(heads: Heads, batch: Batch, occupancy_eps: float) -> tuple[Tensor, Tensor]:
    """The same losses as :func:`benchmarks.dense.dense_losses`, as this package computes them."""
    config = TransducerLossConfig(occupancy_eps=occupancy_eps)
    terms = tuple(_terms(joint, batch) for joint in heads.joints)
    lengths = (batch.num_frames, batch.num_labels)
    transducer = transducer_loss(terms, batch.labels, *lengths, config=config)
    return transducer, lattice_pooling_loss(_terms(heads.emotion, batch), batch.emotions, *lengths, batch.neutral)


IMPLEMENTATIONS: dict[str, Callable[[Heads, Batch], tuple[Tensor, Tensor]]] = {
    "dense": dense_losses,
    "checkpointed": lambda heads, batch: dense_losses(heads, batch, _CHUNKS),
    "fused": lambda heads, batch: fused_losses(heads, batch, 0.0),
    "sparse": lambda heads, batch: fused_losses(heads, batch, SPARSE),
}


def make(case: Case, device: str = "cpu") -> tuple[Heads, Batch]:
    """Joint networks and inputs; the same on every call."""
    torch.manual_seed(0)
    return Heads(case).to(device), make_batch(case, device)


def step(name: str, heads: Heads, batch: Batch) -> tuple[float, tuple[Tensor, ...]]:
    """One forward and backward pass: the loss, and the gradients of all parameters and inputs."""
    loss = sum(IMPLEMENTATIONS[name](heads, batch))
    return float(loss.detach()), torch.autograd.grad(loss, [*heads.parameters(), batch.h, batch.g])


@dataclass(frozen=True)
class Timing:
    """Seconds of each run of each implementation, in order, and those of the limits."""

    seconds: dict[str, list[float]]
    limits: dict[str, float]
    occupied: dict[str, float]

    def median(self, name: str) -> float:
        """Median of an implementation."""
        return statistics.median(self.seconds[name])

    def ratio(self, name: str) -> float:
        """How many times faster than dense: median of paired runs."""
        return statistics.median(a / b for a, b in zip(self.seconds["dense"], self.seconds[name], strict=True))


def measure(case: Case, num_runs: int, device: str = "cpu") -> Timing:
    """Time all implementations, taking turns."""
    heads, batch = make(case, device)
    seconds: dict[str, list[float]] = {name: [] for name in IMPLEMENTATIONS}
    for run in range(num_runs + 1):
        for name in IMPLEMENTATIONS:
            duration = _timed(lambda name=name: step(name, heads, batch), device)
            if run:
                seconds[name].append(duration)
    occupied = {"fused": _occupied(heads, batch, 0.0), "sparse": _occupied(heads, batch, SPARSE)}
    limits = {name: _limit(heads, batch, share, device) for name, share in occupied.items()}
    return Timing(seconds, limits, occupied)


def agreement(case: Case) -> dict[str, float]:
    """Relative differences of ``fused`` and ``sparse`` from ``dense``: of the loss, and the largest of a gradient."""
    heads, batch = make(case)
    loss, gradients = step("dense", heads, batch)
    found = {}
    for name in ("fused", "sparse"):
        other, others = step(name, heads, batch)
        found[f"{name} loss"] = abs(other - loss) / abs(loss)
        pairs = zip(gradients, others, strict=True)
        found[f"{name} gradients"] = max(float((a - b).abs().max() / a.abs().max()) for a, b in pairs)
    return found


def _timed(function: Callable[[], object], device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    function()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def _occupied(heads: Heads, batch: Batch, occupancy_eps: float) -> float:
    """Share of the valid nodes that alignments pass through."""
    with torch.no_grad():
        found = transducer_alignments(
            tuple(_terms(joint, batch) for joint in heads.joints), batch.labels, batch.num_frames, batch.num_labels
        )
    valid = int((batch.num_frames * (batch.num_labels + 1)).sum())
    return int((found.blank + found.label > occupancy_eps).sum()) / valid


@torch.no_grad()
def _limit(heads: Heads, batch: Batch, occupied: float, device: str) -> float:
    """Seconds of the unavoidable matrix products and one tanh a valid node and joint network; best of three."""
    valid = int((batch.num_frames * (batch.num_labels + 1)).sum())
    work = [(joint, True) for joint in heads.joints] + [(heads.emotion, False)]

    def once() -> None:
        for joint, is_sparse in work:
            size, num_outputs = joint.output.in_features, joint.output.out_features
            for layer, states in ((joint.encoder, batch.h), (joint.prediction, batch.g)):
                flat = states.flatten(0, 1)
                out = flat @ layer.weight.t()
                if is_sparse:  # by the states and by the weights
                    _ = (out @ layer.weight, out.t() @ flat)
            width = 1 if num_outputs == 1 else -(-num_outputs // 16) * 16
            rows = 1024
            hidden, weight = torch.randn(rows, size, device=device), torch.randn(width, size, device=device)
            logits, projection = torch.randn(rows, width, device=device), weight.t().contiguous()
            for start in range(0, valid, rows):
                part = min(rows, valid - start)
                product(hidden[:part].tanh_(), weight)
            for start in range(0, int(is_sparse * occupied * valid), rows):
                part = min(rows, int(occupied * valid) - start)
                product(logits[:part], projection)
                product(logits[:part].t(), hidden[:part].t())

    return min(_timed(once, device) for _ in range(3))


def peak_memory(case: Case, name: str) -> float | None:
    """MiB by which one step raises the peak of a fresh process; None if it ran out of memory."""
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "131072", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "benchmarks.train_step", json.dumps(asdict(case)), name]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return float(json.loads(ended.stdout)) if ended.returncode == 0 else None


def _resident(field: str) -> int:
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1])  # KiB


def _main(case: Case, name: str) -> None:
    torch.set_num_threads(1)
    small = Case("warm-up", 4, 2, case.vocab_size, case.size, is_factorized=case.is_factorized)
    step(name, *make(small))  # libraries are loaded and loops are compiled
    heads, batch = make(case)
    before = _resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts from here
    step(name, heads, batch)
    print(json.dumps((_resident("VmHWM") - before) / 1024))


if __name__ == "__main__":
    fields = json.loads(sys.argv[1])
    _main(Case(**{**fields, "lengths": tuple(fields["lengths"])}), sys.argv[2])
