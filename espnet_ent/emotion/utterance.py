"""What an utterance head sees, and what it is.

Dimensions: B batch, T frames, U labels, D encoder size, P prediction size, E emotions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from espnet_ent.transducer.states import EncoderStates


@dataclass(frozen=True, eq=False)
class UtteranceInputs:
    """Everything that is known of a batch.

    Attributes:
        enc: Encoder output, with what the head asked for.
        h: (B, T, D) encoder states of the emotion side.
        g: (B, U + 1, P) prediction states of the text; None without a transducer.
        labels: (B, U) the text, in training that of the reference; anything beyond its length.
        label_lengths: (B,) int64.
    """

    enc: EncoderStates
    h: Tensor
    g: Tensor | None
    labels: Tensor
    label_lengths: Tensor


class UtteranceHead(Protocol):
    """Gives an utterance its emotion.

    Attributes:
        reads_text: Whether it depends on the text.
    """

    @property
    def reads_text(self) -> bool: ...

    def classify(self, inputs: UtteranceInputs) -> Tensor:
        """Logits (B, E)."""
