"""Weights and forms of the losses, as a configuration gives them."""

from __future__ import annotations

from dataclasses import dataclass

from espnet_ent.losses.transducer import TransducerLossConfig


@dataclass(frozen=True)
class LossConfig:
    """Weights and forms of the losses. A weight of 0 switches the branch off.

    Attributes:
        transducer_weight: Weight of the transducer loss.
        lattice_weight: Weight of the lattice pooling loss.
        utterance_weight: Weight of the utterance head's cross entropy.
        lm_weight: Weight of the vocabulary predictor's language-model loss (factorized transducer).
        ctc_weight: Weight of a CTC loss on the encoder.
        lattice_pooling: ``node | frame | token | mean | occupancy | top_k | linear_softmax``.
        top_share: Share of the nodes that ``top_k`` averages, in (0, 1].
        occupancy_gradient: With ``occupancy``, the lattice loss trains the alignments, too.
        neutral_term: ``reference | separating | none``.
        mixing_nodes: ``later | diagonal``; for data with emotion intervals.
        emotion_smoothing: Label smoothing of the utterance head's cross entropy, in [0, 1).
        transducer_backend: ``fused | torchaudio``.
        occupancy_eps: Posterior up to which a lattice node gets no gradient of the transducer loss; 0 is exact.
        fastemit: Weight of FastEmit regularisation.
    """

    transducer_weight: float = 0.5
    lattice_weight: float = 0.5
    utterance_weight: float = 0.5
    lm_weight: float = 0.0
    ctc_weight: float = 0.0
    lattice_pooling: str = "node"
    top_share: float = 0.1
    occupancy_gradient: bool = False
    neutral_term: str = "reference"
    mixing_nodes: str = "later"
    emotion_smoothing: float = 0.0
    transducer_backend: str = "fused"
    occupancy_eps: float = 0.0
    fastemit: float = 0.0

    @property
    def of_transducer(self) -> TransducerLossConfig:
        """How the transducer loss is computed."""
        return TransducerLossConfig(self.transducer_backend, self.occupancy_eps, self.fastemit)
