"""Every layer of a trained model's encoder, for analyses of what is in which.

Dimensions: L layers, T encoder frames, D output size.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from espnet_ent.emotion.layer_fusion import LayerFusion
from espnet_ent.encoders.layer_mix import LayerMix
from espnet_ent.encoders.ssl import SSLEncoder
from espnet_ent.plugin.asr_encoder import ASREncoder
from espnet_ent.plugin.asr_parts import ASRModelParts
from espnet_ent.plugin.encoders import FeatureEncoder, long_enough
from espnet_ent.plugin.layer_outputs import LayerOutputs
from espnet_ent.plugin.model import ESPnetENTModel


class EncoderLayers:
    """Gives the layers of an encoder, recording by recording, as decoding encodes them.

    All layers there are, whichever the model uses, numbered from 1. ESPnet's encoders: the blocks, each through the
    encoder's final norm (see :class:`LayerOutputs`). Pretrained speech models: the input of the first block is 1, as in
    the options of heads.

    Args:
        encoder: The encoder of a model in evaluation mode.
        device: Where it is.

    Attributes:
        numbers: Numbers of the layers.
        grid: Time grid of their frames.
    """

    def __init__(self, encoder: FeatureEncoder | ASREncoder | SSLEncoder, device: str = "cpu") -> None:
        self.encoder, self.device, self.grid = encoder, device, encoder.grid
        self._parts: ASRModelParts | None = None
        if isinstance(encoder, SSLEncoder):
            self.numbers = tuple(range(1, encoder.source.num_layers + 1))
        elif isinstance(encoder, ASREncoder):
            names = ("frontend", "normalize", "preencoder", "encoder")
            self.numbers = tuple(range(1, len(LayerOutputs(encoder.parts.encoder)) + 1))
            modules = {name: getattr(encoder.parts, name) for name in names}
            self._parts = ASRModelParts(modules, self.numbers, layer_norm=True).eval()
        else:
            self.numbers = tuple(range(1, len(LayerOutputs(encoder.encoder)) + 1))

    @torch.no_grad()
    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """Layers (L, T, D), float32, of samples (N,) at the model's rate.

        Raises:
            LossInputError: If there are too few samples.
        """
        speech = torch.from_numpy(np.ascontiguousarray(samples, dtype=np.float32)).to(self.device)[None]
        layers, length = self._layers(speech, torch.tensor([len(samples)], device=self.device))
        return torch.stack([layer[0, :length] for layer in layers]).float().cpu().numpy()

    def _layers(self, speech: Tensor, lengths: Tensor) -> tuple[Sequence[Tensor], int]:
        """L tensors (1, T', D) and T."""
        encoder = self.encoder
        if isinstance(encoder, SSLEncoder):
            states = encoder.source(speech, lengths)
            return states.layers, int(states.lengths[0])
        if self._parts is not None:
            found = self._parts(speech, lengths)
            return found.layers, int(found.lengths[0])
        feats, feats_lengths = encoder.features(speech, lengths)
        if encoder.normalize is not None:
            feats, feats_lengths = encoder.normalize(feats, feats_lengths)
        with long_enough():
            layers, found_lengths = LayerOutputs(encoder.encoder)(feats, feats_lengths)
        return layers, int(found_lengths[0])


class LearnedWeights:
    """The weights that a model has learned for the layers of its encoder.

    Those of a layer mix are its parameters, after the softmax; those of an attention belong to an utterance, and are
    averaged over all that were heard.

    Args:
        model: The model, in evaluation mode.
        layers: The layers of its encoder.
    """

    def __init__(self, model: ESPnetENTModel, layers: EncoderLayers) -> None:
        self._model, self._device = model, layers.device
        encoder = model.encoder
        self._used = encoder.parts.layers if isinstance(encoder, ASREncoder) else layers.numbers
        fusions = {name: module for name, module in model.named_modules() if isinstance(module, LayerFusion)}
        self._attentions = {name: fusion for name, fusion in fusions.items() if fusion.scores is not None}
        self._sums = {name: np.zeros(len(fusion.indices)) for name, fusion in self._attentions.items()}
        self._numbers = {name: [self._used[index] for index in fusion.indices] for name, fusion in fusions.items()}
        self._num_heard = 0

    @torch.no_grad()
    def hear(self, samples: np.ndarray) -> None:
        """Add the attention of an utterance, given its samples (N,)."""
        if not self._attentions:
            return
        speech = torch.from_numpy(np.ascontiguousarray(samples, dtype=np.float32)).to(self._device)[None]
        enc = self._model.encoder(speech, torch.tensor([len(samples)], device=self._device))
        for name, fusion in self._attentions.items():
            self._sums[name] += fusion.weights(fusion.normalised(enc.layers), enc.lengths)[0].double().cpu().numpy()
        self._num_heard += 1

    def told(self) -> dict[str, dict[int, float]]:
        """Name of the mix or attention in the model -> number of the layer -> weight."""
        found = {}
        for name, module in self._model.named_modules():
            if isinstance(module, LayerMix):
                weights = module.weights.detach().float().softmax(dim=0).tolist()
                numbers = self._numbers.get(name.rpartition(".")[0], self._used)
                found[name] = dict(zip(numbers, weights, strict=True))
            elif name in self._attentions and self._num_heard:
                weights = (self._sums[name] / self._num_heard).tolist()
                found[f"{name} (attention)"] = dict(zip(self._numbers[name], weights, strict=True))
        return found
