"""The real command on tiny data, in this process: the import alone costs seconds."""

import math
import os
import subprocess
import sys

import pytest
import torch
import yaml

from espnet_ent.bin import ent_train
from espnet_ent.errors import CheckpointError, ConfigError, EntError
from espnet_ent.plugin import same_data
from espnet_ent.plugin.builder import REGISTRY, build_model
from espnet_ent.plugin.checkpoints import load_state, read_checkpoint
from espnet_ent.plugin.locking import exclusive
from espnet_ent.plugin.task import ENTTask
from tests.plugin import forked
from tests.plugin.experiment import make_data, options, statistics_options, training_options
from tests.plugin.training import resumable, same, statistics


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("data with space"))


@pytest.fixture(scope="module")
def stats(data, tmp_path_factory):
    output_dir = tmp_path_factory.mktemp("stats")
    ent_train.main(statistics_options(data, output_dir))
    return output_dir


@pytest.fixture(scope="module")
def experiment(data, stats, tmp_path_factory):
    output_dir = tmp_path_factory.mktemp("exp")
    ent_train.main(training_options(data, stats, output_dir))
    return output_dir


def test_statistics_hold_what_training_needs(stats):
    assert len((stats / "train" / "speech_shape").read_text().splitlines()) == 8
    assert (stats / "valid" / "text_shape").exists()
    assert (stats / "train" / "feats_stats.npz").exists()


def test_training_leaves_a_model_that_loads_from_its_own_config(experiment):
    config = yaml.safe_load((experiment / "config.yaml").read_text())
    assert config["token_list"][0] == "<blank>"
    assert config["emotion_list"][0].startswith("hap")
    assert config["optim_conf"] == {"lr": 1e-3}
    model = build_model(config)
    load_state(model, experiment / "valid.loss.ave.pth")
    assert os.readlink(experiment / "valid.loss.ave.pth") == "valid.loss.ave_2best.pth"


def test_statistics_of_an_epoch_are_the_models(experiment):
    found = statistics(experiment, 2, "valid")
    assert {"loss", "loss_transducer", "loss_lattice", "loss_utterance", "acc_emotion", "ua_teacher_forced"} <= set(
        found
    )
    assert all(math.isfinite(value) for value in found.values())
    assert 0 <= found["ua_teacher_forced"] <= 1


def test_a_finished_run_is_left_alone(experiment, data, stats, capsys):
    before = {path.name: (path.lstat().st_mtime_ns, path.lstat().st_ino) for path in experiment.iterdir()}
    ent_train.main(training_options(data, stats, experiment))
    assert "is there already" in capsys.readouterr().out
    assert {path.name: (path.lstat().st_mtime_ns, path.lstat().st_ino) for path in experiment.iterdir()} == before


def test_the_same_seed_and_a_resumed_run_end_with_the_same_parameters(experiment, data, stats, tmp_path):
    for epochs in ("1", "2"):
        ent_train.main(training_options(data, stats, tmp_path, "--max_epoch", epochs))
    assert same(resumable(tmp_path), resumable(experiment))
    assert (tmp_path / "valid.loss.ave.pth").read_bytes() == (experiment / "valid.loss.ave.pth").read_bytes()


def test_the_same_batches_with_workers(experiment, data, stats, tmp_path, figures, request):
    if request.config.pluginmanager.hasplugin("_cov"):
        pytest.skip("coverage ends the worker processes of PyTorch with status 1")
    ent_train.main(training_options(data, stats, tmp_path, "--num_workers", "2"))
    assert same(resumable(tmp_path)["model"], resumable(experiment)["model"])
    promise = "batches prepared by 0 and by 2 processes: training ends with the same parameters to the bit"
    figures("Training", promise, runs=2)


def test_pretrained_parameters_are_taken_and_frozen_ones_stay(experiment, data, stats, tmp_path):
    taken = ["--init_param", f"{experiment}/latest.pth:encoder:encoder", "--freeze_param", "encoder"]
    ent_train.main(training_options(data, stats, tmp_path, *taken, "--max_epoch", "1"))
    before, after = read_checkpoint(experiment / "latest.pth"), read_checkpoint(tmp_path / "latest.pth")
    changed = {key.partition(".")[0] for key in before if not torch.equal(before[key], after[key])}
    assert changed == {"transducer", "emotion_joint", "utterance_head"}


