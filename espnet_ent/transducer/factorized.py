"""The factorized transducer: blank has a prediction and a joint network of its own."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from espnet_ent.errors import ConfigError
from espnet_ent.transducer.joint import JointNetwork
from espnet_ent.transducer.masks import mask_labels
from espnet_ent.transducer.prediction import PredictionNetwork, PredictionStart, PredictionState
from espnet_ent.transducer.products import linear
from espnet_ent.transducer.states import EncoderStates, JointTerms, PredictionStates, StepStates


class FactorizedTransducer(nn.Module):
    """Prediction and joint networks of FENT; emotion goes with blank, apart from the vocabulary.

    Blank joint (1 output) on (h_emo, g_blank), vocabulary joint (V - 1 outputs) on (h, g); their logits are
    concatenated, blank first, under one softmax.

    Dimensions: B batch, T frames, U labels, V vocabulary with blank = 0, D encoder size, P prediction
    size, J joint size.

    Args:
        vocab_size: V.
        encoder_size: D.
        embedding_size: Size of the label embeddings.
        hidden_size: Size of the prediction networks' recurrent layers.
        prediction_size: P.
        joint_size: J.
        num_layers: Recurrent layers of each prediction network.
        dropout: Dropout of the prediction networks.
        language_model: Whether to build the output layer of :meth:`lm_logits`.
    """

    def __init__(
        self,
        vocab_size: int,
        encoder_size: int,
        embedding_size: int = 640,
        hidden_size: int = 640,
        prediction_size: int = 768,
        joint_size: int = 768,
        num_layers: int = 1,
        dropout: float = 0.0,
        language_model: bool = False,
    ) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        sizes = (vocab_size, embedding_size, hidden_size, prediction_size, num_layers, dropout)
        self.blank_prediction = PredictionNetwork(*sizes)
        self.vocabulary_prediction = PredictionNetwork(*sizes)
        self.blank_joint = JointNetwork(encoder_size, prediction_size, joint_size, 1)
        self.vocabulary_joint = JointNetwork(encoder_size, prediction_size, joint_size, vocab_size - 1)
        self.lm_output = nn.Linear(prediction_size, vocab_size - 1) if language_model else None

    @property
    def emotion_prediction_size(self) -> int:
        """Size of the prediction states that :meth:`emotion_inputs` returns."""
        return self.blank_prediction.output_size

    def predict(self, labels: Tensor, label_lengths: Tensor, start: PredictionStart | None = None) -> PredictionStates:
        """Prediction states of ``labels`` (B, U), of which ``label_lengths`` (B,) are valid, from ``start`` on."""
        labels = mask_labels(labels, label_lengths)
        return PredictionStates(
            g=self.vocabulary_prediction(labels, None if start is None else start.part(1, of=2)),
            g_blank=self.blank_prediction(labels, None if start is None else start.part(0, of=2)),
            lengths=label_lengths.to(labels.device) + 1,
        )

    def joint_terms(self, enc: EncoderStates, states: PredictionStates) -> tuple[JointTerms, ...]:
        """Joint terms whose logits, concatenated, are the (B, T, U + 1, V) logits under one softmax."""
        return (
            self.blank_joint.terms(enc.h_emo, states.g_blank),
            self.vocabulary_joint.terms(enc.h, states.g),
        )

    def emotion_inputs(self, enc: EncoderStates, states: PredictionStates) -> tuple[Tensor, Tensor]:
        """What the emotion joint and the utterance head see: (B, T, D) and (B, U + 1, P)."""
        return enc.h_emo, states.g_blank

    def lm_logits(self, states: PredictionStates) -> Tensor:
        """Next-label logits (B, U + 1, V - 1) of the vocabulary predictor alone; output k is label k + 1.

        Raises:
            ConfigError: If the network was built without ``language_model``.
        """
        if self.lm_output is None:
            raise ConfigError(
                "the factorized transducer has no language-model output",
                next_step="set language_model: true in transducer_conf",
            )
        return self.lm_output(states.g)

    def initial_state(self, batch_size: int) -> PredictionState:
        """State before the first step of a search: the blank predictor's tensors, then the vocabulary's."""
        return self.blank_prediction.initial_state(batch_size) + self.vocabulary_prediction.initial_state(batch_size)

    def step(self, labels: Tensor, state: PredictionState) -> tuple[StepStates, PredictionState]:
        """Prediction states after ``labels`` (B,) and the new recurrent state."""
        half = len(state) // 2
        g_blank, blank_state = self.blank_prediction.step(labels, state[:half])
        g, vocabulary_state = self.vocabulary_prediction.step(labels, state[half:])
        return StepStates(g, g_blank), blank_state + vocabulary_state

    def predictors(self) -> tuple[tuple[PredictionNetwork, nn.Linear], ...]:
        """For each joint network its prediction network and the projection between them."""
        return (
            (self.blank_prediction, self.blank_joint.prediction_projection),
            (self.vocabulary_prediction, self.vocabulary_joint.prediction_projection),
        )

    def project_encoder(self, enc: EncoderStates) -> tuple[Tensor, ...]:
        """Encoder states projected once for a whole search: (B, T, J) for each joint network; without gradients."""
        of_blank = linear(self.blank_joint.encoder_projection, enc.h_emo)
        return of_blank, linear(self.vocabulary_joint.encoder_projection, enc.h)

    def project_step(self, states: StepStates) -> tuple[Tensor, ...]:
        """Prediction states projected once a label: (B, J) for each joint network."""
        return (
            self.blank_joint.prediction_projection(states.g_blank),
            self.vocabulary_joint.prediction_projection(states.g),
        )

    def combine(self, encoder: tuple[Tensor, ...], prediction: tuple[Tensor, ...]) -> Tensor:
        """Logits (..., V) of projected states (..., J), broadcast against each other."""
        blank = self.blank_joint.combine(encoder[0], prediction[0])
        vocabulary = self.vocabulary_joint.combine(encoder[1], prediction[1])
        return torch.cat((blank, vocabulary), dim=-1)

    def logits(self, h_t: Tensor, h_emo_t: Tensor, states: StepStates) -> Tensor:
        """Logits (B, V) of one node an utterance, given encoder states (B, D)."""
        blank = self.blank_joint.logits(h_emo_t, states.g_blank)
        return torch.cat((blank, self.vocabulary_joint.logits(h_t, states.g)), dim=-1)
