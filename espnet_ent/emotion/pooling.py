"""The pooled utterance head: mean of frames, mean of label states, one linear layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from espnet_ent.emotion.utterance import UtteranceInputs
from espnet_ent.errors import ConfigError
from espnet_ent.transducer.masks import padding_mask

_LEAST_VARIANCE = 1e-5


class PoolingHead(nn.Module):
    """Mean over valid h_t and mean over valid g_u, concatenated -> layer norm -> linear to E emotions.

    With ``prediction_size`` 0 it pools the encoder alone (models without a transducer). ``statistics`` adds the
    standard deviation over valid h_t to the means (statistics pooling; Snyder et al., 2018, X-vectors, section 2.1).

    Dimensions: B batch, T frames, U labels, D encoder size, P prediction size, E emotions.

    Args:
        encoder_size: D.
        prediction_size: P, or 0.
        num_emotions: E.
        statistics: Pool standard deviations, too.
        dropout: Probability with which a pooled value is dropped in training.
    """

    def __init__(
        self,
        encoder_size: int,
        prediction_size: int,
        num_emotions: int,
        statistics: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.prediction_size = prediction_size
        self.statistics = statistics
        pooled_size = encoder_size * (2 if statistics else 1) + prediction_size
        self.norm = nn.LayerNorm(pooled_size)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(pooled_size, num_emotions)

    @property
    def reads_text(self) -> bool:
        """Whether it depends on the text."""
        return self.prediction_size > 0

    def classify(self, inputs: UtteranceInputs) -> Tensor:
        """Logits (B, E) of a batch."""
        num_columns = None if inputs.g is None else inputs.label_lengths + 1
        return self(inputs.h, inputs.enc.lengths, inputs.g, num_columns)

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
        pooled = [masked_mean(h, lengths)]
        if self.statistics:
            valid = h.masked_fill(padding_mask(lengths, h).unsqueeze(-1), 0.0)
            pooled.append(_standard_deviation(masked_mean((valid - pooled[0].unsqueeze(1)).square(), lengths)))
        if g is not None and g_lengths is not None:
            pooled.append(masked_mean(g, g_lengths))
        return self._of_pooled(torch.cat(pooled, dim=-1))

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
        mean, present = _mean_by_class(h, frame_emotions, num_emotions)
        pooled = [mean]
        if self.statistics:
            own_mean = mean.gather(1, frame_emotions.clamp(min=0).unsqueeze(-1).expand(-1, -1, mean.size(-1)))
            valid = h[:, : own_mean.size(1)].masked_fill((frame_emotions < 0).unsqueeze(-1), 0.0)
            squares = (valid - own_mean).square()
            pooled.append(_standard_deviation(_mean_by_class(squares, frame_emotions, num_emotions)[0]))
        if g is not None and column_emotions is not None:
            pooled.append(_mean_by_class(g, column_emotions, num_emotions)[0])
        return self._of_pooled(torch.cat(pooled, dim=-1)), present

    def _of_pooled(self, pooled: Tensor) -> Tensor:
        return self.output(self.dropout(self.norm(pooled)))


def _standard_deviation(variance: Tensor) -> Tensor:
    """The root, with a finite gradient where nothing varies."""
    return (variance + _LEAST_VARIANCE).sqrt()


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
