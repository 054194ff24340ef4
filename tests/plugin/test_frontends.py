"""The frontend with prosody: what its columns say, padding, and a model on top of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from espnet_ent.errors import ConfigError
from espnet_ent.plugin.builder import build_model
from espnet_ent.plugin.frontends import FbankPitchFrontend
from tests.plugin.tiny import tiny_batch, tiny_config


def tone(f0: float, seconds: float, gain: float = 0.1) -> torch.Tensor:
    time = np.arange(int(16000 * seconds)) / 16000
    hum = 0.02 * np.random.default_rng(0).standard_normal(len(time))  # real recordings have no silent bins
    return torch.from_numpy((sum(np.sin(2 * np.pi * k * f0 * time) for k in range(1, 6)) + hum) * gain).float()


def features(*signals: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    lengths = torch.tensor([len(signal) for signal in signals])
    frontend = FbankPitchFrontend(n_mels=20)
    return frontend(torch.nn.utils.rnn.pad_sequence(signals, batch_first=True), lengths)


def test_pitch_columns_of_a_steady_voice() -> None:
    feats, lengths = features(tone(240.0, 1.0))
    assert feats.shape == (1, 101, 25)
    assert lengths.tolist() == [101]
    relative, deviation, slope, voiced = feats[0, 20:80, 20:24].unbind(-1)
    torch.testing.assert_close(relative, torch.full((60,), float(np.log(240 / 180))), atol=0.01, rtol=0)
    assert deviation.abs().max() < 0.02
    assert slope.abs().max() < 0.5
    assert voiced.mean() > 0.95


def test_the_recording_level_is_taken_away_and_the_level_within_it_is_not() -> None:
    quiet, loud = features(tone(200.0, 1.0, 0.01))[0], features(tone(200.0, 1.0, 0.1))[0]
    torch.testing.assert_close(quiet[..., :20], loud[..., :20], atol=0.05, rtol=0)
    assert abs(float(quiet[..., :20].mean())) < 1e-4
    rising, _ = features(torch.cat([tone(200.0, 0.5, 0.01), tone(200.0, 0.5, 0.1)]))
    assert rising[0, 80, 24] - rising[0, 20, 24] == pytest.approx(2 * np.log(10), abs=0.3)


def test_padding_changes_nothing() -> None:
    short, long = tone(150.0, 0.6), tone(300.0, 1.0)
    alone, num_frames = features(short)
    batch, lengths = features(short, long)
    assert lengths[0] == num_frames[0]
    # The last frames of a padded batch see the padding through the Fourier window, as with ESPnet's own frontend.
    torch.testing.assert_close(batch[0, : num_frames[0] - 2], alone[0, :-2], atol=0.05, rtol=0)
    assert not batch[0, num_frames[0] :].any()


def test_silence_and_very_short_signals_are_finite() -> None:
    for signal in (torch.zeros(8000), tone(100.0, 0.02)):
        assert torch.isfinite(features(signal)[0]).all()


def test_a_model_on_top() -> None:
    config = tiny_config(frontend="fbank_pitch", frontend_conf={"n_mels": 20})
    loss, _, _ = build_model(config)(**tiny_batch())
    loss.backward()
    assert torch.isfinite(loss)


def test_an_empty_range_of_f0_is_refused() -> None:
    with pytest.raises(ConfigError, match="F0 range"):
        FbankPitchFrontend(f0_floor=300.0, f0_ceiling=200.0)
