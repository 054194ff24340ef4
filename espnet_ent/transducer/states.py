"""What passes between encoder, prediction network, joint networks, losses and search.

Dimensions: B batch, T encoder frames, U labels (the lattice has U + 1 columns), D encoder size,
P prediction size, J joint size, K outputs of one joint network (V, V - 1, 1 or E), L layers, F acoustic features.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class EncoderUse:
    """What a model needs of its encoder: the rest is neither computed nor trained.

    Attributes:
        states: ``h`` as the transducer, the emotion lattice or a head sees it, with layer mix and top. Otherwise ``h``
            is the last layer, without parameters of its own.
        layers: Every layer.
        acoustic: The features that the encoder itself sees.
    """

    states: bool = True
    layers: bool = False
    acoustic: bool = False


@dataclass(frozen=True, eq=False)
class AcousticStates:
    """What an encoder sees of the speech.

    Attributes:
        features: (B, N, F), normalised features, or the states of a pretrained model.
        lengths: (B,) int64, valid rows.
        rate: Rows for one encoder frame.
    """

    features: Tensor
    lengths: Tensor
    rate: int

    def cut(self, first: int, last: int | None) -> AcousticStates:
        """What belongs to the frames [first, last) of a single utterance; ``last`` None: up to the end."""
        rows = slice(first * self.rate, None if last is None else last * self.rate)
        features = self.features[:, : int(self.lengths[0])][:, rows]
        return AcousticStates(features, torch.full_like(self.lengths, features.size(1)), self.rate)


@dataclass(frozen=True, eq=False)
class EncoderStates:
    """Encoder output.

    Attributes:
        h: (B, T, D) states for the transcription.
        h_emo: (B, T, D) states for blank and emotion; ``h`` itself where there is no second layer mix.
        lengths: (B,) int64, valid frames.
        h_local: (B, T, D) states for the emotion lattice alone, of an emotion branch; None: it sees what the utterance
            head sees.
        layers: (B, L, T, D'), the states of every layer; None where nobody asked for them.
        acoustic: What the encoder saw; None where nobody asked for it.
    """

    h: Tensor
    h_emo: Tensor
    lengths: Tensor
    h_local: Tensor | None = None
    layers: Tensor | None = None
    acoustic: AcousticStates | None = None

    def cut(self, first: int, last: int | None) -> EncoderStates:
        """Frames [first, last) of a single utterance; ``last`` None: up to the end."""
        length = int(self.lengths[0])
        frames = slice(first, length if last is None else min(last, length))
        return EncoderStates(
            h=self.h[:, frames],
            h_emo=self.h_emo[:, frames],
            lengths=torch.full_like(self.lengths, max(0, frames.stop - first)),
            h_local=None if self.h_local is None else self.h_local[:, frames],
            layers=None if self.layers is None else self.layers[:, :, frames],
            acoustic=None if self.acoustic is None else self.acoustic.cut(first, last),
        )


@dataclass(frozen=True, eq=False)
class PredictionStates:
    """Prediction network output for whole label sequences.

    Attributes:
        g: (B, U + 1, P) states for the labels; column u has seen blank and the first u labels.
        g_blank: (B, U + 1, P) states for blank and emotion; ``g`` itself in the standard transducer.
        lengths: (B,) int64, valid columns: number of labels + 1.
    """

    g: Tensor
    g_blank: Tensor
    lengths: Tensor


@dataclass(frozen=True, eq=False)
class StepStates:
    """Prediction network output after one step of a search.

    Attributes:
        g: (B, P) states for the labels.
        g_blank: (B, P) states for blank; ``g`` itself in the standard transducer.
    """

    g: Tensor
    g_blank: Tensor


@dataclass(frozen=True, eq=False)
class JointTerms:
    """A joint network before its T x U lattice is spread out.

    The output at node (t, u) is ``tanh(encoder[t] + prediction[u]) @ weight.T + bias``. Losses take these
    terms instead of dense logits, so that they may compute only the nodes they need.

    Attributes:
        encoder: (B, T, J) projected encoder states.
        prediction: (B, U + 1, J) projected prediction states; (B, 1, J) for a frame-wise network.
        weight: (K, J) output weights.
        bias: (K,) output bias.
    """

    encoder: Tensor
    prediction: Tensor
    weight: Tensor
    bias: Tensor

    @property
    def lattice_shape(self) -> tuple[int, int, int, int]:
        """(B, T, U + 1, K), the shape of :meth:`logits`."""
        batch_size, num_frames, _ = self.encoder.shape
        return batch_size, num_frames, self.prediction.size(1), self.weight.size(0)

    def logits(self) -> Tensor:
        """Dense logits (B, T, U + 1, K)."""
        return self._output(self.encoder.unsqueeze(2) + self.prediction.unsqueeze(1))

    def node_logits(self, b: Tensor, t: Tensor, u: Tensor) -> Tensor:
        """Logits of single nodes.

        Args:
            b: (N,) or any other shape, int64, utterance of each node.
            t: As ``b``, frame of each node.
            u: As ``b``, column of each node.

        Returns:
            (N, K) logits.
        """
        return self._output(self.encoder[b, t] + self.prediction[b, u])

    def block_logits(self, b: int, frames: slice, num_columns: int) -> Tensor:
        """Logits (frames, num_columns, K) of one utterance's frames and its first columns."""
        return self._output(self.encoder[b, frames].unsqueeze(1) + self.prediction[b, :num_columns])

    def trimmed(self, num_frames: int, num_columns: int) -> JointTerms:
        """The same terms without the frames and columns that are padding for the whole batch."""
        return JointTerms(self.encoder[:, :num_frames], self.prediction[:, :num_columns], self.weight, self.bias)

    def _output(self, hidden: Tensor) -> Tensor:
        # In place: `hidden` is a sum that nothing else holds, and addition saves no result for backward.
        return torch.nn.functional.linear(hidden.tanh_(), self.weight, self.bias)
