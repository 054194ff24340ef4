"""The real training by two processes: as by one, from its batches to its checkpoints."""

from __future__ import annotations

import json
import os
import signal
import sys

import numpy as np
import pytest
import torch
import yaml

from espnet_ent.bin import ent_train
from espnet_ent.data.audio import write_pcm16
from espnet_ent.errors import ConfigError, EntError
from espnet_ent.plugin import launching
from espnet_ent.plugin.distributed import PeerLostError
from espnet_ent.plugin.trainer import ENTTrainer
from tests.plugin import forked
from tests.plugin.experiment import make_data, statistics_options, training_options
from tests.plugin.sharing import train, trained
from tests.plugin.training import resumable, same, statistics

pytestmark = pytest.mark.filterwarnings("ignore:Grad strides do not match bucket view strides")
NUM_STEPS = 3


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Seven utterances to train on, of one length: encoders see padding, and shares of a batch are padded less."""
    root = make_data(tmp_path_factory.mktemp("data"))
    generator = np.random.default_rng(0)
    for path in sorted(root.glob("*/audio/*.wav")):
        write_pcm16(path, 0.1 * generator.standard_normal(4800), 16000, "wav")
    for table in (root / "train").iterdir():
        if table.is_file():
            table.write_text("".join(table.read_text().splitlines(keepends=True)[:7]))
    config = yaml.safe_load((root / "config.yaml").read_text())
    # Batch normalisation takes its statistics from the share of a process.
    removed = ("cnn_module_kernel", "rel_pos_type")
    config["encoder_conf"] = {key: value for key, value in config["encoder_conf"].items() if key not in removed}
    config |= {"encoder": "transformer", "batch_size": 8, "optim": "sgd", "optim_conf": {"lr": 0.1}}
    config |= {"scheduler": None, "max_epoch": NUM_STEPS, "keep_nbest_models": NUM_STEPS}
    del config["scheduler_conf"]
    (root / "config.yaml").write_text(yaml.safe_dump(config))
    return root


@pytest.fixture(scope="module")
def stats(data, tmp_path_factory):
    output_dir = tmp_path_factory.mktemp("stats")
    ent_train.main(statistics_options(data, output_dir))
    return output_dir


@pytest.fixture(scope="module")
def argv(data, stats):
    return training_options(data, stats, "none")


@pytest.fixture(scope="module")
def by_one(argv, tmp_path_factory):
    return trained(argv, tmp_path_factory.mktemp("one"), world_size=1)


@pytest.fixture(scope="module")
def by_two(argv, tmp_path_factory):
    return trained(argv, tmp_path_factory.mktemp("two"))


def assert_close(one, other):
    """The same statistics, by name and to float tolerance, and the same parameters."""
    one, other = resumable(one), resumable(other)
    assert one["reporter"]["epoch"] == other["reporter"]["epoch"] == NUM_STEPS
    for epoch, phases in one["reporter"]["stats"].items():
        for phase, values in phases.items():
            assert values == pytest.approx(other["reporter"]["stats"][epoch][phase], rel=1e-4)
    for name, value in one["model"].items():
        torch.testing.assert_close(value, other["model"][name], rtol=1e-4, atol=1e-5, msg=name)


def test_two_processes_with_four_and_three_utterances_train_as_one_with_seven(by_one, by_two):
    assert_close(by_one, by_two)
    first, last = (statistics(by_one, epoch, "train")["loss"] for epoch in (1, NUM_STEPS))
    assert last < 0.9 * first


def test_only_the_first_process_writes(by_one, by_two):
    assert {path.name for path in by_one.iterdir()} == {path.name for path in by_two.iterdir()}
    commands = [json.loads((run / "made_from.json").read_text())["command"] for run in (by_one, by_two)]
    assert commands[0][:-1] == commands[1][:-1]  # but for the directory
    assert not [name for name in commands[1] if name.startswith("--dist")]


def test_a_finished_run_is_left_alone_by_all(argv, by_two):
    before = {path: path.stat().st_mtime_ns for path in by_two.iterdir()}
    trained(argv, by_two)
    assert {path: path.stat().st_mtime_ns for path in by_two.iterdir()} == before


@pytest.mark.parametrize("sizes", [(2, 1), (1, 2)])
def test_a_run_goes_on_with_another_number_of_processes(argv, by_one, tmp_path, sizes):
    for epochs, size in zip((1, NUM_STEPS), sizes, strict=True):
        trained([*argv, "--max_epoch", str(epochs)], tmp_path / "run", size)
    assert_close(by_one, tmp_path / "run")


def test_the_parameters_after_an_epoch_are_those_of_every_process(argv, tmp_path):
    """Each process keeps what it ends with; the second has its own random state."""

    def keep(rank):
        run = ENTTrainer.run

        def keeping(model, **others):
            run(model=model, **others)
            torch.save((model.state_dict(), torch.initial_seed()), tmp_path / f"{rank}.pth")

        ENTTrainer.run = keeping

    assert train([*argv, "--output_dir", str(tmp_path / "run")], prepare=keep) == [0, 0]
    (one, seed), (other, other_seed) = (torch.load(tmp_path / f"{rank}.pth") for rank in (0, 1))
    assert same(one, other)
    assert seed != other_seed


def _note_batches(folder):
    """Let each process write down the utterances of its steps."""

    def prepare(rank):
        from espnet_ent.plugin import training

        forward = training.forward_batch

        def noting(model, utt_ids, *others):
            with (folder / f"{rank}.txt").open("a") as file:
                print(*utt_ids, file=file)
            return forward(model, utt_ids, *others)

        training.forward_batch = noting

    return prepare


@pytest.mark.parametrize("bins", [8, 40, 10000])
def test_batches_bounded_by_the_lattice_are_shared_out_whole(argv, tmp_path, bins):
    options = [*argv, "--output_dir", str(tmp_path / "run"), "--lattice_bins", str(bins), "--max_epoch", "1"]
    assert train(options, prepare=_note_batches(tmp_path)) == [0, 0]
    shares = [(tmp_path / f"{rank}.txt").read_text().splitlines() for rank in (0, 1)]
    assert len(shares[0]) == len(shares[1])
    used = [utt_id for share in shares for line in share for utt_id in line.split()]
    assert sorted(set(used)) == [f"u{number:02d}" for number in range(7)]
    assert len(used) == (8 if bins == 8 else 7)  # seven batches of one: one is trained on twice


def test_a_batch_of_fewer_utterances_than_processes_is_one_line(argv, tmp_path):
    options = [*argv, "--output_dir", str(tmp_path / "run"), "--batch_size", "1"]

    def expect(rank):
        main = ent_train.main

        def refused(argv):
            with pytest.raises(ConfigError, match="train set: a batch has fewer utterances than there are processes"):
                main(argv)

        ent_train.main = refused

    assert train(options, prepare=expect) == [0, 0]


def test_statistics_are_collected_by_one_process(data, tmp_path):
    argv = statistics_options(data, tmp_path)
    ent_train.main([*argv, "--cpu_processes", "2"])
    with pytest.raises(ConfigError, match="statistics are collected by one process"):
        ent_train.main([*argv, "--dist_world_size", "2", "--dist_rank", "1"])


def test_a_killed_process_ends_the_other_with_one_line(argv, tmp_path):
    def prepare(rank):
        from espnet_ent.plugin import training

        forward, main = training.forward_batch, ent_train.main

        def killed(*args):
            os.kill(os.getpid(), signal.SIGKILL)

        def lost(argv):
            with pytest.raises(PeerLostError, match="another process of this training has ended"):
                main(argv)

        training.forward_batch = killed if rank else forward
        ent_train.main = main if rank else lost

    options = [*argv, "--output_dir", str(tmp_path / "run")]
    assert train(options, prepare=prepare) == [0, -signal.SIGKILL]
    trained(argv, tmp_path / "run")


@pytest.fixture
def forking(monkeypatch):
    """Processes of ``--cpu_processes`` are forked, which needs no seconds for imports."""
    monkeypatch.setattr(launching, "START", "fork")


@pytest.mark.usefixtures("forking")
def test_processes_of_one_command(argv, by_two, tmp_path):
    options = [*argv, "--output_dir", str(tmp_path / "run"), "--cpu_processes", "2"]
    status = forked.run(ent_train.main, options)
    assert status == 0
    assert same(resumable(tmp_path / "run")["model"], resumable(by_two)["model"])
    assert (tmp_path / "run/made_from.json").exists()


@pytest.mark.usefixtures("forking")
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (("--encoder_conf", "num_block=2"), "num_block"),
        (("--batch_size", "1"), "a batch has fewer utterances than there are processes"),
        (("--init_param", "none.pth"), "none.pth"),
    ],
)
def test_a_users_mistake_is_one_line_of_all_processes(argv, tmp_path, wrong, message, capfd):
    options = [*argv, "--output_dir", str(tmp_path / "run"), "--cpu_processes", "2", *wrong]
    sys.stderr.flush()

    def refused():
        from espnet_ent.bin.command import run

        with pytest.raises(SystemExit, match="2"):
            run(lambda: ent_train.main(options))

    assert forked.run(refused) == 0
    error = capfd.readouterr().err
    assert "Traceback" not in error
    assert error.count("error: ") == 1
    assert message in error.partition("error: ")[2]


@pytest.mark.usefixtures("forking")
def test_sigterm_stops_the_processes_of_one_command(argv, tmp_path):
    options = [*argv, "--output_dir", str(tmp_path / "run"), "--cpu_processes", "2", "--max_epoch", "1000"]

    def stopped():
        with pytest.raises(EntError, match="stopped by SIGTERM"):
            ent_train.main(options)

    child = forked.start(stopped)
    forked.wait_for(tmp_path / "run/checkpoint.pth")
    os.kill(child, signal.SIGTERM)
    assert forked.finish(child) == 0
