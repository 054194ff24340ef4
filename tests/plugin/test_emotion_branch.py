"""How much of an utterance the emotion branch sees: as the configurations say, and with each kind of input."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
import yaml

from espnet_ent.encoders.local_context import LocalContext, LocalContextOptions
from espnet_ent.frames import FrameGrid
from espnet_ent.plugin.builder import build_model, frame_grid
from espnet_ent.plugin.encoders import subsampling_factor
from espnet_ent.report.sweep_plan import config_of, read_plan
from tests.encoders.tiny_ssl import FAMILIES, save_tiny
from tests.plugin.tiny import TOKENS, tiny_config

ROOT = Path(__file__).parents[2]
CONFIGURATIONS = {path.relative_to(ROOT).as_posix(): path for path in sorted((ROOT / "conf").rglob("train_*.yaml"))}
WITH_BRANCH = [name for name, path in CONFIGURATIONS.items() if yaml.safe_load(path.read_text()).get("emotion_branch")]
_CLAIM = re.compile(r"with (\d+) ms frames.*: (\d+) ms on both sides of a frame")
_GLOBAL_STATISTICS = {"normalize": None}  # as global_mvn: the same numbers for all utterances


def milliseconds(config: dict) -> tuple[float, float]:
    """Of an encoder frame, and of the branch's reach to each side."""
    # The source of espnet_asr is not there: 40 ms, as its configurations say.
    grid = FrameGrid(16000, 640) if config["encoder"] == "espnet_asr" else frame_grid(config)
    frame = 1000 * grid.samples_per_frame / grid.sample_rate
    return frame, frame * LocalContextOptions(**config.get("emotion_branch_conf") or {}).reach


@pytest.mark.parametrize("name", WITH_BRANCH)
def test_configurations_see_640_ms_to_each_side(name) -> None:
    """As docs/adr/0008 and their own comments say."""
    text = CONFIGURATIONS[name].read_text()
    found = milliseconds(yaml.safe_load(text))
    assert found[1] == 640
    assert tuple(map(float, _CLAIM.search(text).groups())) == found


@pytest.mark.parametrize("name", [name for name in WITH_BRANCH if "espnet_asr" not in name])
def test_the_branch_of_a_configuration_sees_what_its_options_say(name) -> None:
    """By gradients: the branch itself, on few features."""
    config = yaml.safe_load(CONFIGURATIONS[name].read_text())
    subsampling = subsampling_factor(config["encoder"], config["encoder_conf"])
    feature_ms = 1000 * config["frontend_conf"]["hop_length"] / 16000
    torch.manual_seed(0)
    branch = LocalContext(2, 8, subsampling, LocalContextOptions(**config["emotion_branch_conf"])).eval()
    num_frames = 100
    features = torch.randn(1, subsampling * num_frames + 3, 2, requires_grad=True)
    lengths = torch.tensor([num_frames])
    states = branch(features, torch.tensor([features.size(1)]), torch.zeros(1, num_frames, 8), lengths)
    (gradient,) = torch.autograd.grad(states[0, 50].square().sum(), features)
    seen = gradient[0].abs().sum(-1).nonzero().flatten()
    before, after = 50 * subsampling - int(seen.min()), int(seen.max()) - 50 * subsampling
    assert before * feature_ms == 640
    assert 640 <= after * feature_ms <= 640 + 6 * 10  # the features that make up a frame


def test_there_are_defaults_with_a_branch() -> None:
    assert {"conf/train_ent.yaml", "conf/train_fent.yaml", "conf/train_ent_mini.yaml"} <= set(WITH_BRANCH)
    assert not [name for name in WITH_BRANCH if "paper" in name or "mixing" in name]
    assert "640 ms" in (ROOT / "docs" / "adr" / "0008-what-localises.md").read_text()


