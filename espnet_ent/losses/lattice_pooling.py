"""Lattice pooling: an utterance's emotion as the only supervision of its emotion lattice.

Lattice max pooling picks two nodes of an utterance's lattice, and only these (or their row or column) are computed
with gradients: same values and gradients as the dense form, at a small part of its memory. The averages of
:mod:`espnet_ent.losses.lattice_averages` stand beside it.

Source: Shen et al., "Emotion neural transducer for fine-grained speech emotion recognition", 2024; the
neutral term ``separating`` is ours.
Dimensions: B batch, T encoder frames, U labels (the lattice has U + 1 columns), E emotions, N picked nodes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from espnet_ent.errors import ConfigError, LossInputError
from espnet_ent.losses.lattice_averages import AVERAGES, average_losses
from espnet_ent.losses.lattice_cells import LatticeCells, log_normalizer
from espnet_ent.transducer.states import JointTerms

POOLINGS = ("node", "frame", "token", *AVERAGES)
NEUTRAL_TERMS = ("reference", "separating", "none")


@dataclass(frozen=True)
class _Pick:
    """A node that stands for an utterance, and the emotion whose probability the loss takes there."""

    utterance: int
    frame: int
    column: int
    emotion: int


def lattice_pooling_loss(
    terms: JointTerms,
    emotions: Tensor,
    enc_lengths: Tensor,
    label_lengths: Tensor,
    neutral_index: int,
    pooling: str = "node",
    neutral_term: str = "reference",
    probability_floor: float = 0.0,
    top_share: float = 0.1,
    occupancy: Tensor | None = None,
) -> Tensor:
    """Mean over the batch of :func:`lattice_pooling_losses`, a scalar in nats; same arguments and errors."""
    return lattice_pooling_losses(
        terms,
        emotions,
        enc_lengths,
        label_lengths,
        neutral_index,
        pooling=pooling,
        neutral_term=neutral_term,
        probability_floor=probability_floor,
        top_share=top_share,
        occupancy=occupancy,
    ).mean()


def lattice_pooling_losses(
    terms: JointTerms,
    emotions: Tensor,
    enc_lengths: Tensor,
    label_lengths: Tensor,
    neutral_index: int,
    pooling: str = "node",
    neutral_term: str = "reference",
    probability_floor: float = 0.0,
    top_share: float = 0.1,
    occupancy: Tensor | None = None,
) -> Tensor:
    """-log max p(label), or an average in its place, plus a neutral term, over the valid nodes of each utterance.

    ``pooling`` says what a picked node (t*, u*) contributes: ``node`` -log p there; ``frame`` the mean of
    -log p over the columns of frame t*; ``token`` the mean over the frames of column u*. With ``mean``,
    ``occupancy``, ``top_k`` and ``linear_softmax`` the label's term is an average, and the neutral term that of
    ``node``. ``neutral_term``: ``reference`` -log min p(neutral); ``separating`` the same for neutral utterances, and
    -log max p(neutral) for emotional ones; ``none`` nothing. The first node wins a tie.

    Args:
        terms: Emotion joint terms of B utterances.
        emotions: (B,) or (B, 1) class indices.
        enc_lengths: (B,) valid frames.
        label_lengths: (B,) valid labels; all 0 for a frame-wise emotion joint.
        neutral_index: Class index of neutral.
        pooling: One of :data:`POOLINGS`.
        neutral_term: One of :data:`NEUTRAL_TERMS`.
        probability_floor: Probabilities are clamped at this value, gradients included; only with
            ``reference``, whose published form has 1e-8, and with ``node``, ``frame`` and ``token``.
        top_share: Share of the nodes that ``top_k`` averages, in (0, 1].
        occupancy: (B, T, U + 1), how often alignments pass through each node, for ``occupancy``; may have a gradient.

    Returns:
        (B,) losses in nats. Padding changes neither values nor gradients.

    Raises:
        ConfigError: If ``pooling`` or ``neutral_term`` is unknown, or the floor is given to another term.
        LossInputError: If an emotion or a length is out of range, or the occupancy is missing or does not fit.
    """
    check_lattice_pooling(pooling, neutral_term, probability_floor, top_share)
    labels = _checked(terms, emotions, enc_lengths, label_lengths, neutral_index)
    num_frames, num_columns = enc_lengths.tolist(), (label_lengths + 1).tolist()
    with torch.autocast(terms.encoder.device.type, enabled=False):
        log_probs = _label_and_neutral(terms, num_frames, num_columns, labels, neutral_index)
    is_average = pooling in AVERAGES
    picks = []
    for b, (values, label) in enumerate(zip(log_probs, labels, strict=True)):
        of_label, of_neutral = _extreme_nodes(values, label == neutral_index, neutral_term)
        pairs = [] if is_average else [(of_label, label)]
        pairs += [] if of_neutral is None else [(of_neutral, neutral_index)]
        picks += [_Pick(b, node // num_columns[b], node % num_columns[b], emotion) for node, emotion in pairs]
    if not is_average:
        return _pooled(terms, picks, num_frames, num_columns, pooling, probability_floor)
    of_labels, classes = (
        torch.cat([values[:, 0] for values in log_probs]),
        torch.tensor(labels, device=terms.encoder.device),
    )
    losses = average_losses(terms, of_labels, classes, num_frames, num_columns, pooling, top_share, occupancy)
    return losses + _pooled(terms, picks, num_frames, num_columns, "node", 0.0) if picks else losses


def check_lattice_pooling(
    pooling: str, neutral_term: str, probability_floor: float = 0.0, top_share: float = 0.1
) -> None:
    """Refuse unknown options, for a model to call when it is built.

    Raises:
        ConfigError: As :func:`lattice_pooling_losses`.
    """
    if pooling not in POOLINGS:
        raise ConfigError("unknown lattice_pooling", expected=" | ".join(POOLINGS), got=pooling)
    if neutral_term not in NEUTRAL_TERMS:
        raise ConfigError("unknown neutral_term", expected=" | ".join(NEUTRAL_TERMS), got=neutral_term)
    if not 0.0 <= probability_floor < 1.0:
        raise ConfigError("probability_floor out of range", expected="[0, 1)", got=probability_floor)
    if probability_floor > 0.0 and neutral_term != "reference":
        raise ConfigError("probability_floor is for neutral_term reference alone", got=neutral_term)
    if probability_floor > 0.0 and pooling in AVERAGES:
        raise ConfigError("probability_floor is for lattice_pooling node, frame and token alone", got=pooling)
    if not 0.0 < top_share <= 1.0:
        raise ConfigError("top_share out of range", expected="above 0, at most 1", got=top_share)


def _checked(
    terms: JointTerms, emotions: Tensor, enc_lengths: Tensor, label_lengths: Tensor, neutral_index: int
) -> list[int]:
    """Class indices of the utterances, once all inputs are known to be in range."""
    batch_size, width, columns, num_emotions = terms.lattice_shape
    labels = emotions.reshape(-1).tolist()
    if not len(labels) == enc_lengths.numel() == label_lengths.numel() == batch_size:
        raise LossInputError(
            "emotions and lengths do not fit the emotion lattice",
            expected=f"{batch_size} each",
            got=f"{len(labels)}, {enc_lengths.numel()}, {label_lengths.numel()}",
        )
    for b, (label, frames, length) in enumerate(zip(labels, enc_lengths.tolist(), label_lengths.tolist(), strict=True)):
        where = f"utterance number {b} of the batch"
        if not 0 <= label < num_emotions:
            raise LossInputError("emotion out of range", where=where, expected=f"0..{num_emotions - 1}", got=label)
        if not (1 <= frames <= width and 0 <= length < columns):
            raise LossInputError(
                "lengths out of range",
                where=where,
                expected=f"1..{width} frames, 0..{columns - 1} labels",
                got=f"{frames} frames, {length} labels",
            )
    if not 0 <= neutral_index < num_emotions:
        raise LossInputError("neutral out of range", expected=f"0..{num_emotions - 1}", got=neutral_index)
    return labels


@torch.no_grad()
def _label_and_neutral(
    terms: JointTerms, num_frames: list[int], num_columns: list[int], labels: list[int], neutral_index: int
) -> list[Tensor]:
    """Log probabilities (T (U + 1), 2) of the label and of neutral on each utterance's valid nodes."""
    cells = LatticeCells([terms], num_frames, num_columns)
    of_label = cells.of_utterances(torch.tensor(labels, device=cells.device)).unsqueeze(1)
    log_probs = torch.empty(cells.num_nodes, 2, dtype=cells.dtype, device=cells.device)
    for tile in cells.tiles():
        (logits,) = cells.logits(tile)
        room = tile.of(log_probs)
        room[:, :1] = logits.gather(1, tile.of(of_label))
        room[:, 1] = logits[:, neutral_index]
        room -= log_normalizer([logits]).unsqueeze(1)
    return list(cells.by_utterance(log_probs))


