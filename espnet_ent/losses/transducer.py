"""The transducer (RNN-T) loss: a guarded call of torchaudio's kernel.

The kernel checks nothing: a label outside the vocabulary or an utterance without frames gives a plausible
number. Everything is therefore checked before the call, and the utterances at fault are named.

Source: Graves, "Sequence transduction with recurrent neural networks", 2012.
Dimensions: B batch, T encoder frames, U labels, V vocabulary with blank = 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torchaudio
from torch import Tensor

from espnet_ent.errors import ConfigError, LossInputError
from espnet_ent.losses.checks import check_sequences
from espnet_ent.transducer.masks import BLANK, mask_labels
from espnet_ent.transducer.states import JointTerms

_MOST_LOGITS = 2**31 - 1
_REDUCTIONS = ("mean", "sum", "none")


def rnnt_loss(
    logits: Tensor,
    labels: Tensor,
    enc_lengths: Tensor,
    label_lengths: Tensor,
    utt_ids: Sequence[str] | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Negative log probability of the labels, summed over all alignments.

    Args:
        logits: (B, T, U + 1, V) float32, or half precision, which is computed in float32. Not normalised.
        labels: (B, U) integers; beyond an utterance's length anything, such as -1.
        enc_lengths: (B,) valid frames, at least 1.
        label_lengths: (B,) valid labels; 0 is fine, and so are more labels than frames.
        utt_ids: B names for error messages.
        reduction: ``mean`` or ``sum`` over the batch, or ``none``.

    Returns:
        Nats; a scalar, or (B,) for ``none``. Logits beyond an utterance's lengths change nothing and get
        a gradient of exactly 0. Logits that are not finite give NaN for their utterance.

    Raises:
        LossInputError: If shapes, types, lengths or labels are out of range, naming the utterances; if there
            are 2^31 logits or more.
        ConfigError: If ``reduction`` is unknown.
    """
    if logits.dim() != 4:
        raise LossInputError("logits have a wrong shape", expected="(B, T, U + 1, V)", got=tuple(logits.shape))
    num_frames, num_columns = _check(tuple(logits.shape), labels, enc_lengths, label_lengths, utt_ids)
    logits = logits[:, :num_frames, :num_columns]
    return _reduce(_kernel(logits, labels, enc_lengths, label_lengths), reduction)


def transducer_loss(
    terms: tuple[JointTerms, ...],
    labels: Tensor,
    enc_lengths: Tensor,
    label_lengths: Tensor,
    utt_ids: Sequence[str] | None = None,
    reduction: str = "mean",
) -> Tensor:
    """:func:`rnnt_loss` of the logits that ``terms`` stand for, concatenated in order.

    Args:
        terms: Joint terms of a transducer: one network, or blank's and the vocabulary's.
        labels: As for :func:`rnnt_loss`, as are all others.
    """
    batch_size, width, columns, _ = terms[0].lattice_shape
    vocab_size = sum(term.lattice_shape[3] for term in terms)
    shape = (batch_size, width, columns, vocab_size)
    num_frames, num_columns = _check(shape, labels, enc_lengths, label_lengths, utt_ids)
    heads = [term.trimmed(num_frames, num_columns).logits() for term in terms]
    logits = heads[0] if len(heads) == 1 else torch.cat(heads, dim=-1)
    return _reduce(_kernel(logits, labels, enc_lengths, label_lengths), reduction)


def _check(
    shape: tuple[int, ...],
    labels: Tensor,
    enc_lengths: Tensor,
    label_lengths: Tensor,
    utt_ids: Sequence[str] | None,
) -> tuple[int, int]:
    """Check all inputs; return the frames and columns of the batch's longest utterances."""
    batch_size, width, columns, vocab_size = shape
    if labels.dim() == 2 and (labels.size(0) != batch_size or columns < labels.size(1) + 1):
        # Fewer label columns than lattice columns is fine: the lattice is trimmed to the lengths.
        raise LossInputError(
            "logits and labels do not fit",
            expected=f"labels ({batch_size}, at most {columns - 1})",
            got=tuple(labels.shape),
        )
    check_sequences(width, vocab_size, labels, enc_lengths, label_lengths, utt_ids)
    num_frames, num_columns = int(enc_lengths.max()), int(label_lengths.max()) + 1
    num_logits = batch_size * num_frames * num_columns * vocab_size
    if num_logits > _MOST_LOGITS:
        raise LossInputError(
            "too many logits in one batch",
            expected=f"at most {_MOST_LOGITS} (B x T x (U + 1) x V)",
            got=f"{batch_size} x {num_frames} x {num_columns} x {vocab_size} = {num_logits}",
            next_step="lower batch_size or batch_bins",
        )
    return num_frames, num_columns


def _kernel(logits: Tensor, labels: Tensor, enc_lengths: Tensor, label_lengths: Tensor) -> Tensor:
    """Costs (B,) of checked inputs whose logits are trimmed to the longest utterances."""
    if logits.dtype not in (torch.float32, torch.float16, torch.bfloat16):
        raise LossInputError("logits have a wrong type", expected="float32, float16 or bfloat16", got=logits.dtype)
    device = logits.device
    labels = mask_labels(labels[:, : logits.size(2) - 1].to(device), label_lengths)
    with torch.autocast(device.type, enabled=False):
        return torchaudio.functional.rnnt_loss(
            logits.float().contiguous(),
            labels.int().contiguous(),
            enc_lengths.to(device).int(),
            label_lengths.to(device).int(),
            blank=BLANK,
            clamp=-1,
            reduction="none",
            fused_log_softmax=True,
        )


def _reduce(costs: Tensor, reduction: str) -> Tensor:
    if reduction == "mean":
        return costs.mean()
    if reduction == "sum":
        return costs.sum()
    if reduction == "none":
        return costs
    raise ConfigError("unknown reduction", expected=_REDUCTIONS, got=reduction)
