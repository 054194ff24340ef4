"""The emotion joint network, whose outputs over all nodes are the emotion lattice."""

from __future__ import annotations

from torch import Tensor, nn

from espnet_ent.errors import ConfigError
from espnet_ent.transducer.products import linear
from espnet_ent.transducer.states import JointTerms


class EmotionJoint(nn.Module):
    """linear(h) + linear(g) -> tanh -> linear to E emotions.

    With ``prediction_size`` 0, or ``frame_wise``, it is the frame-wise baseline, whose lattice has the
    single column u = 0.

    Source: Shen et al., "Emotion neural transducer for fine-grained speech emotion recognition", 2024.

    Dimensions: B batch, T frames, U labels, D encoder size, P prediction size, J joint size, E emotions.

    Args:
        encoder_size: D.
        prediction_size: P, or 0.
        joint_size: J.
        num_emotions: E.
        frame_wise: Leave the prediction states out, although there are some.
    """

    def __init__(
        self, encoder_size: int, prediction_size: int, joint_size: int, num_emotions: int, frame_wise: bool = False
    ) -> None:
        super().__init__()
        prediction_size = 0 if frame_wise else prediction_size
        self.encoder_projection = nn.Linear(encoder_size, joint_size)
        self.prediction_projection = nn.Linear(prediction_size, joint_size, bias=False) if prediction_size else None
        self.output = nn.Linear(joint_size, num_emotions)

    @property
    def is_frame_wise(self) -> bool:
        """Whether the lattice has a single column."""
        return self.prediction_projection is None

    def terms(self, h: Tensor, g: Tensor | None = None) -> JointTerms:
        """Terms of the emotion lattice.

        Args:
            h: (B, T, D) encoder states.
            g: (B, U + 1, P) prediction states; None for the frame-wise network.

        Raises:
            ConfigError: If ``g`` is given to a frame-wise network or is missing for another.
        """
        encoder = linear(self.encoder_projection, h)
        prediction = self._project_prediction(g)
        if prediction is None:
            prediction = encoder.new_zeros(encoder.size(0), 1, encoder.size(2))
        return JointTerms(encoder, prediction, self.output.weight, self.output.bias)

    def logits(self, h: Tensor, g: Tensor | None = None) -> Tensor:
        """Logits (..., E) of nodes, given states (..., D) and (..., P), broadcast against each other.

        Raises:
            ConfigError: As :meth:`terms`.
        """
        hidden = self.encoder_projection(h)
        prediction = self._project_prediction(g)
        if prediction is not None:
            hidden = hidden + prediction
        return self.output(hidden.tanh())

    def _project_prediction(self, g: Tensor | None) -> Tensor | None:
        if g is not None and self.prediction_projection is not None:
            return linear(self.prediction_projection, g)
        if g is None and self.prediction_projection is None:
            return None
        raise ConfigError(
            "the emotion joint and its prediction states do not fit",
            expected="prediction states" if g is None else "no prediction states",
        )
