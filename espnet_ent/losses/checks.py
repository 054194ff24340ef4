"""Checks of what a sequence loss is given; the kernels below check nothing and return plausible numbers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from espnet_ent.errors import LossInputError

_MOST_NAMED = 5


def check_sequences(
    num_frames: int,
    vocab_size: int,
    labels: Tensor,
    enc_lengths: Tensor,
    label_lengths: Tensor,
    utt_ids: Sequence[str] | None = None,
) -> None:
    """Refuse lengths and labels that are out of range.

    Args:
        num_frames: T, width of the encoder output.
        vocab_size: V, blank (0) included.
        labels: (B, U) integers; anything beyond a length.
        enc_lengths: (B,) valid frames.
        label_lengths: (B,) valid labels.
        utt_ids: B names for the error; positions in the batch if None.

    Raises:
        LossInputError: On wrong shapes or types; on frames outside 1..T, label lengths outside 0..U or labels
            outside 1..V-1, naming the utterances.
    """
    _check_shapes(labels, enc_lengths, label_lengths, utt_ids)
    labels, enc_lengths, label_lengths = labels.cpu(), enc_lengths.cpu(), label_lengths.cpu()
    width = labels.size(1)
    _refuse(
        (enc_lengths < 1) | (enc_lengths > num_frames),
        "encoder lengths",
        f"1..{num_frames}",
        utt_ids,
        enc_lengths,
    )
    _refuse((label_lengths < 0) | (label_lengths > width), "label lengths", f"0..{width}", utt_ids, label_lengths)
    valid = torch.arange(width) < label_lengths.unsqueeze(1)
    wrong = valid & ((labels < 1) | (labels >= vocab_size))
    if wrong.any():
        first = labels.gather(1, wrong.int().argmax(dim=1, keepdim=True)).squeeze(1)
        _refuse(wrong.any(dim=1), "labels", f"1..{vocab_size - 1} (0 is blank)", utt_ids, first)


def name_utterances(wrong: Tensor, utt_ids: Sequence[str] | None) -> str:
    """Names of the utterances where ``wrong`` (B,) holds, at most five of them."""
    positions = wrong.nonzero().flatten().tolist()
    names = [utt_ids[i] if utt_ids is not None else f"number {i} of the batch" for i in positions]
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return f"utterance {', '.join(names[:_MOST_NAMED])}{more}"


def _check_shapes(labels: Tensor, enc_lengths: Tensor, label_lengths: Tensor, utt_ids: Sequence[str] | None) -> None:
    if labels.dim() != 2 or labels.size(0) < 1:
        raise LossInputError("labels have a wrong shape", expected="(B >= 1, U)", got=tuple(labels.shape))
    batch_size = labels.size(0)
    for name, lengths in (("encoder lengths", enc_lengths), ("label lengths", label_lengths)):
        if tuple(lengths.shape) != (batch_size,):
            raise LossInputError(f"{name} have a wrong shape", expected=f"({batch_size},)", got=tuple(lengths.shape))
    for name, values in (
        ("labels", labels),
        ("encoder lengths", enc_lengths),
        ("label lengths", label_lengths),
    ):
        if values.is_floating_point() or values.is_complex() or values.dtype == torch.bool:
            raise LossInputError(f"{name} have a wrong type", expected="integers", got=values.dtype)
    if utt_ids is not None and len(utt_ids) != batch_size:
        raise LossInputError("wrong number of utterance ids", expected=batch_size, got=len(utt_ids))


def _refuse(wrong: Tensor, what: str, expected: str, utt_ids: Sequence[str] | None, values: Tensor) -> None:
    if wrong.any():
        raise LossInputError(
            f"{what} out of range",
            where=name_utterances(wrong, utt_ids),
            expected=expected,
            got=", ".join(str(value) for value in values[wrong][:_MOST_NAMED].tolist()),
        )
