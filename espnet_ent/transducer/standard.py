"""The standard transducer: one prediction network, one joint network."""

from __future__ import annotations

from torch import Tensor, nn

from espnet_ent.transducer.joint import JointNetwork
from espnet_ent.transducer.masks import mask_labels
from espnet_ent.transducer.prediction import PredictionNetwork, PredictionStart, PredictionState
from espnet_ent.transducer.products import linear
from espnet_ent.transducer.states import EncoderStates, JointTerms, PredictionStates, StepStates


class Transducer(nn.Module):
    """Prediction network and joint network of ENT; the emotion joint shares h and g.

    Dimensions: B batch, T frames, U labels, V vocabulary with blank = 0, D encoder size, P prediction
    size, J joint size.

    Args:
        vocab_size: V.
        encoder_size: D.
        embedding_size: Size of the label embedding.
        hidden_size: Size of the prediction network's recurrent layers.
        prediction_size: P.
        joint_size: J.
        num_layers: Recurrent layers of the prediction network.
        dropout: Dropout of the prediction network.
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
    ) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        self.prediction = PredictionNetwork(
            vocab_size, embedding_size, hidden_size, prediction_size, num_layers, dropout
        )
        self.joint = JointNetwork(encoder_size, prediction_size, joint_size, vocab_size)

    @property
    def emotion_prediction_size(self) -> int:
        """Size of the prediction states that :meth:`emotion_inputs` returns."""
        return self.prediction.output_size

    def predict(self, labels: Tensor, label_lengths: Tensor, start: PredictionStart | None = None) -> PredictionStates:
        """Prediction states of ``labels`` (B, U), of which ``label_lengths`` (B,) are valid, from ``start`` on."""
        g = self.prediction(mask_labels(labels, label_lengths), start)
        return PredictionStates(g, g, label_lengths.to(g.device) + 1)

    def joint_terms(self, enc: EncoderStates, states: PredictionStates) -> tuple[JointTerms, ...]:
        """Joint terms whose logits, concatenated, are the (B, T, U + 1, V) logits under one softmax."""
        return (self.joint.terms(enc.h, states.g),)

    def emotion_inputs(self, enc: EncoderStates, states: PredictionStates) -> tuple[Tensor, Tensor]:
        """What the emotion joint and the utterance head see: (B, T, D) and (B, U + 1, P)."""
        return enc.h, states.g

    def initial_state(self, batch_size: int) -> PredictionState:
        """State before the first step of a search; the first step is on blank."""
        return self.prediction.initial_state(batch_size)

    def step(self, labels: Tensor, state: PredictionState) -> tuple[StepStates, PredictionState]:
        """Prediction states after ``labels`` (B,) and the new recurrent state."""
        g, state = self.prediction.step(labels, state)
        return StepStates(g, g), state

    def predictors(self) -> tuple[tuple[PredictionNetwork, nn.Linear], ...]:
        """For each joint network its prediction network and the projection between them."""
        return ((self.prediction, self.joint.prediction_projection),)

    def project_encoder(self, enc: EncoderStates) -> tuple[Tensor, ...]:
        """Encoder states projected once for a whole search: (B, T, J) for each joint network; without gradients."""
        return (linear(self.joint.encoder_projection, enc.h),)

    def project_step(self, states: StepStates) -> tuple[Tensor, ...]:
        """Prediction states projected once a label: (B, J) for each joint network."""
        return (self.joint.prediction_projection(states.g),)

    def combine(self, encoder: tuple[Tensor, ...], prediction: tuple[Tensor, ...]) -> Tensor:
        """Logits (..., V) of projected states (..., J), broadcast against each other."""
        return self.joint.combine(encoder[0], prediction[0])

    def logits(self, h_t: Tensor, h_emo_t: Tensor, states: StepStates) -> Tensor:
        """Logits (B, V) of one node an utterance, given encoder states (B, D)."""
        return self.joint.logits(h_t, states.g)
