"""What a pretrained encoder gives of a batch, computed from samples or read from a feature cache.

All that is trained (layer mixes, networks on top, heads) starts from here, and does not know where it comes from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from espnet_ent.encoders.local_context import LocalContext
from espnet_ent.transducer.states import AcousticStates, EncoderStates, EncoderUse


@dataclass(frozen=True, eq=False)
class LayerStates:
    """States of the layers, and the features of short reach below them.

    Dimensions: B batch, L layers, T frames, D state size, N rows of local features, F their size.

    Attributes:
        layers: L tensors (B, T, D), in the order in which they are mixed.
        lengths: (B,) int64, valid frames.
        local: (B, N, F) features of short reach.
        local_lengths: (B,) int64, valid rows.
    """

    layers: Sequence[Tensor]
    lengths: Tensor
    local: Tensor
    local_lengths: Tensor

    @property
    def stacked(self) -> Tensor:
        """All layers as (B, L, T, D)."""
        return torch.stack(list(self.layers), dim=1)

    def encoded(
        self,
        h: Tensor,
        h_emo: Tensor,
        emotion_branch: LocalContext | None,
        use: EncoderUse,
        acoustic: AcousticStates | None,
    ) -> EncoderStates:
        """An encoder's output, from what it has made of these states.

        Args:
            h: (B, T, D'), for the transcription.
            h_emo: (B, T, D'), for blank and emotion.
            emotion_branch: Layers of short reach for the emotion lattice.
            use: What the model needs.
            acoustic: What the encoder saw.
        """
        h_local = None
        if emotion_branch is not None:
            h_local = emotion_branch(self.local, self.local_lengths, h_emo, self.lengths)
        return EncoderStates(
            h=h,
            h_emo=h_emo,
            lengths=self.lengths,
            h_local=h_local,
            layers=self.stacked if use.layers else None,
            acoustic=acoustic if use.acoustic else None,
        )

    @classmethod
    def from_batch(cls, batch: Mapping[str, Tensor]) -> LayerStates | None:
        """Of a batch that was read from a feature cache; None for one that was not.

        Args:
            batch: ``states`` (B, T, L, D) and ``local`` (B, N, F), with ``states_lengths`` and ``local_lengths`` (B,).
        """
        if "states" not in batch:
            return None
        return cls(batch["states"].unbind(dim=2), batch["states_lengths"], batch["local"], batch["local_lengths"])
