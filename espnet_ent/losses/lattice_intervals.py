"""Supervised loss of the emotion lattice: the emotion of every node is known, from mixing or from annotation.

Source: Shen et al., "Emotion neural transducer for fine-grained speech emotion recognition", 2024 (mixing on the
emotion lattice); ``diagonal`` is ours.
Dimensions: B batch, T encoder frames, U labels (the lattice has U + 1 columns), E emotions, K intervals.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from espnet_ent.emotion.intervals import LatticeIntervals
from espnet_ent.errors import ConfigError, LossInputError
from espnet_ent.transducer.masks import padding_mask
from espnet_ent.transducer.states import JointTerms

MIXING_NODES = ("later", "diagonal")
_VALUES_PER_BLOCK = 1 << 24  # of hidden values: 64 MiB in float32


def check_mixing_nodes(mixing_nodes: str) -> None:
    """Refuse an unknown option, for a model to call when it is built.

    Raises:
        ConfigError: If ``mixing_nodes`` is not one of :data:`MIXING_NODES`.
    """
    if mixing_nodes not in MIXING_NODES:
        raise ConfigError("unknown mixing_nodes", expected=" | ".join(MIXING_NODES), got=mixing_nodes)


def lattice_interval_loss(
    terms: JointTerms,
    intervals: LatticeIntervals,
    enc_lengths: Tensor,
    label_lengths: Tensor,
    mixing_nodes: str = "later",
) -> Tensor:
    """Mean over the batch of :func:`lattice_interval_losses`, a scalar in nats; same arguments and errors."""
    return lattice_interval_losses(terms, intervals, enc_lengths, label_lengths, mixing_nodes).mean()


def lattice_interval_losses(
    terms: JointTerms,
    intervals: LatticeIntervals,
    enc_lengths: Tensor,
    label_lengths: Tensor,
    mixing_nodes: str = "later",
) -> Tensor:
    """Sum over the intervals of an utterance of the mean of -log p(emotion of the interval) over its nodes.

    Each node belongs to one interval at most (see :meth:`LatticeIntervals.of_nodes`); an interval without nodes adds
    nothing. Where the lattice is large, blocks of frames are computed again in the backward pass, so that memory does
    not grow with T x U x J.

    Args:
        terms: Emotion joint terms of B utterances.
        intervals: Which frame and which column lies in which interval.
        enc_lengths: (B,) valid frames.
        label_lengths: (B,) valid labels.
        mixing_nodes: ``later`` or ``diagonal``.

    Returns:
        (B,) losses in nats. Padding changes neither values nor gradients, whatever it holds.

    Raises:
        ConfigError: If ``mixing_nodes`` is unknown.
        LossInputError: If shapes do not fit the lattice, or an emotion is out of range.
    """
    check_mixing_nodes(mixing_nodes)
    if terms.lattice_shape[2] == 1:  # a frame-wise emotion joint: its one column stands for any number of labels
        intervals = LatticeIntervals(intervals.of_frame, intervals.of_column[:, :1], intervals.emotions)
    _check(terms, intervals)
    num_frames, num_columns = intervals.of_frame.size(1), intervals.of_column.size(1)
    terms = terms.trimmed(num_frames, num_columns)
    encoder = terms.encoder.masked_fill(padding_mask(enc_lengths, terms.encoder).unsqueeze(-1), 0.0)
    prediction = terms.prediction.masked_fill(padding_mask(label_lengths + 1, terms.prediction).unsqueeze(-1), 0.0)
    step = max(1, _VALUES_PER_BLOCK // (encoder.size(0) * num_columns * encoder.size(2)))
    sums = encoder.new_zeros(intervals.emotions.shape, dtype=torch.promote_types(encoder.dtype, torch.float32))
    counts = torch.zeros_like(sums)
    for start in range(0, num_frames, step):
        frames = slice(start, start + step)
        of_node = intervals.of_nodes(frames, mixing_nodes)
        block = (encoder[:, frames], prediction, terms.weight, terms.bias, intervals.emotions, of_node)
        in_one = step >= num_frames
        sums = sums + (_block_sums(*block) if in_one else checkpoint(_block_sums, *block, use_reentrant=False))
        counts = counts + _scatter(torch.ones_like(of_node, dtype=sums.dtype), of_node, counts.size(1))
    return (sums / counts.clamp(min=1)).sum(dim=1)


def _block_sums(
    encoder: Tensor, prediction: Tensor, weight: Tensor, bias: Tensor, emotions: Tensor, of_node: Tensor
) -> Tensor:
    """Sums (B, K) of -log p over the nodes of each interval that lie in a block of frames."""
    logits = JointTerms(encoder, prediction, weight, bias).logits()
    log_probs = torch.log_softmax(logits, dim=-1, dtype=torch.promote_types(logits.dtype, torch.float32))
    flat = of_node.clamp(min=0).flatten(1)
    targets = emotions.gather(1, flat).clamp(min=0).view_as(of_node)
    return _scatter(-log_probs.gather(-1, targets.unsqueeze(-1)).squeeze(-1), of_node, emotions.size(1))


def _scatter(values: Tensor, of_node: Tensor, num_intervals: int) -> Tensor:
    """Sums (B, K) of node values (B, T, U + 1) by interval; nodes of none are left out."""
    kept = torch.where(of_node >= 0, values, values.new_zeros(())).flatten(1)
    sums = values.new_zeros(len(values), num_intervals)
    return sums.scatter_add(1, of_node.clamp(min=0).flatten(1), kept)


def _check(terms: JointTerms, intervals: LatticeIntervals) -> None:
    batch_size, width, columns, num_emotions = terms.lattice_shape
    (utterances, frames), labels = intervals.of_frame.shape, intervals.of_column.size(1)
    if utterances != batch_size or frames > width or labels > columns:
        raise LossInputError(
            "emotion intervals do not fit the emotion lattice",
            expected=f"{batch_size} utterances, up to {width} frames and {columns} columns",
            got=f"{tuple(intervals.of_frame.shape)}, {tuple(intervals.of_column.shape)}",
        )
    if (intervals.emotions >= num_emotions).any():
        raise LossInputError(
            "emotion out of range", expected=f"0..{num_emotions - 1}", got=int(intervals.emotions.max())
        )
