"""Supervised loss of the emotion lattice: the emotion of every node is known, from mixing or from annotation.

Source: Shen et al., "Emotion neural transducer for fine-grained speech emotion recognition", 2024 (mixing on the
emotion lattice); ``diagonal`` is ours.
Dimensions: B batch, T encoder frames, U labels (the lattice has U + 1 columns), E emotions, K intervals.
"""

from __future__ import annotations

import torch
from torch import Tensor

from espnet_ent.emotion.intervals import LatticeIntervals
from espnet_ent.errors import ConfigError, LossInputError
from espnet_ent.losses.fused_nodes import node_costs
from espnet_ent.transducer.states import JointTerms

MIXING_NODES = ("later", "diagonal")


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
    nothing. Blocks of nodes are computed again in the backward pass, so that memory does not grow with T x U x J.

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
    if terms.lattice_shape[2] == 1:
        label_lengths = torch.zeros_like(label_lengths)
    of_node = intervals.of_nodes(slice(0, num_frames), mixing_nodes)
    flat = of_node.clamp(min=0).flatten(1)
    in_one = (of_node >= 0).flatten(1)
    dtype = torch.promote_types(terms.encoder.dtype, torch.float32)
    counts = torch.zeros(intervals.emotions.shape, dtype=dtype, device=flat.device)
    counts.scatter_add_(1, flat, in_one.to(dtype))
    weights = torch.where(in_one, counts.gather(1, flat).clamp(min=1).reciprocal(), 0.0)
    targets = intervals.emotions.gather(1, flat).clamp(min=0)
    return node_costs(
        terms,
        targets.view_as(of_node),
        weights.view_as(of_node),
        enc_lengths.tolist(),
        (label_lengths + 1).tolist(),
    )


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
