"""The real training command with the encoder of a recogniser: statistics, training, resuming, decoding."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
import yaml

from espnet_ent.bin import ent_train
from espnet_ent.encoders.frozen_source import DIGEST
from espnet_ent.errors import CheckpointError, ConfigError
from espnet_ent.inference import EmotionTranscriber, InferenceConfig
from espnet_ent.plugin.checkpoints import read_checkpoint
from tests.plugin.asr_models import CHECKPOINT, make_recogniser, pack_recogniser
from tests.plugin.experiment import make_data, statistics_options, training_options
from tests.plugin.training import resumable, same

_MODEL = {
    "encoder": "espnet_asr",
    "emotion_branch": "local_context",
    "emotion_branch_conf": {"num_layers": 1, "width": 3},
    "transducer": "factorized_transducer",
    "model_conf": {"emotion_layer_mix": True},
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Data, a packed recogniser, its directory, and statistics made with the first."""
    root = tmp_path_factory.mktemp("asr training")
    make_recogniser(root / "exp/asr")
    pack_recogniser(root, "exp/asr")
    data = make_data(root / "data")
    config = yaml.safe_load((data / "config.yaml").read_text())
    config = {key: value for key, value in config.items() if not key.startswith(("encoder", "frontend"))}
    (data / "config.yaml").write_text(yaml.safe_dump({**config, **_MODEL}))
    ent_train.main([*statistics_options(data, root / "stats"), *of_source(root / "asr.zip")])
    return root


def of_source(path, *others):
    return ["--encoder_conf", f"source={path}", *(part for other in others for part in ("--encoder_conf", other))]


def train(root, output_dir, *others):
    ent_train.main(training_options(root / "data", root / "stats", output_dir, *others))


@pytest.fixture(scope="module")
def frozen(root):
    train(root, root / "exp/frozen", *of_source(root / "asr.zip"))
    return root / "exp/frozen"


def noise(seconds):
    return 0.1 * np.random.default_rng(0).standard_normal(int(16000 * seconds)).astype(np.float32)


def test_statistics_are_of_the_sources_features(root):
    stats = np.load(root / "stats/train/feats_stats.npz")
    assert stats["sum"].shape == (20,)


def test_checkpoints_and_averages_hold_the_hash_in_place_of_the_source(frozen):
    for name in ("1epoch.pth", "latest.pth", "valid.loss.ave.pth"):
        state = read_checkpoint(frozen / name)
        parts = {key for key in state if key.startswith("encoder.") and "emotion_branch" not in key}
        mixes = {f"encoder.{mix}.{part}" for mix in ("mix", "emotion_mix") for part in ("weights", "scale")}
        assert parts == {f"encoder.source.{DIGEST}", *mixes}
    optimizer = read_checkpoint(frozen / "checkpoint.pth")["optimizers"][0]
    num_trained = sum(1 for key in read_checkpoint(frozen / "latest.pth") if DIGEST not in key)
    assert len(optimizer["param_groups"][0]["params"]) == num_trained


def test_a_trained_model_decodes_also_window_by_window(frozen):
    transcriber = EmotionTranscriber.from_pretrained(frozen)
    whole = transcriber.transcribe(noise(3.3))
    assert whole.emotion in transcriber.emotions.names
    windows = InferenceConfig(window_seconds=1.0, context_seconds=0.5)
    parts = EmotionTranscriber.from_pretrained(frozen, config=windows).transcribe(noise(3.3))
    assert parts.frame_posteriors.shape == whole.frame_posteriors.shape
    assert len(whole.frame_posteriors) == pytest.approx(3.3 / 0.04, abs=2)


def test_a_resumed_run_ends_as_one_that_was_not_interrupted(root, frozen, tmp_path):
    for epochs in ("1", "2"):
        train(root, tmp_path, *of_source(root / "asr.zip"), "--max_epoch", epochs)
    assert same(resumable(tmp_path), resumable(frozen))


def test_a_source_that_has_changed_is_refused_before_anything_is_written(root, tmp_path):
    source = tmp_path / "asr"
    shutil.copytree(root / "exp/asr", source, symlinks=True)
    train(root, tmp_path / "exp", *of_source(source), "--max_epoch", "1")
    state = read_checkpoint(source / CHECKPOINT)
    torch.save({**state, "encoder.after_norm.bias": state["encoder.after_norm.bias"] + 1e-3}, source / CHECKPOINT)
    before = {path.name: path.read_bytes() for path in (tmp_path / "exp").glob("[!.]*")}
    with pytest.raises(CheckpointError, match=r"checkpoint\.pth: checkpoint was trained on another frozen source"):
        train(root, tmp_path / "exp", *of_source(source), "--max_epoch", "2")
    assert {path.name: path.read_bytes() for path in (tmp_path / "exp").glob("[!.]*")} == before
    with pytest.raises(CheckpointError, match=r"valid\.loss\.ave\.pth: .* on another frozen source"):
        EmotionTranscriber.from_pretrained(tmp_path / "exp")
    shutil.rmtree(source)
    with pytest.raises(ConfigError, match=r"encoder_conf\.source: no such file or directory"):
        EmotionTranscriber.from_pretrained(tmp_path / "exp")


def test_another_source_in_the_same_directory_is_another_run(root, frozen):
    with pytest.raises(ConfigError, match="other options; got changed: encoder_conf"):
        train(root, frozen, *of_source(root / "exp/asr"))


def test_a_fine_tuned_model_needs_no_source_afterwards(root, tmp_path):
    source = tmp_path / "asr"
    shutil.copytree(root / "exp/asr", source, symlinks=True)
    options = of_source(source, "freeze=false", "specaug=true")
    train(root, tmp_path / "exp", *options, "--max_epoch", "1")
    train(root, tmp_path / "exp", *options, "--max_epoch", "2")  # resumes
    before = read_checkpoint(source / CHECKPOINT)["encoder.after_norm.bias"]
    shutil.rmtree(source)
    transcriber = EmotionTranscriber.from_pretrained(tmp_path / "exp")
    assert not torch.equal(transcriber.model.encoder.parts.encoder.after_norm.bias, before)
    assert transcriber.transcribe(noise(1.0)).emotion in transcriber.emotions.names


def test_an_experiment_of_this_command_is_a_source_in_its_turn(root, tmp_path):
    conf = {"output_size": 16, "attention_heads": 2, "linear_units": 16, "num_blocks": 2, "cnn_module_kernel": 3}
    options = [f"--encoder_conf={key}={value}" for key, value in {**conf, "rel_pos_type": "latest"}.items()]
    options += [f"--frontend_conf={option}" for option in ("n_fft=256", "hop_length=160", "n_mels=20")]
    train(root, tmp_path / "first", "--encoder", "conformer", *options, "--max_epoch", "1")
    train(root, tmp_path / "second", *of_source(tmp_path / "first"), "--max_epoch", "1")
    first, second = (EmotionTranscriber.from_pretrained(tmp_path / name).model for name in ("first", "second"))
    speech, lengths = torch.from_numpy(noise(1.0)).unsqueeze(0), torch.tensor([16000])
    expected = first.encoder(speech, lengths).h
    torch.testing.assert_close(
        second.encoder.layer_states(speech, lengths).stacked[:, -1], expected, atol=1e-6, rtol=1e-6
    )
