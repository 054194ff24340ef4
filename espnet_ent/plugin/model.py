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
from espnet_ent.emotion.utterance import UtteranceHead, UtteranceInputs
from espnet_ent.encoders.layer_states import LayerStates
from espnet_ent.encoders.ssl import SSLEncoder
from espnet_ent.errors import ConfigError, LossInputError
from espnet_ent.labels import EmotionInventory
from espnet_ent.losses.checks import check_sequences
from espnet_ent.losses.ctc import ctc_loss
from espnet_ent.losses.language_model import language_model_loss
from espnet_ent.losses.lattice_intervals import lattice_interval_loss
from espnet_ent.losses.lattice_pooling import lattice_pooling_loss
from espnet_ent.losses.transducer import transducer_alignments, transducer_loss_and_alignments
from espnet_ent.plugin.asr_encoder import ASREncoder
from espnet_ent.plugin.encoders import FeatureEncoder
from espnet_ent.plugin.loss_config import LossConfig
from espnet_ent.search.expectation import expected_emotions
from espnet_ent.transducer.factorized import FactorizedTransducer
from espnet_ent.transducer.prediction import PredictionStart
from espnet_ent.transducer.standard import Transducer
from espnet_ent.transducer.states import EncoderStates, PredictionStates


@dataclass(frozen=True, eq=False)
class _LatticeInputs:
    """What the emotion lattice sees.

    States (B, T, D); (B, U + 1, P), or None; lengths (B,), the second in labels; how often alignments pass through each
    node (B, T, U + 1), or None.
    """

    h: Tensor
    g: Tensor | None
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
        transducer: Standard or factorized transducer; None: words are not learned, or by CTC alone.
        emotion_joint: Emotion joint network over the lattice; None where the lattice loss has no weight.
        utterance_head: Utterance emotion head; None where its cross entropy has no weight.

    """

    def __init__(
        self,
        encoder: FeatureEncoder | ASREncoder | SSLEncoder,
        tokens: tuple[str, ...],
        emotions: EmotionInventory,
        losses: LossConfig,
        transducer: Transducer | FactorizedTransducer | None,
        emotion_joint: EmotionJoint | None,
        utterance_head: UtteranceHead | None,
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

    @property
    def has_alignments(self) -> bool:
        """Whether frames have emotions on all alignments of a text."""
        return self.losses.transducer_weight > 0 and not self.emotion_joint.is_frame_wise

    @property
    def tells_words(self) -> bool:
        """Whether the model has learned words."""
        return self.losses.transducer_weight > 0 or self.ctc is not None

    @property
    def reads_text(self) -> bool:
        """Whether the utterance's emotion depends on a text."""
        return self.utterance_head is not None and self.utterance_head.reads_text

    def forward(
        self,
        text: Tensor,
        text_lengths: Tensor,
        speech: Tensor | None = None,
        speech_lengths: Tensor | None = None,
        emotion: Tensor | None = None,
        emo_intervals: Tensor | None = None,
        emo_intervals_lengths: Tensor | None = None,
        utt_id: list[str] | None = None,
        **others: Tensor,
    ) -> tuple[Tensor, dict[str, Tensor | None], Tensor]:
        """The weighted sum of the losses.

        Args:
            text: (B, U), labels; -1 beyond ``text_lengths``.
            text_lengths: (B,), labels.
            speech: (B, N), float32 samples; None: ``others`` are from a feature cache.
            speech_lengths: (B,), samples.
            emotion: (B, 1), class indices; None only for a model without emotion branches.
            emo_intervals: (B, K, 3), rows ``(first sample, first token, emotion)``: supervises the emotion branches by
                intervals in place of ``emotion``.
            emo_intervals_lengths: (B,), intervals.
            utt_id: Names for error messages.
            others: States in place of speech, see :meth:`LayerStates.from_batch`; anything else has no effect.

        Returns:
            Loss (scalar), stats by name (detached scalars), weight (the batch size).

        Raises:
            LossInputError: On input that a loss does not allow, e.g. labels out of the vocabulary.
        """
        text = text[:, : int(text_lengths.max())]
        cached = LayerStates.from_batch(others)
        enc = self.encoder(speech, speech_lengths) if cached is None else self.encoder.from_layers(cached)
        # Before the embedding, which would fail without naming the utterance.
        check_sequences(enc.h.size(1), len(self.tokens), text, enc.lengths, text_lengths, utt_id)
        states = None if self.transducer is None else self.transducer.predict(text, text_lengths)
        losses, occupancy = self._speech_losses(enc, states, text, text_lengths, utt_id)
        stats: dict[str, Tensor] = {}
        h, g = self._emotion_inputs(enc, states)
        lattice = self._lattice_inputs(enc, h, g, text_lengths, occupancy)
        utterance = UtteranceInputs(enc, h, g, text, text_lengths)
        if emo_intervals is None:
            losses.update(self._utterance_supervision(lattice, utterance, emotion, stats))
        else:
            intervals = LatticeIntervals.from_rows(
                emo_intervals, emo_intervals_lengths, enc.lengths, text_lengths, self.encoder.grid
            )
            losses.update(self._interval_supervision(lattice, utterance, intervals, stats))
        loss = sum(getattr(self.losses, f"{name}_weight") * value for name, value in losses.items())
        stats.update({f"loss_{name}": value.detach() for name, value in losses.items()})
        stats["loss"] = loss.detach()
        return force_gatherable((loss, stats, len(text)), loss.device)

    def _emotion_inputs(self, enc: EncoderStates, states: PredictionStates | None) -> tuple[Tensor, Tensor | None]:
        """States of the emotion side: (B, T, D), and (B, U + 1, P) or None."""
        return (enc.h_emo, None) if states is None else self.transducer.emotion_inputs(enc, states)

    def _lattice_inputs(
        self, enc: EncoderStates, h: Tensor, g: Tensor | None, label_lengths: Tensor, occupancy: Tensor | None
    ) -> _LatticeInputs:
        if self.emotion_joint is not None and self.emotion_joint.is_frame_wise:
            g, label_lengths = None, torch.zeros_like(label_lengths)
        return _LatticeInputs(_of_lattice(enc, h), g, enc.lengths, label_lengths, occupancy)

    def _utterance_supervision(
        self,
        inputs: _LatticeInputs,
        utterance: UtteranceInputs,
        emotion: Tensor | None,
        stats: dict[str, Tensor],
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
                self.emotion_joint.terms(inputs.h, inputs.g),
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
            logits = self.utterance_head.classify(utterance)
            losses["utterance"] = F.cross_entropy(logits, emotion, label_smoothing=self.losses.emotion_smoothing)
            self._score(logits, emotion, stats)
        return losses

    def _interval_supervision(
        self,
        inputs: _LatticeInputs,
        utterance: UtteranceInputs,
        intervals: LatticeIntervals,
        stats: dict[str, Tensor],
    ) -> dict[str, Tensor]:
        """Losses of the emotion branches where the emotion of every node is known.

        The utterance head pools the stretches of each emotion; its cross entropy is averaged over the emotions of an
        utterance, then over the batch.
        """
        losses = {}
        if self.emotion_joint is not None:
            is_frame_wise = self.emotion_joint.is_frame_wise
            losses["lattice"] = lattice_interval_loss(
                self.emotion_joint.terms(inputs.h, inputs.g),
                intervals.frame_wise if is_frame_wise else intervals,
                inputs.enc_lengths,
                inputs.label_lengths,
                "later" if is_frame_wise else self.losses.mixing_nodes,
            )
        if self.utterance_head is not None:
            if not isinstance(self.utterance_head, PoolingHead):
                raise ConfigError(
                    "this utterance head does not learn from emotion intervals",
                    where="utterance_head",
                    expected="pooling, or data without emo_segments (--mixing false)",
                    got=type(self.utterance_head).__name__,
                )
            columns = None if utterance.g is None else intervals.column_emotions
            logits, present = self.utterance_head.by_emotion(
                utterance.h, intervals.frame_emotions, utterance.g, columns
            )
            row, emotion = present.nonzero(as_tuple=True)
            entropies = F.cross_entropy(
                logits[row, emotion], emotion, reduction="none", label_smoothing=self.losses.emotion_smoothing
            )
            losses["utterance"] = (entropies / present.sum(dim=1)[row]).sum() / len(logits)
            self._score(logits[row, emotion], emotion, stats)
        return losses

    def _score(self, logits: Tensor, emotion: Tensor, stats: dict[str, Tensor]) -> None:
        predicted = logits.argmax(dim=-1)
        stats["acc_emotion"] = (predicted == emotion).float().mean()
        if not self.training:
            self._count(emotion, predicted)

    def _speech_losses(
        self,
        enc: EncoderStates,
        states: PredictionStates | None,
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

    def emotion_states(
        self, labels: Tensor, label_lengths: Tensor, start: PredictionStart | None = None
    ) -> Tensor | None:
        """Prediction states (B, U + 1, P) that the emotion branches see; None without a transducer.

        Args:
            labels: (B, U), padded with any label.
            label_lengths: (B,).
            start: Where the prediction networks go on; None: at the beginning.
        """
        if self.transducer is None:
            return None
        return self.transducer.predict(labels, label_lengths, start).g_blank

    def classify(self, enc: EncoderStates, g: Tensor | None, labels: Tensor, label_lengths: Tensor) -> Tensor:
        """Utterance emotion logits (B, E) given a text, e.g. the decoded one.

        Args:
            enc: Encoder states of B utterances.
            g: (B, U + 1, P) states of the text, see :meth:`emotion_states`.
            labels: (B, U), the text.
            label_lengths: (B,).
        """
        states = None if g is None else PredictionStates(g, g, label_lengths + 1)
        h, g = self._emotion_inputs(enc, states)
        return self.utterance_head.classify(UtteranceInputs(enc, h, g, labels, label_lengths))

    def node_emotions(self, enc: EncoderStates, g: Tensor | None, nodes: Tensor) -> Tensor:
        """Emotion log-probabilities (B, T, E) along one path through the lattice.

        Args:
            enc: Encoder states of B utterances.
            g: (B, U + 1, P) states of the text, see :meth:`emotion_states`.
            nodes: (B, T), the number of labels emitted before each frame's blank.
        """
        states = None if g is None else PredictionStates(g, g, nodes.new_full((len(g),), g.size(1)))
        h, g = self._emotion_inputs(enc, states)
        if self.emotion_joint.is_frame_wise:
            g, nodes = None, torch.zeros_like(nodes)
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