def test_statistics_without_features_need_no_model(data, tmp_path):
    argv = statistics_options(data, tmp_path)
    ent_train.main([*argv, "--model_conf", "extract_feats_in_collect_stats=false"])
    assert (tmp_path / "train" / "speech_shape").exists()
    assert not (tmp_path / "train" / "feats_stats.npz").exists()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["--init_param", "{exp}/latest.pth:enc:encoder"], "no parameter below the source prefix"),
        (["--freeze_param", "encodr"], "--freeze_param names no parameter"),
        (["--optim_conf", "lrr=1"], "did you mean 'lr'"),
        (["--optim_conf", "lr=fast"], "optim_conf: options are refused"),
        (["--scheduler", "CosineAnnealingWarmupRestarts", "--scheduler_conf", "{{}}"], "did you mean|scheduler_conf"),
        (["--scheduler_conf", "warmup=3"], "did you mean 'warmup_steps'"),
        (["--encoder_conf", "output_sise=3"], "did you mean 'output_size'"),
        (["--model_conf", "utterance=3"], "unknown option 'utterance'"),
        (["--best_model_criterion", "valid,loss,least"], "malformed criterion"),
        (["--use_deepspeed", "true"], "use_deepspeed: option is not supported"),
        (["--accum_grad", "0"], "accum_grad: not positive"),
        (["--max_epoch", "many"], "--max_epoch"),
        (["--max_epochs", "3"], "did you mean max_epoch"),
        (["--fs", "8000"], "unexpected sample rate"),
        (["--token_list", "none/tokens.txt"], "token list is missing"),
        (["--train_shape_file", "none/shape"], "none/shape: file is missing; next: rerun stage 10"),
    ],
)
def test_a_users_mistake_is_one_line_before_anything_is_written(experiment, data, stats, tmp_path, wrong, message):
    argv = training_options(data, stats, tmp_path / "exp", *(value.format(exp=experiment) for value in wrong))
    with pytest.raises(EntError, match=message) as raised:
        ent_train.main(argv)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "exp" / "config.yaml").exists()


def test_a_config_that_does_not_fit_the_checkpoint_leaves_both_as_they_are(experiment, data, stats):
    before = (experiment / "config.yaml").read_bytes()
    with pytest.raises(ConfigError, match="other options; got changed: transducer_conf"):
        ent_train.main(training_options(data, stats, experiment, "--transducer_conf", "joint_size=12"))
    record = experiment / "trained_on.json"
    kept = record.read_bytes()
    record.unlink()  # as in a run from before there were records
    try:
        with pytest.raises(CheckpointError, match="of another shape"):
            ent_train.main(training_options(data, stats, experiment, "--transducer_conf", "joint_size=12"))
    finally:
        record.write_bytes(kept)
    assert (experiment / "config.yaml").read_bytes() == before


def test_a_run_is_not_resumed_on_other_data(experiment, data, stats):
    """Another fold in the same directory would be tested on what the run was trained on."""
    before = {path.name: path.read_bytes() for path in experiment.glob("*.json")}
    table = data / "train" / "utt2emo"
    content = table.read_text()
    table.write_text(content.replace(" hap", " sad"))
    try:
        with pytest.raises(ConfigError, match="holds a run on other data"):
            ent_train.main(training_options(data, stats, experiment))
    finally:
        table.write_text(content)
    assert {path.name: path.read_bytes() for path in experiment.glob("*.json")} == before


def test_a_second_run_in_the_same_directory_is_refused_before_anything_is_written(data, stats, tmp_path):
    def refused():
        with pytest.raises(ConfigError, match="another run"):
            ent_train.main(training_options(data, stats, tmp_path))

    with exclusive(tmp_path):
        assert forked.run(refused) == forked.SUCCESS
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_what_is_missing_is_named(data):
    with pytest.raises(ConfigError, match="--token_list"):
        ent_train.main(["--output_dir", "x", "--config", str(data / "config.yaml"), "--emotion_list", "x"])


def test_data_that_a_task_needs_are_named(data, tmp_path):
    argv = options(data, tmp_path)
    position = argv.index(str(data / "valid" / "utt2emo,emotion,text"))
    del argv[position - 1 : position + 1]
    with pytest.raises(ConfigError, match="expected speech text emotion"):
        ent_train.main(argv)


def test_components_of_the_builder_are_choices_of_the_task():
    args = ENTTask.get_parser().parse_args(["--utterance_head", "none", "--normalize", "none", "--encoder", "rnn"])
    assert (args.utterance_head, args.normalize, args.encoder) == (None, None, "rnn")


def test_a_mistake_on_the_command_line_is_one_line_and_status_2(data, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "espnet_ent.bin.ent_train", *options(data, tmp_path, "--batch_size", "big")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == ["ent_train: error: argument --batch_size: invalid int value: 'big'"]


def test_a_run_is_known_by_all_that_its_model_is_made_of():
    components = set(REGISTRY) - {"normalize"}  # what depends on the statistics is known by the data
    assert components | {f"{name}_conf" for name in components} <= set(same_data._OPTIONS)
