"""The joint network: linear(h) + linear(g) -> tanh -> linear."""

from __future__ import annotations

from torch import Tensor, nn

from espnet_ent.transducer.products import linear
from espnet_ent.transducer.states import JointTerms


class JointNetwork(nn.Module):
    """Combines an encoder frame and a prediction state into output logits.

    Source: Graves, "Sequence transduction with recurrent neural networks", 2012, in the tanh form that
    all current toolkits use.

    Dimensions: B batch, T frames, U labels, D encoder size, P prediction size, J joint size, K outputs.

    Args:
        encoder_size: D.
        prediction_size: P.
        joint_size: J.
        output_size: K.
    """

    def __init__(self, encoder_size: int, prediction_size: int, joint_size: int, output_size: int) -> None:
        super().__init__()
        self.encoder_projection = nn.Linear(encoder_size, joint_size)
        # One bias is enough: the two projections are added.
        self.prediction_projection = nn.Linear(prediction_size, joint_size, bias=False)
        self.output = nn.Linear(joint_size, output_size)

    def terms(self, h: Tensor, g: Tensor) -> JointTerms:
        """Terms of the lattice of ``h`` (B, T, D) and ``g`` (B, U + 1, P)."""
        return JointTerms(
            self.encoder_projection(h), self.prediction_projection(g), self.output.weight, self.output.bias
        )

    def combine(self, encoder: Tensor, prediction: Tensor) -> Tensor:
        """Logits (..., K) of projected states (..., J), broadcast against each other."""
        return linear(self.output, (encoder + prediction).tanh_())

    def logits(self, h_t: Tensor, g_u: Tensor) -> Tensor:
        """Logits (..., K) of nodes, given states (..., D) and (..., P)."""
        return self.output((self.encoder_projection(h_t) + self.prediction_projection(g_u)).tanh())
