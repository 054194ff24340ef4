"""The transducer (RNN-T) loss, of joint terms (fused, our own) or of logits (torchaudio's kernel).

Neither kernel checks anything: a label outside the vocabulary or an utterance without frames gives a plausible
number. Everything is therefore checked before the call, and the utterances at fault are named.

Source: Graves, "Sequence transduction with recurrent neural networks", 2012.
Dimensions: B batch, T encoder frames, U labels, V vocabulary with blank = 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torchaudio
from torch import Tensor

from espnet_ent.errors import ConfigError, LossInputError
from espnet_ent.losses.alignments import Alignments
from espnet_ent.losses.checks import check_sequences
from espnet_ent.losses.fused_transducer import FusedOptions, fused_alignments, fused_costs
from espnet_ent.transducer.masks import BLANK, mask_labels
from espnet_ent.transducer.states import JointTerms

_MOST_LOGITS = 2**31 - 1
BACKENDS = ("fused", "torchaudio")
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
    _check_size(logits.size(0), num_frames, num_columns, logits.size(3))
    logits = logits[:, :num_frames, :num_columns]
    return _reduce(_kernel(logits, labels, enc_lengths, label_lengths), reduction)


@dataclass(frozen=True)
class TransducerLossConfig:
    """How the loss of joint terms is computed.

    Attributes:
        backend: ``fused``, or ``torchaudio`` for dense logits and its kernel.
        occupancy_eps: Nodes that alignments pass through with at most this probability get no gradient. 0 is exact;
            1e-6 changes gradients by less than the rounding of float32. With ``fused`` alone.
        fastemit: Weight of FastEmit regularisation (Yu et al., 2021), which raises the gradients of label arcs. With
            ``fused`` alone.
    """

    backend: str = "fused"
    occupancy_eps: float = 0.0
    fastemit: float = 0.0

    def check(self) -> None:
        """Refuse what makes no sense, for a model to call when it is built.

        Raises:
            ConfigError: On an unknown backend, a value out of range, or options that torchaudio has not.
        """
        if self.backend not in BACKENDS:
            raise ConfigError("unknown transducer_backend", expected=" | ".join(BACKENDS), got=repr(self.backend))
        if not 0 <= self.occupancy_eps < 1:
            raise ConfigError("occupancy_eps out of range", expected="0 or more, below 1", got=self.occupancy_eps)
        if not 0 <= self.fastemit < math.inf:
            raise ConfigError("fastemit out of range", expected="0 or more", got=self.fastemit)
        if self.backend == "torchaudio" and (self.occupancy_eps or self.fastemit):
            raise ConfigError(
                "occupancy_eps and fastemit are not there",
                where="transducer_backend: torchaudio",
                next_step="use transducer_backend: fused",
            )


def transducer_loss(
    terms: tuple[JointTerms, ...],
    labels: Tensor,
    enc_lengths: Tensor,
    label_lengths: Tensor,
    utt_ids: Sequence[str] | None = None,
    reduction: str = "mean",
    config: TransducerLossConfig | None = None,
) -> Tensor:
    """As :func:`transducer_loss_and_alignments`, the loss alone."""
    lengths = (enc_lengths, label_lengths)
    return transducer_loss_and_alignments(terms, labels, *lengths, utt_ids, reduction, config)[0]


def transducer_loss_and_alignments(
    terms: tuple[JointTerms, ...],
    labels: Tensor,
    enc_lengths: Tensor,
    label_lengths: Tensor,
    utt_ids: Sequence[str] | None = None,
    reduction: str = "mean",
    config: TransducerLossConfig | None = None,
    posterior_gradient: bool = False,
) -> tuple[Tensor, Alignments | None]:
    """:func:`rnnt_loss` of the logits that ``terms`` stand for, concatenated in order.

    Under autocast the matrix products of the output layer are in half precision, all else in float32; the recursion is
    in float64.

    Args:
        terms: Joint terms of a transducer: one network, or blank's and the vocabulary's.
        labels: As for :func:`rnnt_loss`, as are the next four.
        enc_lengths: (B,) valid frames.
        label_lengths: (B,) valid labels.
        utt_ids: B names for error messages.
        reduction: ``mean`` or ``sum`` over the batch, or ``none``.
        config: How it is computed.
        posterior_gradient: The posteriors of the alignments are differentiable, too.

    Returns:
        The loss, and where the alignments go, which the fused loss knows anyway; None with torchaudio.

    Raises:
        LossInputError: As :func:`rnnt_loss`; the number of logits has a bound with torchaudio alone.
        ConfigError: If ``reduction`` or the configuration is wrong.
    """
    config = config or TransducerLossConfig()
    config.check()
    labels, num_frames, num_columns = _checked_terms(terms, labels, enc_lengths, label_lengths, utt_ids)
    if config.backend == "fused":
        device_type = labels.device.type
        half = torch.get_autocast_dtype(device_type) if torch.is_autocast_enabled(device_type) else None
        options = FusedOptions(config.occupancy_eps, config.fastemit, half, posterior_gradient)
        costs, posteriors = fused_costs(terms, labels, num_frames, num_columns, options)
        return _reduce(costs, reduction), posteriors
    longest = max(num_frames), max(num_columns)
    _check_size(len(num_frames), *longest, sum(term.lattice_shape[3] for term in terms))
    heads = [term.trimmed(*longest).logits() for term in terms]
    logits = heads[0] if len(heads) == 1 else torch.cat(heads, dim=-1)
    return _reduce(_kernel(logits, labels, enc_lengths, label_lengths), reduction), None


def transducer_alignments(
    terms: tuple[JointTerms, ...],
    labels: Tensor,
    enc_lengths: Tensor,
    label_lengths: Tensor,
    utt_ids: Sequence[str] | None = None,
) -> Alignments:
    """Costs, and the probability with which alignments take blank and the next label at each node; without gradients.

    Arguments and errors as :func:`transducer_loss`.
    """
    return fused_alignments(terms, *_checked_terms(terms, labels, enc_lengths, label_lengths, utt_ids))


def _checked_terms(
    terms: tuple[JointTerms, ...],
    labels: Tensor,
    enc_lengths: Tensor,
    label_lengths: Tensor,
    utt_ids: Sequence[str] | None,
) -> tuple[Tensor, list[int], list[int]]:
    """Labels on the device of the terms, blank in the padding, and the valid frames and columns of each utterance."""
    batch_size, width, columns, _ = terms[0].lattice_shape
    vocab_size = sum(term.lattice_shape[3] for term in terms)
    _check((batch_size, width, columns, vocab_size), labels, enc_lengths, label_lengths, utt_ids)
    for term in terms:
        if not term.encoder.is_floating_point():
            raise LossInputError("joint terms have a wrong type", expected="floating point", got=term.encoder.dtype)
    num_frames, num_columns = enc_lengths.tolist(), (label_lengths + 1).tolist()
    labels = mask_labels(labels.to(terms[0].encoder.device), label_lengths)[:, : max(num_columns) - 1]
    return labels.long(), num_frames, num_columns


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
    return int(enc_lengths.max()), int(label_lengths.max()) + 1


def _check_size(batch_size: int, num_frames: int, num_columns: int, vocab_size: int) -> None:
    num_logits = batch_size * num_frames * num_columns * vocab_size
    if num_logits > _MOST_LOGITS:
        raise LossInputError(
            "too many logits in one batch",
            expected=f"at most {_MOST_LOGITS} (B x T x (U + 1) x V)",
            got=f"{batch_size} x {num_frames} x {num_columns} x {vocab_size} = {num_logits}",
            next_step="lower batch_size or batch_bins, or use transducer_backend: fused",
        )


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
