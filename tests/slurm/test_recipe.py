"""The mini recipe on a real cluster: with a killed task and a drained node, the same results as on one machine."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.encoders.tiny_ssl import save_tiny
from tests.recipes.workspace import Workspace, make_workspace
from tests.slurm.cluster import call

pytestmark = pytest.mark.slurm
_OPTIONS = ("--local_data_opts", "--per_class 2 --zed_per_speaker 1", "--test_sets", "zed_test", "--nj", "2")
_OPTIONS += ("--speed_perturb_factors", "0.9 1.0", "--inference_nj", "3", "--ent_tag", "tiny")
_OPTIONS += ("--ent_args", "--max_epoch 1 --encoder_conf num_blocks=1")


def _start(workspace: Workspace, *options: str, **others: str) -> subprocess.Popen[str]:
    kept = {name: os.environ[name] for name in ("OMP_NUM_THREADS", "PYTHONPATH") if name in os.environ}
    environment = {"HOME": str(workspace.root), "PATH": workspace.path, "VENV": "none", **kept, **others}
    command = [str(workspace.recipe("mini") / "run.sh"), *_OPTIONS, *options]
    with (workspace.root / "log").open("a") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.PIPE, text=True)


def _finish(process: subprocess.Popen[str]) -> None:
    _, err = process.communicate()
    assert process.returncode == 0, err


def _results(workspace: Workspace) -> dict[str, bytes]:
    recipe = workspace.recipe("mini")
    return {
        path.relative_to(recipe).as_posix(): path.read_bytes()
        for pattern in ("exp/*/*/*/score/results.json", "exp/*/*/*/text", "dump/raw/*/text", "data/*/text")
        for path in recipe.glob(pattern)
    }


def _running(slurm_conf: Path, name: str) -> tuple[str, str]:
    """Id and node of a running task of an array."""
    end = time.monotonic() + 300
    while time.monotonic() < end:
        rows = call(slurm_conf, "squeue", "-h", "-r", "-t", "R", "-o", "%i %N %j").splitlines()
        for row in rows:
            if "_" in row.split()[0] and row.split()[2].startswith(name):
                return row.split()[0], row.split()[1]
        time.sleep(0.1)
    raise AssertionError(f"no task of {name} runs")


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    pytest.importorskip("espeakng_loader")
    workspace = make_workspace(tmp_path_factory.mktemp("local"), real=True)
    _finish(_start(workspace, "--stop_stage", "13"))
    return workspace


@pytest.fixture(scope="module")
def clustered(slurm_conf: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, dict[str, str]]:
    workspace = make_workspace(tmp_path_factory.mktemp("cluster"), real=True)
    return workspace, {"cmd_backend": "slurm", "SLURM_CONF": str(slurm_conf)}


def test_a_killed_task_and_a_drained_node_change_no_result(
    local: Workspace, clustered: tuple, slurm_conf: Path
) -> None:
    workspace, cluster = clustered
    _finish(_start(workspace, "--stop_stage", "9", **cluster))
    whole = _start(workspace, "--stage", "10", "--stop_stage", "11", **cluster)
    _, node = _running(slurm_conf, "stats")
    call(slurm_conf, "scontrol", "update", f"NodeName={node}", "State=DRAIN", "Reason=test")
    _finish(whole)
    killed = _start(workspace, "--stage", "12", "--stop_stage", "13", **cluster)
    task, _ = _running(slurm_conf, "zed_test")
    call(slurm_conf, "scancel", task)
    _, err = killed.communicate()
    assert killed.returncode != 0
    assert f"Slurm job {task}: CANCELLED" in err
    assert not list(workspace.recipe("mini").glob("exp/*/*/zed_test/text"))
    _finish(_start(workspace, "--stage", "12", "--stop_stage", "13", **cluster))
    assert call(slurm_conf, "sinfo", "-h", "-n", node, "-o", "%T").split() == ["drained"]
    call(slurm_conf, "scontrol", "update", f"NodeName={node}", "State=RESUME")
    assert _results(workspace) == _results(local)
    assert len([name for name in _results(local) if name.endswith("results.json")]) == 1
    leftovers = [path for path in workspace.recipe("mini").rglob(".*") if path.name != ".lock"]
    assert leftovers == []


def test_a_feature_cache_is_filled_by_an_array(local: Workspace, clustered: tuple, tmp_path: Path) -> None:
    workspace, cluster = clustered
    model = save_tiny(tmp_path / "model", "wavlm-base")
    sizes = " ".join(f"--transducer_conf {name}_size=16" for name in ("embedding", "hidden", "prediction", "joint"))
    options = ["--ent_config", "conf/tuning/train_fent_wavlm_base.yaml", "--feature_cache", "true"]
    options += ["--ent_tag", "wavlm", "--ent_stats_dir", "exp/stats_wavlm", "--stage", "9", "--stop_stage", "13"]
    options += ["--ent_args", f"--max_epoch 1 --encoder_conf model={model} {sizes}"]
    _finish(_start(local, *options))
    _finish(_start(workspace, *options, **cluster))
    exp = workspace.recipe("mini") / "dump/states/wavlm"
    assert len(list(exp.glob("cache.*.log"))) == 2
    assert ", 0 recordings encoded" in (exp / "cache.log").read_text()
    assert _results(workspace) == _results(local)