def _extreme_nodes(log_probs: Tensor, is_neutral: bool, neutral_term: str) -> tuple[int, int | None]:
    """Packed nodes of one utterance that the loss reads: the label's, and neutral's unless there is no such term.

    argmax and argmin return the first of equal nodes.
    """
    of_label, of_neutral = log_probs[:, 0], log_probs[:, 1]
    if neutral_term == "none":
        return int(of_label.argmax()), None
    separated = neutral_term == "separating" and not is_neutral
    return int(of_label.argmax()), int(of_neutral.argmax() if separated else of_neutral.argmin())


def _pooled(
    terms: JointTerms,
    picks: list[_Pick],
    num_frames: list[int],
    num_columns: list[int],
    pooling: str,
    probability_floor: float,
) -> Tensor:
    """Losses (B,): each pick gives the mean of -log p over its node, its frame or its column."""
    nodes: list[tuple[int, int, int, int]] = []
    shares: list[float] = []
    for pick in picks:
        frames, columns = (pick.frame,), (pick.column,)
        if pooling == "frame":
            columns = range(num_columns[pick.utterance])
        elif pooling == "token":
            frames = range(num_frames[pick.utterance])
        nodes += [(pick.utterance, t, u, pick.emotion) for t in frames for u in columns]
        shares += [1.0 / (len(frames) * len(columns))] * (len(frames) * len(columns))
    device = terms.encoder.device
    b, t, u, emotion = torch.tensor(nodes, device=device).unbind(1)
    log_probs = _log_softmax(terms.node_logits(b, t, u)).gather(1, emotion.unsqueeze(1)).squeeze(1)
    if probability_floor > 0.0:
        log_probs = log_probs.exp().clamp(min=probability_floor).log()
    share = torch.tensor(shares, dtype=log_probs.dtype, device=device)
    return log_probs.new_zeros(len(num_frames)).index_add(0, b, -share * log_probs)


def _log_softmax(logits: Tensor) -> Tensor:
    """Log probabilities, in float32 at least."""
    dtype = torch.promote_types(logits.dtype, torch.float32)
    return torch.log_softmax(logits, dim=-1, dtype=dtype)
