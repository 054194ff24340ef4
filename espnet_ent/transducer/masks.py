"""Where a padded batch holds padding: the one place that turns lengths into masks."""

from __future__ import annotations

import torch
from torch import Tensor

BLANK = 0
"""Index of blank, here as in every token list."""


def padding_mask(lengths: Tensor, values: Tensor) -> Tensor:
    """Mask (B, N), true beyond ``lengths`` (B,), on the device of ``values`` (B, N, ...)."""
    positions = torch.arange(values.size(1), device=values.device)
    return positions >= lengths.to(values.device).unsqueeze(1)


def trim_speech(speech: Tensor, speech_lengths: Tensor) -> Tensor:
    """Samples (B, N) up to the longest of ``speech_lengths`` (B,), with zeros beyond each, where windows reach."""
    speech = speech[:, : int(speech_lengths.max())]
    return speech.masked_fill(padding_mask(speech_lengths, speech), 0.0)


def mask_labels(labels: Tensor, label_lengths: Tensor) -> Tensor:
    """Labels (B, U) with everything beyond ``label_lengths`` (B,) replaced by blank."""
    return labels.masked_fill(padding_mask(label_lengths, labels), BLANK)
