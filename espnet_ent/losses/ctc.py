"""The CTC loss, an optional helper for the encoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from espnet_ent.losses.checks import check_sequences
from espnet_ent.transducer.masks import BLANK, mask_labels


def ctc_loss(
    logits: Tensor,
    labels: Tensor,
    enc_lengths: Tensor,
    label_lengths: Tensor,
    utt_ids: Sequence[str] | None = None,
) -> Tensor:
    """Negative log probability of the labels, averaged over the batch.

    Args:
        logits: (B, T, V), blank = 0, not normalised.
        labels: (B, U) integers; beyond an utterance's length anything, such as -1.
        enc_lengths: (B,) valid frames.
        label_lengths: (B,) valid labels.
        utt_ids: B names for error messages.

    Returns:
        Scalar, in nats. Infinite, not hidden, if an utterance has fewer frames than labels and repeats.

    Raises:
        LossInputError: If lengths or labels are out of range, naming the utterances.
    """
    check_sequences(logits.size(1), logits.size(2), labels, enc_lengths, label_lengths, utt_ids)
    device = logits.device
    targets = mask_labels(labels.to(device), label_lengths)
    with torch.autocast(device.type, enabled=False):
        dtype = torch.promote_types(logits.dtype, torch.float32)
        log_probs = torch.log_softmax(logits, dim=-1, dtype=dtype).transpose(0, 1)
        costs = torch.nn.functional.ctc_loss(
            log_probs, targets, enc_lengths.to(device), label_lengths.to(device), blank=BLANK, reduction="sum"
        )
    return costs / labels.size(0)
