"""The plain implementation in stock PyTorch: every joint network spread out over the lattice.

It does what the published ENT code does: B x T x (U + 1) x D activations for each joint network, torchaudio's
transducer loss on all logits, and a Python loop over the utterances for the emotion lattice. It is the yardstick of all
benchmarks and a numerical oracle, and is not to be made faster. ``checkpointed`` is the same in chunks of frames that
the backward pass computes again: the memory that ten lines of stock PyTorch save.

Dimensions: B batch, T encoder frames, U labels, D state and joint size, V vocabulary with blank = 0, E emotions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torchaudio
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


@dataclass(frozen=True)
class Case:
    """Sizes of a batch; utterances have ``lengths[b]`` times the frames and labels of the longest."""

    name: str
    num_frames: int
    num_labels: int
    vocab_size: int
    size: int = 768
    lengths: tuple[float, ...] = (1.0,)
    is_factorized: bool = False
    num_emotions: int = 4


class Joint(nn.Module):
    """linear(h) + linear(g) -> tanh -> linear."""

    def __init__(self, size: int, num_outputs: int) -> None:
        super().__init__()
        self.encoder = nn.Linear(size, size)
        self.prediction = nn.Linear(size, size, bias=False)
        self.output = nn.Linear(size, num_outputs)

    def forward(self, h: Tensor, g: Tensor) -> Tensor:
        """Logits (B, T, U + 1, K) of states (B, T, D) and (B, U + 1, D)."""
        return self.output(torch.tanh(self.encoder(h).unsqueeze(2) + self.prediction(g).unsqueeze(1)))

    def checkpointed(self, h: Tensor, g: Tensor, num_chunks: int) -> Tensor:
        """The same, in chunks of frames that are computed again in the backward pass."""
        chunks = h.chunk(num_chunks, dim=1)
        return torch.cat([checkpoint(self.forward, chunk, g, use_reentrant=False) for chunk in chunks], dim=1)


class Heads(nn.Module):
    """The joint networks of ENT (vocabulary and blank in one) or FENT (blank apart), and the emotion joint network."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        sizes = (1, case.vocab_size - 1) if case.is_factorized else (case.vocab_size,)
        self.joints = nn.ModuleList(Joint(case.size, size) for size in sizes)
        self.emotion = Joint(case.size, case.num_emotions)


@dataclass(frozen=True, eq=False)
class Batch:
    """Inputs of the joint networks and the losses."""

    h: Tensor
    g: Tensor
    labels: Tensor
    num_frames: Tensor
    num_labels: Tensor
    emotions: Tensor
    neutral: int = 0


def make_batch(case: Case, device: str = "cpu", seed: int = 1) -> Batch:
    """Random states and labels."""
    generator = torch.Generator().manual_seed(seed)
    batch_size = len(case.lengths)
    frames = torch.tensor([max(1, round(share * case.num_frames)) for share in case.lengths])
    labels = torch.tensor([round(share * case.num_labels) for share in case.lengths])
    batch = Batch(
        h=torch.randn(batch_size, case.num_frames, case.size, generator=generator),
        g=torch.randn(batch_size, case.num_labels + 1, case.size, generator=generator),
        labels=torch.randint(1, case.vocab_size, (batch_size, case.num_labels), generator=generator),
        num_frames=frames,
        num_labels=labels,
        emotions=torch.randint(0, case.num_emotions, (batch_size,), generator=generator),
    )
    moved = {name: value.to(device) for name, value in vars(batch).items() if isinstance(value, Tensor)}
    moved["h"].requires_grad_()
    moved["g"].requires_grad_()
    return Batch(**moved)


def dense_losses(heads: Heads, batch: Batch, num_chunks: int = 0) -> tuple[Tensor, Tensor]:
    """Transducer loss and lattice max pooling loss (``node``, ``reference``), means over the batch.

    Args:
        heads: Joint networks.
        batch: Inputs.
        num_chunks: 0: everything at once; otherwise chunks of frames that are computed again in the backward pass.
    """
    logits = [_logits(joint, batch, num_chunks) for joint in heads.joints]
    transducer = torchaudio.functional.rnnt_loss(
        torch.cat(logits, dim=-1) if len(logits) > 1 else logits[0],
        batch.labels.int(),
        batch.num_frames.int(),
        batch.num_labels.int(),
        blank=0,
        reduction="mean",
    )
    probabilities = _logits(heads.emotion, batch, num_chunks).softmax(dim=-1).clamp(min=1e-8)
    total = probabilities.new_zeros(())
    for b, emotion in enumerate(batch.emotions.tolist()):
        valid = probabilities[b, : int(batch.num_frames[b]), : int(batch.num_labels[b]) + 1]
        total = total - valid[..., emotion].max().log() - valid[..., batch.neutral].min().log()
    return transducer, total / len(batch.emotions)


def _logits(joint: Joint, batch: Batch, num_chunks: int) -> Tensor:
    return joint.checkpointed(batch.h, batch.g, num_chunks) if num_chunks else joint(batch.h, batch.g)
