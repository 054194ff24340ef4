"""The short-context branch: what a frame sees, and what padding may not change."""

from __future__ import annotations

import pytest
import torch

from espnet_ent.encoders.local_context import LAYERS, LocalContext, LocalContextOptions
from espnet_ent.errors import ConfigError

SUBSAMPLING, NUM_FEATURES, SIZE = 4, 6, 8


def make(layers: str, **options) -> LocalContext:
    torch.manual_seed(0)
    given = {"num_layers": 2, "width": 3, "num_heads": 2, **options}
    return LocalContext(NUM_FEATURES, SIZE, SUBSAMPLING, LocalContextOptions(layers=layers, **given)).eval()


def run(branch: LocalContext, features: torch.Tensor, num_frames: int, **options) -> torch.Tensor:
    size = len(features)
    lengths = options.get("lengths", torch.full((size,), num_frames))
    feature_lengths = options.get("feature_lengths", torch.full((size,), features.size(1)))
    h = options.get("h", torch.zeros(size, num_frames, SIZE))
    return branch(features, feature_lengths, h, lengths)


@pytest.mark.parametrize("layers", LAYERS)
def test_a_frame_sees_its_reach_and_nothing_beyond(layers) -> None:
    """By gradients: those of frame t at all features."""
    branch, num_frames, t = make(layers), 20, 9
    features = torch.randn(1, SUBSAMPLING * num_frames + 3, NUM_FEATURES, requires_grad=True)
    (gradient,) = torch.autograd.grad(run(branch, features, num_frames)[0, t].square().sum(), features)
    seen = gradient[0].abs().sum(-1).nonzero().flatten()
    reach = branch.options.reach
    assert reach == 2
    assert int(seen.min()) == SUBSAMPLING * (t - reach)
    assert int(seen.max()) == SUBSAMPLING * (t + reach + 1) + 2


@pytest.mark.parametrize("layers", LAYERS)
def test_neither_padding_nor_the_rest_of_a_batch_changes_an_utterance(layers) -> None:
    branch = make(layers)
    features = torch.randn(2, 60, NUM_FEATURES)
    features[1, 31:] = torch.nan
    lengths, feature_lengths = torch.tensor([14, 7]), torch.tensor([60, 31])
    together = run(branch, features, 14, lengths=lengths, feature_lengths=feature_lengths)
    assert together[0].isfinite().all()
    alone = run(branch, features[1:, :31], 7)
    torch.testing.assert_close(together[1, :7], alone[0])


@pytest.mark.parametrize("layers", LAYERS)
def test_frames_that_an_utterance_has_only_in_a_batch_change_none_of_its_own(layers) -> None:
    """ESPnet's subsampling counts some of them beside longer utterances."""
    branch = make(layers)
    features = torch.randn(2, 60, NUM_FEATURES)
    lengths, feature_lengths = torch.tensor([14, 9]), torch.tensor([60, 31])
    together = run(branch, features, 14, lengths=lengths, feature_lengths=feature_lengths)
    alone = run(branch, features[1:, :31], 7)
    torch.testing.assert_close(together[1, :7], alone[0])


def test_frames_of_any_encoder() -> None:
    """More frames than the features give (padded at the end), or fewer."""
    features = torch.randn(1, 20, NUM_FEATURES)
    assert run(make("conv"), features, 9).shape == (1, 9, SIZE)
    assert run(make("conv"), features, 2).shape == (1, 2, SIZE)


def test_context_comes_for_some_utterances_in_training_and_for_all_later() -> None:
    branch = make("conv", context_dropout=0.5, dropout=0.0)
    features, h = torch.randn(1, 43, NUM_FEATURES).expand(200, -1, -1), torch.randn(200, 10, SIZE)
    with_context = run(branch, features, 10, h=h)
    without = run(make("conv", dropout=0.0), features, 10)
    difference = (with_context - without - branch.context(h)).abs().amax()
    assert difference < 1e-5
    branch.train()
    torch.manual_seed(1)
    added = (run(branch, features, 10, h=h) - without).abs().amax(dim=(1, 2)) > 1e-4
    assert 70 < int(added.sum()) < 130


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": "lstm"}, r"unknown layers; expected conv \| attention; got lstm"),
        ({"width": 4}, "width out of range; expected an odd number; got 4"),
        ({"num_layers": -1}, "num_layers out of range"),
        ({"layers": "attention", "num_heads": 0}, "num_heads out of range"),
        ({"dropout": 1.0}, "dropout out of range; expected 0 or more, below 1; got 1.0"),
        ({"context_dropout": 1.5}, "context_dropout out of range"),
        ({"layers": "attention", "num_heads": 3}, "attention heads do not divide the size"),
    ],
)
def test_options_that_make_no_sense(options, message) -> None:
    with pytest.raises(ConfigError, match=message):
        make(**{"layers": "conv", **options})
