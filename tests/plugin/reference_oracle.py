"""What the public ENT code computes, written down a second time: plain loops in float64, straight from its state dict.

Nothing of this package is used. One utterance at a time, so that there is no padding.
Dimensions: T frames, U labels (U + 1 columns), D encoder size, P prediction size, V vocabulary, E emotions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

NEUTRAL = 3
_FLOOR = 1e-8


@dataclass(frozen=True)
class Greedy:
    """What the greedy loop gives: labels, emotion of each frame, column at which it was read, frames left by force."""

    labels: list[int]
    emotions: list[int]
    columns: list[int]
    forced: list[int]


class Reference:
    """The model of a state dict.

    Args:
        state: Tensors by the public code's names.
        kind: ``ent`` or ``fent``.
    """

    def __init__(self, state: Mapping[str, Tensor], kind: str) -> None:
        self.state = {name: value.double() for name, value in state.items()}
        self.is_factorized = kind == "fent"

    def encode(self, layers: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """h and h_emo (T, D) of the SSL model's hidden states, each (T, S)."""
        layers = [layer.double() for layer in layers]
        mixes = "encoder.speech_pretrain_model.weight_"
        if f"{mixes}audio.gamma" not in self.state:
            h = self._bilstm(layers[-1])
            return h, h
        h = self._bilstm(self._mix(f"{mixes}audio", layers))
        if f"{mixes}emotion.gamma" not in self.state:
            return h, h
        return h, self._bilstm(self._mix(f"{mixes}emotion", layers))

    def predict(self, labels: Sequence[int]) -> tuple[Tensor, Tensor]:
        """g of the labels and g of blank (U + 1, P)."""
        if not self.is_factorized:
            g = self._predict("predictor", labels)
            return g, g
        return self._predict("predictor_vocab", labels), self._predict("predictor_blank", labels)

    def node(self, h: Tensor, h_emo: Tensor, g: Tensor, g_blank: Tensor) -> Tensor:
        """Logits (V,) of one node."""
        if not self.is_factorized:
            return self._joint("joint", h, g)
        return torch.cat((self._joint("joint_blank", h_emo, g_blank), self._joint("joint_vocab", h, g)))

    def lattice(self, layers: Sequence[Tensor], labels: Sequence[int]) -> Tensor:
        """Logits (T, U + 1, V)."""
        (h, h_emo), (g, g_blank) = self.encode(layers), self.predict(labels)
        rows = [[self.node(h[t], h_emo[t], g[u], g_blank[u]) for u in range(len(g))] for t in range(len(h))]
        return torch.stack([torch.stack(row) for row in rows])

    def emotion_lattice(self, layers: Sequence[Tensor], labels: Sequence[int]) -> Tensor:
        """Logits (T, U + 1, E)."""
        (_, h_emo), (_, g_blank) = self.encode(layers), self.predict(labels)
        rows = [[self._joint("joint_emotion", h, g) for g in g_blank] for h in h_emo]
        return torch.stack([torch.stack(row) for row in rows])

    def head(self, layers: Sequence[Tensor], labels: Sequence[int]) -> Tensor:
        """Utterance logits (E,)."""
        (_, h_emo), (_, g_blank) = self.encode(layers), self.predict(labels)
        pooled = torch.cat((h_emo.sum(0) / len(h_emo), g_blank.sum(0) / len(g_blank)))
        centred = pooled - pooled.mean()
        normed = centred / (centred.square().mean() + 1e-5).sqrt()
        normed = normed * self.state["head_emotion.norm.weight"] + self.state["head_emotion.norm.bias"]
        return self._linear("head_emotion.head", normed)

    def transducer_loss(self, layers: Sequence[Tensor], labels: Sequence[int]) -> Tensor:
        """-log of the sum over all alignments: the forward recursion, node by node."""
        log_probs = self.lattice(layers, labels).log_softmax(-1)
        alpha: dict[tuple[int, int], Tensor] = {(0, 0): torch.zeros((), dtype=torch.float64)}
        num_frames, num_columns, _ = log_probs.shape
        for t in range(num_frames):
            for u in range(num_columns):
                arcs = [alpha[t - 1, u] + log_probs[t - 1, u, 0]] if t else []
                arcs += [alpha[t, u - 1] + log_probs[t, u - 1, labels[u - 1]]] if u else []
                if arcs:
                    alpha[t, u] = torch.stack(arcs).logsumexp(0)
        return -(alpha[num_frames - 1, num_columns - 1] + log_probs[-1, -1, 0])

    def lattice_loss(self, layers: Sequence[Tensor], labels: Sequence[int], emotion: int) -> Tensor:
        """-log of the label's largest probability, -log of neutral's smallest."""
        probabilities = self.emotion_lattice(layers, labels).softmax(-1).clamp(_FLOOR, 1.0)
        return -probabilities[..., emotion].max().log() - probabilities[..., NEUTRAL].min().log()

    def utterance_loss(self, layers: Sequence[Tensor], labels: Sequence[int], emotion: int) -> Tensor:
        """Cross entropy of the head."""
        return -self.head(layers, labels).log_softmax(-1)[emotion]

    def greedy(self, layers: Sequence[Tensor], most: int = 32) -> Greedy:
        """Frame by frame; a frame that is left by force keeps the prediction state from before its last label."""
        h, h_emo = self.encode(layers)
        found = Greedy([], [], [], [])
        g, g_blank = self.predict([])
        frame = emitted = 0
        is_behind = False
        while frame < len(h):
            if is_behind:
                g, g_blank = self.predict(found.labels)
            column = len(found.labels)
            best = int(self.node(h[frame], h_emo[frame], g[-1], g_blank[-1]).argmax())
            is_behind = best != 0
            if best:
                found.labels.append(best)
                emitted += 1
            if not best or emitted >= most:
                found.columns.append(column)
                found.emotions.append(int(self._joint("joint_emotion", h_emo[frame], g_blank[-1]).argmax()))
                found.forced.extend([frame] if best else [])
                frame, emitted = frame + 1, 0
        return found

    def _linear(self, name: str, x: Tensor) -> Tensor:
        return self.state[f"{name}.weight"] @ x + self.state[f"{name}.bias"]

    def _joint(self, name: str, h: Tensor, g: Tensor) -> Tensor:
        if f"{name}.enc_ffn.weight" in self.state:
            h, g = self._linear(f"{name}.enc_ffn", h), self._linear(f"{name}.pred_ffn", g)
        columns = self.state[f"{name}.ffn_out.weight"].size(1)
        hidden = h + g if columns == len(h) else torch.cat((h, g))
        return self._linear(f"{name}.ffn_out", hidden.tanh())

    def _mix(self, name: str, layers: Sequence[Tensor]) -> Tensor:
        weights = torch.stack([self.state[f"{name}.scalar_parameters.{index}"][0] for index in range(len(layers))])
        shares = weights.exp() / weights.exp().sum()
        return self.state[f"{name}.gamma"] * sum(share * layer for share, layer in zip(shares, layers, strict=True))

    def _predict(self, name: str, labels: Sequence[int]) -> Tensor:
        inputs = [self.state[f"{name}.embed.weight"][label] for label in (0, *labels)]
        return torch.stack([self._linear(f"{name}.projection", hidden) for hidden in self._lstm(f"{name}.rnn", inputs)])

    def _bilstm(self, x: Tensor) -> Tensor:
        forwards = self._lstm("encoder.rnn", list(x))
        backwards = self._lstm("encoder.rnn", list(x.flip(0)), "_reverse")[::-1]
        return torch.stack([torch.cat(pair) for pair in zip(forwards, backwards, strict=True)])

    def _lstm(self, name: str, inputs: Sequence[Tensor], direction: str = "") -> list[Tensor]:
        w_x, w_h, b_x, b_h = (
            self.state[f"{name}.{kind}_l0{direction}"] for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        hidden = cell = torch.zeros(w_h.size(1), dtype=torch.float64)
        outputs = []
        for x in inputs:
            into, forget, new, out = (w_x @ x + b_x + w_h @ hidden + b_h).chunk(4)
            cell = forget.sigmoid() * cell + into.sigmoid() * new.tanh()
            hidden = out.sigmoid() * cell.tanh()
            outputs.append(hidden)
        return outputs
