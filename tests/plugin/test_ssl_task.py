"""A pretrained encoder through the real command: statistics, training, resuming, decoding."""

import shutil

import numpy as np
import pytest
import yaml

from espnet_ent.bin import ent_train
from espnet_ent.errors import CheckpointError
from espnet_ent.inference import EmotionTranscriber, InferenceConfig
from espnet_ent.plugin.checkpoints import read_checkpoint
from tests.encoders.tiny_ssl import save_tiny
from tests.plugin.experiment import make_data, statistics_options, training_options
from tests.plugin.training import resumable, same

FORMS = {
    "frozen": {},
    "fine-tuned": {"frozen": False, "freeze_steps": 3, "layer_decay": 0.9, "lr_factor": 0.1},
}


@pytest.fixture(scope="module", params=FORMS)
def prepared(request, tmp_path_factory):
    """Data, statistics and configuration of an experiment; the pretrained model lies beside them."""
    root = make_data(tmp_path_factory.mktemp("data"))
    save_tiny(root / "ssl", "wavlm-large")
    config = yaml.safe_load((root / "config.yaml").read_text())
    conf = {"model": str(root / "ssl"), "top_conf": {"hidden_size": 4}, **FORMS[request.param]}
    config |= {"encoder": "ssl", "encoder_conf": conf, "transducer": "factorized_transducer"}
    config["model_conf"] = {"emotion_layer_mix": True, "extract_feats_in_collect_stats": False}
    del config["frontend_conf"]
    (root / "config.yaml").write_text(yaml.safe_dump(config))
    ent_train.main(statistics_options(root, root / "stats"))
    return root


@pytest.fixture(scope="module")
def experiment(prepared):
    ent_train.main(training_options(prepared, prepared / "stats", prepared / "exp"))
    return prepared / "exp"


def test_the_configuration_names_the_model_and_its_digest(experiment, prepared):
    conf = yaml.safe_load((experiment / "config.yaml").read_text())["encoder_conf"]
    assert conf["model"] == str(prepared / "ssl")
    assert len(conf["stored"]["weights_sha256"]) == 64
    state = read_checkpoint(experiment / "latest.pth")
    fingerprint = state.get("encoder.held.frozen_source_sha256")
    if conf.get("frozen", True):
        assert bytes(fingerprint.tolist()).hex() == conf["stored"]["weights_sha256"]
        assert not any(key.startswith("encoder.ssl") for key in state)
    else:
        assert fingerprint is None
        assert int(state["encoder.num_updates"]) == 4  # two epochs of two batches


def test_a_resumed_run_ends_with_the_same_parameters(experiment, prepared, tmp_path):
    for epochs in ("1", "2"):
        ent_train.main(training_options(prepared, prepared / "stats", tmp_path, "--max_epoch", epochs))
    assert same(resumable(tmp_path), resumable(experiment))


def test_frozen_weights_are_in_no_group_of_the_optimizer(experiment):
    state = read_checkpoint(experiment / "checkpoint.pth")
    groups = state["optimizers"][0]["param_groups"]
    frozen = "encoder.held.frozen_source_sha256" in state["model"]
    scales = sorted({group["lr_scale"] for group in groups if "lr_scale" in group}, reverse=True)
    assert scales == ([] if frozen else pytest.approx([1.0, 0.1, 0.09, 0.081]))
    if frozen:
        assert sum(len(group["params"]) for group in groups) == len(state["model"]) - 1  # but the fingerprint


def test_the_trained_model_transcribes_in_one_window_and_in_several(experiment):
    noise = 0.1 * np.random.default_rng(0).standard_normal(60000).astype(np.float32)
    whole = EmotionTranscriber.from_pretrained(experiment).transcribe(noise)
    assert len(whole.frame_posteriors) == 187
    config = InferenceConfig(window_seconds=1.5, context_seconds=0.5)
    parts = EmotionTranscriber.from_pretrained(experiment, config=config).transcribe(noise)
    assert len(parts.frame_posteriors) == len(whole.frame_posteriors)
    again = EmotionTranscriber.from_pretrained(experiment).transcribe(noise)
    np.testing.assert_array_equal(whole.frame_posteriors, again.frame_posteriors)


def test_next_to_nothing_gives_an_answer(experiment):
    transcriber = EmotionTranscriber.from_pretrained(experiment)
    for num_samples in (0, 1, 3200):
        assert transcriber.transcribe(np.full(num_samples, 0.1, np.float32)).duration == num_samples / 16000


def test_a_run_is_not_continued_or_decoded_on_other_frozen_weights(experiment, prepared):
    conf = yaml.safe_load((experiment / "config.yaml").read_text())["encoder_conf"]
    is_frozen = conf.get("frozen", True)
    kept = prepared / "kept"
    shutil.copytree(prepared / "ssl", kept)
    save_tiny(prepared / "ssl", "wavlm-large", seed=1)
    try:
        if is_frozen:
            more = training_options(prepared, prepared / "stats", experiment, "--max_epoch", "3")
            with pytest.raises(
                CheckpointError, match=r"checkpoint\.pth: checkpoint was trained on another frozen source"
            ):
                ent_train.main(more)
            with pytest.raises(CheckpointError, match="not those of the training"):
                EmotionTranscriber.from_pretrained(experiment)
        else:
            shutil.rmtree(prepared / "ssl")  # a fine-tuned model is whole in its checkpoint
            EmotionTranscriber.from_pretrained(experiment)
    finally:
        shutil.rmtree(prepared / "ssl", ignore_errors=True)
        kept.rename(prepared / "ssl")
