"""The pooled utterance head: mean of frames, mean of label states, one linear layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from espnet_ent.errors import ConfigError
from espnet_ent.transducer.masks import padding_mask


class PoolingHead(nn.Module):
    """Mean over valid h_t and mean over valid g_u, concatenated -> layer norm -> linear to E emotions.

    With ``prediction_size`` 0 it pools the encoder alone (models without a transducer).

    Dimensions: B batch, T frames, U labels, D encoder size, P prediction size, E emotions.

    Args:
        encoder_size: D.
        prediction_size: P, or 0.
        num_emotions: E.
    """

    def __init__(self, encoder_size: int, prediction_size: int, num_emotions: int) -> None:
        super().__init__()
        self.prediction_size = prediction_size
        self.norm = nn.LayerNorm(encoder_size + prediction_size)
        self.output = nn.Linear(encoder_size + prediction_size, num_emotions)

    def forward(self, h: Tensor, lengths: Tensor, g: Tensor | None = None, g_lengths: Tensor | None = None) -> Tensor:
        """Utterance logits.

        Args:
            h: (B, T, D) encoder states.
            lengths: (B,) valid frames.
            g: (B, U + 1, P) prediction states; None if ``prediction_size`` is 0.
            g_lengths: (B,) valid columns: number of labels + 1 (``PredictionStates.lengths``).

        Returns:
            (B, E) logits.

        Raises:
            ConfigError: If ``g`` is missing, or given to a head without it.
        """
        if (g is None) != (self.prediction_size == 0) or (g is None) != (g_lengths is None):
            raise ConfigError(
                "the utterance head and its prediction states do not fit",
                expected=f"prediction states of size {self.prediction_size}",
            )
        pooled = masked_mean(h, lengths)
        if g is not None and g_lengths is not None:
            pooled = torch.cat((pooled, masked_mean(g, g_lengths)), dim=-1)
        return self.output(self.norm(pooled))

    def by_emotion(
        self, h: Tensor, frame_emotions: Tensor, g: Tensor | None = None, column_emotions: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Logits of the stretches of an utterance that share an emotion, all its frames and labels pooled.

        Args:
            h: (B, T, D) encoder states.
            frame_emotions: (B, T) class index at each frame; -1 beyond the utterance.
            g: (B, U + 1, P) prediction states; None if ``prediction_size`` is 0.
            column_emotions: (B, U + 1) class index at each column; -1 beyond the utterance.

        Returns:
            Logits (B, E, E), the second axis by the emotion of the stretch, and which of them are there: (B, E) bool,
            true where a frame has that emotion. An emotion without a label pools zeros for ``g``.

        Raises:
            ConfigError: If ``g`` is missing, or given to a head without it.
        """
        if (g is None) != (self.prediction_size == 0) or (g is None) != (column_emotions is None):
            raise ConfigError(
                "the utterance head and its prediction states do not fit",
                expected=f"prediction states of size {self.prediction_size}",
            )
        num_emotions = self.output.out_features
        pooled, present = _mean_by_class(h, frame_emotions, num_emotions)
        if g is not None and column_emotions is not None:
            pooled = torch.cat((pooled, _mean_by_class(g, column_emotions, num_emotions)[0]), dim=-1)
        return self.output(self.norm(pooled)), present


def _mean_by_class(values: Tensor, classes: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """Means (B, C, D) of the rows of ``values`` (B, N, D) of each class, and which classes occur (B, C)."""
    values = values[:, : classes.size(1)]
    valid = classes >= 0
    member = functional.one_hot(classes.clamp(min=0), num_classes) * valid.unsqueeze(-1)
    counts = member.sum(dim=1)
    totals = member.to(values).transpose(1, 2) @ values.masked_fill(~valid.unsqueeze(-1), 0.0)
    return totals / counts.clamp(min=1).unsqueeze(-1).to(totals), counts > 0


def masked_mean(values: Tensor, lengths: Tensor) -> Tensor:
    """Mean (B, D) of the first ``lengths`` (B,) rows of ``values`` (B, N, D); zero where a length is 0."""
    total = values.masked_fill(padding_mask(lengths, values).unsqueeze(-1), 0.0).sum(dim=1)
    return total / lengths.clamp(min=1).unsqueeze(1).to(total)
