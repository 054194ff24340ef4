import pytest
import torch

from espnet_ent.emotion.layer_fusion import FUSIONS, LayerFusion
from espnet_ent.errors import ConfigError

LENGTHS = torch.tensor([5, 3])


def _layers() -> torch.Tensor:
    return torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(0))


def _normalised(fusion: LayerFusion, layers: torch.Tensor) -> list[torch.Tensor]:
    return [torch.nn.functional.layer_norm(layers[:, index], (4,)) for index in fusion.indices]


def test_attention_weighs_the_layers_of_each_utterance_by_their_means():
    torch.manual_seed(0)
    fusion, layers = LayerFusion(3, 4, fusion="attention"), _layers()
    fused = fusion(layers, LENGTHS)
    linear, _, vector = fusion.scores
    for row, length in enumerate(LENGTHS.tolist()):
        normalised = [layer[row, :length] for layer in _normalised(fusion, layers)]
        scores = torch.stack([vector(torch.tanh(linear(layer.mean(dim=0))))[0] for layer in normalised])
        expected = sum(w * layer for w, layer in zip(scores.softmax(dim=0), normalised, strict=True))
        torch.testing.assert_close(fused[row, :length], expected)


def test_a_fresh_mix_is_the_mean_and_concatenation_stands_side_by_side():
    layers = _layers()
    mix, side_by_side = LayerFusion(3, 4, fusion="mix"), LayerFusion(3, 4, fusion="concatenate")
    normalised = _normalised(mix, layers)
    torch.testing.assert_close(mix(layers, LENGTHS), sum(normalised) / 3)
    torch.testing.assert_close(side_by_side(layers, LENGTHS), torch.cat(normalised, dim=-1))
    assert (mix.output_size, side_by_side.output_size) == (4, 12)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_single_layer_needs_no_fusion(fusion):
    layers = _layers()
    for chosen, index in (("last", 2), ([2], 1)):
        one = LayerFusion(3, 4, chosen, fusion)
        torch.testing.assert_close(one(layers, LENGTHS), _normalised(one, layers)[0])
        assert one.indices == [index]
        assert one.output_size == 4
        assert all(parameter.shape == (4,) for parameter in one.parameters())  # the norm alone


@pytest.mark.parametrize("fusion", FUSIONS)
def test_padding_changes_no_valid_frame(fusion):
    torch.manual_seed(0)
    fuse, layers = LayerFusion(3, 4, fusion=fusion), _layers()
    longer = torch.cat([layers, torch.full((2, 3, 2, 4), 100.0)], dim=2)
    longer[1, :, 3:] = -100.0
    fused, of_longer = fuse(layers, LENGTHS), fuse(longer, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        torch.testing.assert_close(fused[row, :length], of_longer[row, :length])


@pytest.mark.parametrize("layers", [[], [0], [4], [1, 1], "first", [1.0], 2])
def test_layers_that_there_are_not_are_refused(layers):
    with pytest.raises(ConfigError, match=r"utterance_head_conf\.layers"):
        LayerFusion(3, 4, layers)


def test_an_unknown_fusion_is_refused():
    with pytest.raises(ConfigError, match="concatenate"):
        LayerFusion(3, 4, fusion="sum")
