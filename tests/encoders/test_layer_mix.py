"""The layer mix: a convex combination times a scale."""

from __future__ import annotations

import pytest
import torch

from espnet_ent.encoders.layer_mix import LayerMix
from espnet_ent.errors import ConfigError


def _layers() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, 3, 4, generator=generator) for _ in range(5)]


def test_starts_as_the_mean_of_the_layers():
    torch.testing.assert_close(LayerMix(5)(_layers()), torch.stack(_layers()).mean(0))


def test_mix_is_the_softmax_weighted_sum_times_the_scale():
    mix = LayerMix(5)
    with torch.no_grad():
        mix.weights.copy_(torch.tensor([0.5, -1.0, 2.0, 0.0, 1.0]))
        mix.scale.fill_(3.0)
    shares = torch.tensor([0.5, -1.0, 2.0, 0.0, 1.0]).exp()
    expected = 3.0 * torch.einsum("l,lbtd->btd", shares / shares.sum(), torch.stack(_layers()))
    torch.testing.assert_close(mix(_layers()), expected)


def test_weights_and_scale_learn():
    mix = LayerMix(5)
    mix(_layers()).square().sum().backward()
    assert mix.weights.grad.abs().sum() > 0
    assert mix.scale.grad.abs().sum() > 0
    # Adding one number to all weights changes nothing, so the gradient sums to zero.
    assert mix.weights.grad.sum().item() == pytest.approx(0.0, abs=1e-4)


def test_another_number_of_layers_is_refused():
    with pytest.raises(ConfigError, match="expected 5 layers; got 4"):
        LayerMix(5)(_layers()[:4])
