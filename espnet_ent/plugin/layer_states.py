"""Every layer of a trained model's encoder, for analyses of what is in which.

Dimensions: L layers, T encoder frames, D output size.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from espnet_ent.encoders.layer_mix import LayerMix
from espnet_ent.encoders.ssl import SSLEncoder
from espnet_ent.plugin.asr_encoder import ASREncoder
from espnet_ent.plugin.asr_parts import ASRModelParts
from espnet_ent.plugin.encoders import FeatureEncoder, long_enough
from espnet_ent.plugin.layer_outputs import LayerOutputs


class EncoderLayers:
    """Gives the layers of an encoder, recording by recording, as decoding encodes them.

    All layers there are, whichever the model uses. ESPnet's encoders: the blocks from 1, each through the encoder's
    final norm (see :class:`LayerOutputs`). Pretrained speech models: from 0, the input of the first block.

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
            self.numbers = tuple(range(encoder.source.num_layers))
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
            return found.states.unbind(dim=1), int(found.lengths[0])
        feats, feats_lengths = encoder.features(speech, lengths)
        if encoder.normalize is not None:
            feats, feats_lengths = encoder.normalize(feats, feats_lengths)
        with long_enough():
            layers, found_lengths = LayerOutputs(encoder.encoder)(feats, feats_lengths)
        return layers, int(found_lengths[0])


def learned_weights(model: nn.Module, layers: EncoderLayers) -> dict[str, dict[int, float]]:
    """The weights of every learned layer mix of a model, after the softmax.

    Args:
        model: The model.
        layers: The layers of its encoder.

    Returns:
        Name of the mix in the model -> number of the layer -> weight. A mix of another number of layers than the
        encoder has, or than it was told to use, is numbered from 1.
    """
    encoder = layers.encoder
    used = encoder.parts.layers if isinstance(encoder, ASREncoder) else layers.numbers
    found = {}
    for name, module in model.named_modules():
        if isinstance(module, LayerMix):
            weights = module.weights.detach().float().softmax(dim=0).tolist()
            numbers = used if len(used) == len(weights) else range(1, len(weights) + 1)
            found[name] = dict(zip(numbers, weights, strict=True))
    return found
