"""The one ESPnet model of this package; each published system is a configuration of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from espnet2.torch_utils.device_funcs import force_gatherable
from espnet2.train.abs_espnet_model import AbsESPnetModel
from torch import Tensor, nn

from espnet_ent.emotion.intervals import LatticeIntervals
from espnet_ent.emotion.joint import EmotionJoint
from espnet_ent.emotion.pooling import PoolingHead
from espnet_ent.encoders.ssl import SSLEncoder
from espnet_ent.errors import LossInputError
from espnet_ent.labels import EmotionInventory
from espnet_ent.losses.checks import check_sequences
from espnet_ent.losses.ctc import ctc_loss
from espnet_ent.losses.language_model import language_model_loss
from espnet_ent.losses.lattice_intervals import lattice_interval_loss
from espnet_ent.losses.lattice_pooling import lattice_pooling_loss
from espnet_ent.losses.transducer import TransducerLossConfig, transducer_alignments, transducer_loss_and_alignments
from espnet_ent.plugin.asr_encoder import ASREncoder
from espnet_ent.plugin.encoders import FeatureEncoder
from espnet_ent.search.expectation import expected_emotions
from espnet_ent.transducer.factorized import FactorizedTransducer
from espnet_ent.transducer.prediction import PredictionStart
from espnet_ent.transducer.standard import Transducer
from espnet_ent.transducer.states import EncoderStates, PredictionStates


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


@dataclass(frozen=True, eq=False)
class _EmotionInputs:
    """What the emotion branches see.

    States (B, T, D), those of the lattice (B, T, D), (B, U + 1, P); lengths (B,), the second in labels; how often
    alignments pass through each node (B, T, U + 1), or None.
    """

    h: Tensor
    h_lattice: Tensor
    g: Tensor
    enc_lengths: Tensor
    label_lengths: Tensor
    occupancy: Tensor | None


class ESPnetENTModel(AbsESPnetModel):
    """Transcript, utterance emotion and emotion lattice from one encoder.

    Glossary: B batch, N samples, T encoder frames, U labels, V vocabulary with blank, D hidden, E emotions.

    Args:
        encoder: Samples to encoder states.
        tokens: The token list; index 0 is blank.
        emotions: The emotion inventory.
        losses: Weights and forms of the losses.
        transducer: Standard or factorized transducer.
        emotion_joint: Emotion joint network over the lattice; None where the lattice loss has no weight.
        utterance_head: Utterance emotion head; None where its cross entropy has no weight.

    """

    def __init__(
        self,
        encoder: FeatureEncoder | ASREncoder | SSLEncoder,
        tokens: tuple[str, ...],
        emotions: EmotionInventory,
        losses: LossConfig,
        transducer: Transducer | FactorizedTransducer,
        emotion_joint: EmotionJoint | None,
        utterance_head: PoolingHead | None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.tokens = tokens
        self.emotions = emotions
        self.losses = losses
        self.transducer = transducer
        self.emotion_joint = emotion_joint
        self.utterance_head = utterance_head
        self.ctc = nn.Linear(encoder.output_size, len(tokens)) if losses.ctc_weight > 0 else None
        self.reset_emotion_counts()

    def forward(
        self,
        speech: Tensor,
        speech_lengths: Tensor,
        text: Tensor,
        text_lengths: Tensor,
        emotion: Tensor | None = None,
        emo_intervals: Tensor | None = None,
        emo_intervals_lengths: Tensor | None = None,
        utt_id: list[str] | None = None,
        **_unused: Tensor,
    ) -> tuple[Tensor, dict[str, Tensor | None], Tensor]:
        """The weighted sum of the losses.

        Args:
            speech: (B, N), float32 samples.
            speech_lengths: (B,), samples.
            text: (B, U), labels; -1 beyond ``text_lengths``.
            text_lengths: (B,), labels.
            emotion: (B, 1), class indices; None only for a model without emotion branches.
            emo_intervals: (B, K, 3), rows ``(first sample, first token, emotion)``: supervises the emotion branches by
                intervals in place of ``emotion``.
            emo_intervals_lengths: (B,), intervals.
            utt_id: Names for error messages.

        Returns:
            Loss (scalar), stats by name (detached scalars), weight (the batch size).

        Raises:
            LossInputError: On input that a loss does not allow, e.g. labels out of the vocabulary.
        """
        text = text[:, : int(text_lengths.max())]
        enc = self.encoder(speech, speech_lengths)
        # Before the embedding, which would fail without naming the utterance.
        check_sequences(enc.h.size(1), len(self.tokens), text, enc.lengths, text_lengths, utt_id)
        states = self.transducer.predict(text, text_lengths)
        losses, occupancy = self._speech_losses(enc, states, text, text_lengths, utt_id)
        stats: dict[str, Tensor] = {}
        h, g = self.transducer.emotion_inputs(enc, states)
        inputs = _EmotionInputs(h, _of_lattice(enc, h), g, enc.lengths, text_lengths, occupancy)
        if emo_intervals is None:
            losses.update(self._utterance_supervision(inputs, emotion, stats))
        else:
            intervals = LatticeIntervals.from_rows(
                emo_intervals, emo_intervals_lengths, enc.lengths, text_lengths, self.encoder.grid
            )
            losses.update(self._interval_supervision(inputs, intervals, stats))
        loss = sum(getattr(self.losses, f"{name}_weight") * value for name, value in losses.items())
        stats.update({f"loss_{name}": value.detach() for name, value in losses.items()})
        stats["loss"] = loss.detach()
        return force_gatherable((loss, stats, len(text)), loss.device)

    def _utterance_supervision(
        self, inputs: _EmotionInputs, emotion: Tensor | None, stats: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """Losses of the emotion branches where one label (B, 1) an utterance is known."""
        losses: dict[str, Tensor] = {}
        if self.emotion_joint is None and self.utterance_head is None:
            return losses
        if emotion is None:
            raise LossInputError("the emotion branches need the emotion of every utterance")
        emotion = emotion.reshape(-1)
        if self.emotion_joint is not None:
            losses["lattice"] = lattice_pooling_loss(
                self.emotion_joint.terms(inputs.h_lattice, inputs.g),
                emotion,
                inputs.enc_lengths,
                inputs.label_lengths,
                self.emotions.neutral_index,
                pooling=self.losses.lattice_pooling,
                neutral_term=self.losses.neutral_term,
                top_share=self.losses.top_share,
                occupancy=inputs.occupancy,
            )
        if self.utterance_head is not None:
            logits = self.utterance_head(inputs.h, inputs.enc_lengths, inputs.g, inputs.label_lengths + 1)
            losses["utterance"] = F.cross_entropy(logits, emotion, label_smoothing=self.losses.emotion_smoothing)
            self._score(logits, emotion, stats)
        return losses

    def _interval_supervision(
        self, inputs: _EmotionInputs, intervals: LatticeIntervals, stats: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """Losses of the emotion branches where the emotion of every node is known.

        The utterance head pools the stretches of each emotion; its cross entropy is averaged over the emotions of an
        utterance, then over the batch.
        """
        losses = {}
        if self.emotion_joint is not None:
            losses["lattice"] = lattice_interval_loss(
                self.emotion_joint.terms(inputs.h_lattice, inputs.g),
                intervals,
                inputs.enc_lengths,
                inputs.label_lengths,
                self.losses.mixing_nodes,
            )
        if self.utterance_head is not None:
            logits, present = self.utterance_head.by_emotion(
                inputs.h, intervals.frame_emotions, inputs.g, intervals.column_emotions
            )
            utterance, emotion = present.nonzero(as_tuple=True)
            entropies = F.cross_entropy(
                logits[utterance, emotion], emotion, reduction="none", label_smoothing=self.losses.emotion_smoothing
            )
            losses["utterance"] = (entropies / present.sum(dim=1)[utterance]).sum() / len(logits)
            self._score(logits[utterance, emotion], emotion, stats)
        return losses

    def _score(self, logits: Tensor, emotion: Tensor, stats: dict[str, Tensor]) -> None:
        predicted = logits.argmax(dim=-1)
        stats["acc_emotion"] = (predicted == emotion).float().mean()
        if not self.training:
            self._count(emotion, predicted)

    def _speech_losses(
        self,
        enc: EncoderStates,
        states: PredictionStates,
        text: Tensor,
        text_lengths: Tensor,
        utt_id: list[str] | None,
    ) -> tuple[dict[str, Tensor], Tensor | None]:
        """Losses, and if it is needed how often alignments pass through each node (B, T, U + 1)."""
        losses, occupancy = {}, None
        if self.losses.transducer_weight > 0:
            inputs = (self.transducer.joint_terms(enc, states), text, enc.lengths, text_lengths, utt_id)
            losses["transducer"], posteriors = transducer_loss_and_alignments(
                *inputs, config=self.losses.of_transducer, posterior_gradient=self.losses.occupancy_gradient
            )
            if self.losses.lattice_pooling == "occupancy":
                posteriors = posteriors or transducer_alignments(*inputs)
                occupancy = posteriors.blank + posteriors.label
        if self.losses.lm_weight > 0:
            losses["lm"] = language_model_loss(self.transducer.lm_logits(states), text, text_lengths)
        if self.ctc is not None:
            losses["ctc"] = ctc_loss(self.ctc(enc.h), text, enc.lengths, text_lengths, utt_ids=utt_id)
        return losses, occupancy

    def collect_feats(self, speech: Tensor, speech_lengths: Tensor, **_unused: Tensor) -> dict[str, Tensor]:
        """Features for the statistics of stage 10: ``feats`` (B, frames, bins), ``feats_lengths`` (B,)."""
        feats, lengths = self.encoder.features(speech, speech_lengths)
        return {"feats": feats, "feats_lengths": lengths}

    def emotion_states(self, labels: Tensor, label_lengths: Tensor, start: PredictionStart | None = None) -> Tensor:
        """Prediction states (B, U + 1, P) that the emotion branches see.

        Args:
            labels: (B, U), padded with any label.
            label_lengths: (B,).
            start: Where the prediction networks go on; None: at the beginning.
        """
        return self.transducer.predict(labels, label_lengths, start).g_blank

    def classify(self, enc: EncoderStates, g: Tensor, num_columns: Tensor) -> Tensor:
        """Utterance emotion logits (B, E) given a text, e.g. the decoded one.

        Args:
            enc: Encoder states of B utterances.
            g: (B, U + 1, P) states of the text, see :meth:`emotion_states`.
            num_columns: (B,) valid columns: number of labels + 1.
        """
        h, g = self.transducer.emotion_inputs(enc, PredictionStates(g, g, num_columns))
        return self.utterance_head(h, enc.lengths, g, num_columns)

    def node_emotions(self, enc: EncoderStates, g: Tensor, nodes: Tensor) -> Tensor:
        """Emotion log-probabilities (B, T, E) along one path through the lattice.

        Args:
            enc: Encoder states of B utterances.
            g: (B, U + 1, P) states of the text, see :meth:`emotion_states`.
            nodes: (B, T), the number of labels emitted before each frame's blank.
        """
        num_columns = nodes.new_full((g.size(0),), g.size(1))
        h, g = self.transducer.emotion_inputs(enc, PredictionStates(g, g, num_columns))
        terms = self.emotion_joint.terms(_of_lattice(enc, h), g)
        utterances = torch.arange(len(nodes), device=nodes.device).unsqueeze(1).expand_as(nodes)
        frames = torch.arange(nodes.size(1), device=nodes.device).expand_as(nodes)
        return terms.node_logits(utterances, frames, nodes).log_softmax(dim=-1)

    def expected_emotions(self, enc: EncoderStates, labels: Tensor, start: PredictionStart | None = None) -> Tensor:
        """Emotion probabilities (B, T, E) of frames, expected over all alignments of a text; without gradients.

        Args:
            enc: Encoder states of B utterances.
            labels: (B, U), of the same length in all utterances.
            start: Where the prediction networks go on; None: at the beginning.
        """
        label_lengths = labels.new_full((labels.size(0),), labels.size(1))
        states = self.transducer.predict(labels, label_lengths, start)
        posteriors = transducer_alignments(self.transducer.joint_terms(enc, states), labels, enc.lengths, label_lengths)
        h, g = self.transducer.emotion_inputs(enc, states)
        terms = self.emotion_joint.terms(_of_lattice(enc, h), g)
        return expected_emotions(terms, posteriors.blank, enc.lengths.tolist(), (label_lengths + 1).tolist())

    def reset_emotion_counts(self) -> None:
        """Forget the counts of the validation so far."""
        self.emotion_counts = np.zeros((len(self.emotions), len(self.emotions)), dtype=np.int64)

    def _count(self, emotion: Tensor, predicted: Tensor) -> None:
        """Add to the confusion counts (rows: reference, columns: prediction) of the validation, text given."""
        np.add.at(self.emotion_counts, (emotion.cpu().numpy(), predicted.cpu().numpy()), 1)


def _of_lattice(enc: EncoderStates, h_emo: Tensor) -> Tensor:
    """Encoder states (B, T, D) that the emotion lattice sees."""
    return h_emo if enc.h_local is None else enc.h_local
