"""The language-model loss of the factorized transducer's vocabulary predictor."""

from __future__ import annotations

import torch
from torch import Tensor

from espnet_ent.transducer.masks import padding_mask


def language_model_loss(lm_logits: Tensor, labels: Tensor, label_lengths: Tensor) -> Tensor:
    """Negative log probability of the labels, summed over an utterance, averaged over the batch.

    A sum over the utterance, as the transducer loss is, so that their weights are on one scale.

    Args:
        lm_logits: (B, U + 1, V - 1); output k is label k + 1 (blank is never predicted).
        labels: (B, U) in 1..V-1; beyond an utterance's length anything.
        label_lengths: (B,) valid labels.

    Returns:
        Scalar, in nats; 0 if no utterance has a label.
    """
    valid = ~padding_mask(label_lengths, labels)
    logits = lm_logits[:, : labels.size(1)][valid].float()
    total = torch.nn.functional.cross_entropy(logits, labels[valid] - 1, reduction="sum")
    return total / labels.size(0)