@pytest.mark.parametrize(
    ("setting", "reach"),
    [
        ("frame_mean", 0),
        ("local_mean", 160),
        ("wide_mean", 640),
        ("wider_mean", 1200),
        ("window_mean", 640),
        ("wide_window_mean", 1280),
        ("fent_wide_mean", 640),
    ],
)
def test_settings_of_the_sweep_see_what_its_table_says(setting, reach) -> None:
    plan = read_plan(ROOT / "conf" / "sweeps" / "weak_timelines.yaml")
    (found,) = [other for other in plan.settings if other.name == setting]
    config = yaml.safe_load(config_of(found, ROOT / "egs2" / "mini_ent" / "ent1"))
    assert milliseconds(config)[1] == reach
    names = "`local`, `wide`, `wider`: convolutions that reach 160 ms, 640 ms, 1.2 s"
    windows = "`window`, `wide_window`: attention over 640 ms, 1.3 s"
    text = " ".join((ROOT / "docs" / "WEAK_TIMELINES.md").read_text().split())
    assert names in text
    assert windows in text


def difference(config: dict, raw_input: bool = False, level: float = 0.1) -> tuple[float, float, float]:
    """Largest change of the branch's states 700 ms away from a change of the speech, near it, and of the encoder's."""
    torch.manual_seed(0)
    branch = {"emotion_branch": "local_context", "emotion_branch_conf": {"num_layers": 1, "width": 3}}
    model = build_model({**config, **branch}).eval()
    if raw_input:
        model.encoder.source.normalizes = False
    speech = level * torch.randn(1, 32000)
    other = speech.clone()
    other[:, 24000:] = 0.4 * torch.sin(torch.arange(8000) / 20)
    with torch.no_grad():
        one, two = (model.encoder(samples, torch.tensor([32000])) for samples in (speech, other))
    change = (one.h_local - two.h_local)[0].abs().amax(dim=-1)
    seconds = torch.arange(len(change)) * 2.0 / len(change)
    of_encoder = (one.h - two.h)[0].abs().amax(dim=-1)[seconds < 0.8].max().item()
    return change[seconds < 0.8].max().item(), change[seconds > 1.5].max().item(), of_encoder


@pytest.mark.parametrize(
    ("changes", "knows_the_utterance"),
    [
        (_GLOBAL_STATISTICS, False),
        ({"normalize": "utterance_mvn"}, True),
        ({"frontend": "fbank_pitch", "frontend_conf": {"n_mels": 20}, **_GLOBAL_STATISTICS}, True),
    ],
)
def test_features_know_no_more_of_the_utterance_than_documented(changes, knows_the_utterance) -> None:
    far, near, of_encoder = difference(tiny_config(token_list=TOKENS, **changes))
    assert near > 0.1
    assert of_encoder > 1e-3
    assert (far > 1e-3) == knows_the_utterance
    if not knows_the_utterance:
        assert far == 0


@pytest.mark.parametrize("family", FAMILIES)
def test_ssl_models_know_no_more_of_the_utterance_than_documented(tmp_path, family) -> None:
    """Group normalisation and a normalised input do; without either, nothing far away is seen."""
    encoder = {"model": str(save_tiny(tmp_path / "model", family)), "top_conf": {"hidden_size": 4}}
    config = tiny_config(encoder="ssl", encoder_conf=encoder, frontend_conf=None, normalize=None)
    far, near, _ = difference(config)
    assert near > 0.1
    has_group_norm = family in ("wav2vec2-base", "hubert-base", "wavlm-base")
    if family == "whisper":  # what is 80 dB below the loudest value of 30 s is raised to that
        assert far == 0
        assert difference(config, level=1e-5)[0] > 0.1
        return
    takes_level = FAMILIES[family][2]["do_normalize"]
    assert (far > 1e-4) == (has_group_norm or takes_level)
    far, _, of_encoder = difference(config, raw_input=True)
    assert of_encoder > 1e-4
    assert (far > 1e-4) == has_group_norm
    if not has_group_norm:
        assert far < 1e-5
