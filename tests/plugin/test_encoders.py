"""Encoders of ESPnet in a batch: what padding holds changes nothing.

How much padding there is does: their convolutions let it into the last frames. So an utterance is decoded by itself.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from espnet_ent.inference import EmotionTranscriber
from espnet_ent.plugin.builder import build_model
from tests.amounts import amount
from tests.plugin.packed import CHECKPOINT, PackedExperiment
from tests.plugin.tiny import tiny_config

_SIZES = {"output_size": 16, "attention_heads": 2, "linear_units": 16, "num_blocks": 2, "input_layer": "conv2d"}
_MLP = {"cgmlp_linear_units": 16, "cgmlp_conv_kernel": 3}
_BLOCKS = {**_SIZES, "block_size": 8, "hop_size": 4, "look_ahead": 2}
ENCODERS = {
    "conformer": tiny_config()["encoder_conf"],
    "branchformer": {**{k: v for k, v in _SIZES.items() if k != "linear_units"}, **_MLP},
    "e_branchformer": {**_SIZES, **_MLP, "merge_conv_kernel": 3},
    "transformer": _SIZES,
    "rnn": {"rnn_type": "lstm", "hidden_size": 8, "output_size": 16, "num_layers": 2, "subsample": [2, 2]},
    "contextual_block_conformer": {**_BLOCKS, "cnn_module_kernel": 3},
    "contextual_block_transformer": _BLOCKS,
}


@pytest.mark.parametrize("name", ENCODERS)
@torch.no_grad()
def test_what_padding_holds_changes_nothing(name: str, figures) -> None:
    torch.manual_seed(0)
    encoder = build_model(tiny_config(encoder=name, encoder_conf=ENCODERS[name])).encoder.eval()
    for seed in range(amount(200, 2)):
        generator = torch.Generator().manual_seed(seed)
        lengths = torch.randint(3000, 9000, (3,), generator=generator).sort(descending=True).values  # as RNNs want it
        speech = 0.1 * torch.randn(3, int(lengths.max()) + 500, generator=generator)
        found = []
        for garbage in (0.0, (1e3, -7.0, float("nan"))[seed % 3]):
            for row, length in enumerate(lengths.tolist()):
                speech[row, length:] = garbage
            states = encoder(speech, lengths)
            found.append([states.h[row, :frames] for row, frames in enumerate(states.lengths.tolist())])
        for clean, dirty in zip(*found, strict=True):
            assert torch.isfinite(clean).all()
            torch.testing.assert_close(clean, dirty)
    promise = "ESPnet's encoders: what padding holds changes nothing (how much there is does; "
    figures("Numerics", f"{promise}decoding encodes utterances one by one)", encoders=1, random_batches=amount(200, 2))


def test_an_utterance_is_decoded_as_it_is_alone(packed: PackedExperiment, figures) -> None:
    """But for rounding, which may put a label of a near tie into the next frame."""
    worst = 0.0
    transcriber = EmotionTranscriber.from_pretrained(packed.experiment, CHECKPOINT)
    for seed in range(amount(200, 2)):
        generator = torch.Generator().manual_seed(seed)
        lengths = torch.randint(2000, 9000, (3,), generator=generator).tolist()
        recordings = [(0.1 * torch.randn(length, generator=generator)).numpy() for length in lengths]
        for recording, found in zip(recordings, transcriber.transcribe_batch(recordings), strict=True):
            alone = transcriber.transcribe(recording)
            assert (found.text, found.emotion, found.timeline) == (alone.text, alone.emotion, alone.timeline)
            assert [(word.start, word.end) for word in found.words] == [(word.start, word.end) for word in alone.words]
            for name in ("posteriors", "frame_posteriors"):
                worst = max(worst, float(np.abs(getattr(found, name) - getattr(alone, name)).max()))
    assert worst < 1e-3
    promise = (
        "an utterance is decoded as it is alone, whatever it is decoded with: words, times, emotions; probabilities "
    )
    figures("Decoding", f"{promise}to 1e-3", batches=amount(200, 2), largest_difference_of_a_probability=worst)
