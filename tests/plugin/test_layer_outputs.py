"""Layers of ESPnet's encoders against walks through their blocks by hand."""

from __future__ import annotations

import math

import pytest
import torch
from espnet2.asr.encoder.contextual_block_transformer_encoder import ContextualBlockTransformerEncoder
from espnet2.asr.encoder.rnn_encoder import RNNEncoder

from espnet_ent.plugin.builder import REGISTRY
from espnet_ent.plugin.layer_outputs import LayerOutputs, join_blocks
from tests.plugin.asr_models import ENCODERS, NUM_MELS

_WITHOUT_NORM = "transformer_norm_after"
_OF_BLOCKS = ("conformer", "conformer_interctc", "transformer", _WITHOUT_NORM, "e_branchformer", "branchformer")


def make(case):
    torch.manual_seed(0)
    name, conf, _, _ = ENCODERS[case]
    encoder = REGISTRY["encoder"][name](input_size=NUM_MELS, **conf).eval()
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return encoder


@pytest.mark.parametrize("case", _OF_BLOCKS)
@pytest.mark.parametrize("through_norm", [True, False])
@torch.no_grad()
def test_layers_are_those_of_a_walk_through_the_blocks(case, through_norm):
    encoder = make(case)
    feats, lengths = torch.randn(2, 90, NUM_MELS), torch.tensor([90, 70])
    layers, found_lengths = LayerOutputs(encoder, through_norm)(feats, lengths)
    is_valid = torch.arange(90) < lengths.unsqueeze(1)
    x, mask = encoder.embed(feats, is_valid.unsqueeze(1))
    assert len(layers) == len(encoder.encoders) == len(LayerOutputs(encoder))
    assert found_lengths.tolist() == mask.sum(dim=(1, 2)).tolist()
    for layer, block in zip(layers, encoder.encoders, strict=True):
        x, mask = block(x, mask)
        h = x[0] if isinstance(x, tuple) else x
        if through_norm and case != _WITHOUT_NORM:
            h = encoder.after_norm(h)
        torch.testing.assert_close(layer, h, atol=1e-6, rtol=0)


@pytest.mark.parametrize("case", ENCODERS)
@torch.no_grad()
def test_the_last_layer_is_the_encoders_output(case):
    encoder = make(case)
    feats, lengths = torch.randn(2, 130, NUM_MELS), torch.tensor([130, 101])
    layers, found_lengths = LayerOutputs(encoder)(feats.clone(), lengths)
    h, expected_lengths, _ = encoder(feats.clone(), lengths)
    h = h[0] if isinstance(h, tuple) else h
    assert len(layers) == len(LayerOutputs(encoder)) == ENCODERS[case][2]
    assert {layer.shape for layer in layers} == {h.shape}
    assert found_lengths.tolist() == expected_lengths.tolist()
    torch.testing.assert_close(layers[-1], h, atol=1e-6, rtol=0)
    if len(layers) > 1:
        assert (layers[0] - layers[-1]).abs().max() > 0.01


@torch.no_grad()
def test_recurrent_layers_are_those_of_a_walk_at_the_last_layers_frames():
    encoder = RNNEncoder(NUM_MELS, num_layers=3, hidden_size=8, output_size=6, subsample=(2, 1, 3)).eval()
    feats = torch.randn(1, 49, NUM_MELS)
    layers, lengths = LayerOutputs(encoder)(feats, torch.tensor([49]))
    rnn, x, kept = encoder.enc[0], feats, []
    for number, step in enumerate((2, 1, 3)):
        x = getattr(rnn, f"bt{number}")(getattr(rnn, f"birnn{number}")(x)[0][:, ::step])
        x = torch.tanh(x) if number < 2 else x
        kept.append(x)
    for layer, expected in zip(layers, (kept[0][:, ::3], kept[1][:, ::3], kept[2]), strict=True):
        # ESPnet rounds lengths down after the second subsampling, and frames up.
        assert int(lengths) == expected.size(1) - 1 == 8
        torch.testing.assert_close(layer[:, :8], expected[:, :8], atol=1e-6, rtol=0)


@pytest.mark.parametrize(("block_size", "hop_size", "look_ahead"), [(8, 3, 2), (10, 4, 0), (40, 16, 16)])
def test_blocks_are_joined_as_their_encoder_joins_them(block_size, hop_size, look_ahead):
    for num_frames in range(block_size + 1, block_size + 3 * hop_size + 2):
        num_blocks = math.ceil((num_frames - block_size) / hop_size) + 1
        y = torch.full((1, num_blocks, block_size + 2, 1), -1.0)
        for block in range(num_blocks):  # what the encoder puts in: each frame its number, context states apart
            inside = torch.arange(block * hop_size, min(num_frames, block * hop_size + block_size)).float()
            y[0, block, 1 : 1 + len(inside), 0] = inside
        joined = join_blocks(y, num_frames, block_size, hop_size, look_ahead)
        assert joined.flatten().tolist() == list(range(num_frames))


def test_layers_of_long_and_short_contextual_input_carry_gradients():
    conf = ENCODERS["contextual_block_transformer"][1]
    encoder = ContextualBlockTransformerEncoder(NUM_MELS, **conf)
    for num_frames in (150, 30):
        encoder.zero_grad(set_to_none=True)
        layers, _ = LayerOutputs(encoder)(torch.randn(2, num_frames, NUM_MELS), torch.tensor([num_frames] * 2))
        layers[0].square().sum().backward()
        assert encoder.encoders[0].self_attn.linear_q.weight.grad.abs().sum() > 0
        assert encoder.encoders[1].self_attn.linear_q.weight.grad is None


def test_hooks_are_gone_afterwards():
    encoder = make("conformer")
    LayerOutputs(encoder)(torch.randn(1, 40, NUM_MELS), torch.tensor([40]))
    assert not any(module._forward_hooks for module in encoder.modules())
