"""What goes to the nodes of a cluster, and how much each job does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.recipes.stage_calls import DECODED, EXP, options_of, touch
from tests.recipes.workspace import Workspace, make_workspace

_TRAINING = ("data/token_list/char/tokens.txt", "data/emotion_list", "dump/raw/train/wav.scp", "dump/raw/dev/wav.scp")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path)


def _run(workspace: Workspace, stage: int, *options: str, **environment: str) -> list[list[str]]:
    settings = {"cmd_backend": "slurm", **environment}
    ended = workspace.run("mini", "--stage", str(stage), "--stop_stage", str(stage), *options, **settings)
    assert (ended.returncode, ended.stderr) == (0, "")
    return workspace.calls()


def _split(call: list[str]) -> tuple[list[str], list[str]]:
    """Options of the runner, and the command."""
    command = call.index("python")
    return call[:command], call[command:]


def test_audio_is_read_by_one_job_of_as_many_cores_as_a_node_has(workspace: Workspace) -> None:
    touch(workspace, *(f"data/{name}/wav.scp" for name in ("train", "dev", "test")))
    settings = {"cores_per_node": "4", "cpu_options": "--mem 8G --slurm-option partition=long"}
    # The empty word after --show, all lines, looks like the end of a call to the stand-in.
    runner, command, *others = _run(workspace, 3, "--test_sets", "test", "--nj", "6", **settings)
    assert runner[-1] == "--show"
    assert command[:3] == ["dump/log/ent_format.log", "python", "-m"]
    assert runner[:4] == ["-m", "espnet_ent.bin.ent_run", "--backend", "slurm"]
    assert options_of(runner)["--num-threads"] == ["4"]
    assert options_of(runner)["--mem"] == ["8G"]
    assert options_of(runner)["--slurm-option"] == ["partition=long"]
    assert command[3] == "espnet_ent.bin.ent_format"
    assert options_of(command)["--nj"][-1] == "4"
    assert len(others) == 4


def test_statistics_are_an_array_and_then_their_sum(workspace: Workspace) -> None:
    touch(workspace, *_TRAINING)
    array, merging = (_split(call) for call in _run(workspace, 10, "--nj", "6"))
    assert "ENT_SHARE=1:6" in array[0]
    assert array[0][-1] == "exp/ent_stats_raw_char/stats.ENT_SHARE.log"
    assert options_of(array[0])["--resume"][0] == "false"  # each share knows what it was made from
    assert options_of(array[1])["--share"] == ["ENT_SHARE/6"]
    assert options_of(merging[1])["--merge"] == ["6"]
    same = [{k: v for k, v in options_of(c).items() if k not in ("--share", "--merge")} for _, c in (array, merging)]
    assert same[0] == same[1]


def test_a_feature_cache_is_an_array_on_gpus_and_then_a_list(workspace: Workspace) -> None:
    touch(workspace, *_TRAINING)
    options = ("--feature_cache", "true", "--nj", "6", "--ngpu", "1")
    array, listing = (_split(call) for call in _run(workspace, 9, *options, gpu_options="--time 1:00:00"))
    assert options_of(array[0])["--gpu"] == ["1"]
    assert options_of(array[0])["--time"] == ["1:00:00"]
    assert options_of(array[1])["--share"] == ["ENT_SHARE/6"]
    assert options_of(array[1])["--device"] == ["cuda"]
    assert "--gpu" not in listing[0]
    assert (options_of(listing[1])["--nj"], options_of(listing[1])["--device"]) == (["6"], ["cpu"])


def test_each_set_is_decoded_by_an_array_and_put_together_here(workspace: Workspace) -> None:
    touch(workspace, f"{EXP}/config.yaml", "dump/raw/test/wav.scp", "dump/raw/dev/wav.scp")
    array, merging, *others = _run(workspace, 12, "--test_sets", "test", "--inference_nj", "5")
    runner, command = _split(array)
    assert "ENT_SHARE=1:5" in runner
    assert runner[-1] == f"{DECODED}/log/test.ENT_SHARE.log"
    assert options_of(command)["--share"] == ["ENT_SHARE/5"]
    assert "--nj" not in options_of(command)
    assert merging == ["-m", "espnet_ent.bin.ent_merge_decoded", "--out", f"{DECODED}/test", "--shares", "5"]
    assert len(others) == 2


def test_several_nodes_are_started_by_what_espnet_knows_as_slurm(workspace: Workspace) -> None:
    touch(workspace, *_TRAINING, "exp/ent_stats_raw_char/made_from.json")
    (call,) = _run(workspace, 11, "--num_nodes", "2", "--ngpu", "4", gpu_options="--mem 8G")
    assert call[:2] == ["-m", "espnet2.bin.launch"]
    assert call[call.index("--cmd") + 1].split() == ["utils/slurm.pl", "--gpu", "1", "--mem", "8G"]
    assert (workspace.recipe("mini") / "utils/slurm.pl").stat().st_mode & 0o100


def test_an_unknown_backend_is_refused_before_anything_runs(workspace: Workspace) -> None:
    ended = workspace.run("mini", cmd_backend="pbs")
    assert (ended.returncode, workspace.calls()) == (2, [])
    assert ended.stderr == "ent.sh: error: cmd_backend in cmd.sh: expected local or slurm, got pbs\n"
