"""Package metadata, lock file, and the script that installs from it."""

from __future__ import annotations

import ast
import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import setuptools
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import espnet_ent

ROOT = Path(__file__).parents[1]
_MODULE_OF = {"pyyaml": "yaml", "scikit-learn": "sklearn", "espeakng-loader": "espeakng_loader", "espnet": "espnet2"}
_MODULE_OF |= {"pympi-ling": "pympi"}
# ESPnet depends on it and imports it first; our part in it is to keep it quiet.
_BROUGHT_BY_ESPNET = {"nltk"}


@pytest.fixture(scope="module")
def metadata() -> dict[str, Any]:
    """What setup.py says."""
    given: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setuptools, "setup", lambda **keywords: given.update(keywords))
        runpy.run_path(str(ROOT / "setup.py"))
    return given


def _locked() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def _requirements(metadata: dict[str, Any]) -> list[Requirement]:
    extras = [name for names in metadata["extras_require"].values() for name in names]
    return [Requirement(line) for line in (*metadata["install_requires"], *extras)]


def test_the_version_is_the_package_s(metadata: dict[str, Any]) -> None:
    assert metadata["version"] == espnet_ent.__version__
    assert f"## {espnet_ent.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_supported_pythons_and_licence(metadata: dict[str, Any]) -> None:
    assert metadata["python_requires"] == ">=3.11,<3.13"
    assert metadata["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    assert metadata["extras_require"]["mini"] == ["espeakng-loader"]
    assert re.search(r"eSpeak NG.*\s+.*GNU General Public License, version 3", (ROOT / "NOTICE").read_text())


def test_lock_lines_are_a_name_and_a_version_without_hosts_or_paths() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9.]+|# [^/:]*", line) for line in lines)
    names = [canonicalize_name(name) for name in _locked()]
    assert len(set(names)) == len(names)
    assert "espnet-ent" not in names


def test_the_lock_holds_what_setup_requires(metadata: dict[str, Any]) -> None:
    locked = {canonicalize_name(name): version for name, version in _locked().items()}
    for requirement in _requirements(metadata):
        version = locked[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement}: {version} is locked"


def test_setuptools_of_the_lock_runs_on_both_pythons() -> None:
    """Older ones than 66.1 fail on Python 3.12, ESPnet refuses 74 and later."""
    major, minor = map(int, _locked()["setuptools"].split(".")[:2])
    assert (66, 1) <= (major, minor) < (74, 0)


def _imported_modules() -> Iterable[str]:
    for path in (ROOT / "espnet_ent").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module.split(".")[0]


def test_everything_that_is_imported_is_required(metadata: dict[str, Any]) -> None:
    modules = {_MODULE_OF.get(requirement.name, requirement.name) for requirement in _requirements(metadata)}
    optional = {"espnet_model_zoo"}  # one line tells where it is needed and not there
    imported = set(_imported_modules()) - sys.stdlib_module_names - {"espnet_ent"} - _BROUGHT_BY_ESPNET - optional
    assert imported <= modules


def test_commands_for_people_are_there(metadata: dict[str, Any]) -> None:
    scripts = metadata["entry_points"]["console_scripts"]
    assert "ent-doctor = espnet_ent.bin.ent_doctor:cli" in scripts
    for script in scripts:
        name, target = script.split(" = ")
        module, function = target.split(":")
        assert name == module.rpartition(".")[2].replace("_", "-")
        tree = ast.parse((ROOT / (module.replace(".", "/") + ".py")).read_text())
        assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_files_that_are_no_modules_are_packed(metadata: dict[str, Any]) -> None:
    packed = {
        path
        for package, patterns in metadata["package_data"].items()
        for pattern in patterns
        for path in (ROOT / package.replace(".", "/")).glob(pattern)
    }
    files = {path for path in (ROOT / "espnet_ent").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert files - packed == {path for path in files if path.suffix == ".py"}


def _install(tmp_path: Path, venv: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(ROOT / "tools/install.sh"), str(venv)],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def _bare_path(folder: Path) -> str:
    """A PATH with the tools that the script uses and no Python but what is put there."""
    for name in ("bash", "cat", "cksum", "dirname", "env", "grep", "tail", "sh"):
        found = shutil.which(name)
        assert found
        (folder / name).symlink_to(found)
    return str(folder)


def _script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_a_missing_python_is_one_line(tmp_path: Path) -> None:
    ended = _install(tmp_path, tmp_path / "venv", PATH=_bare_path(tmp_path))
    assert ended.returncode == 2
    assert ended.stderr.startswith("install: error: Python 3.11 or 3.12 with its venv and ensurepip modules was not")
    assert "next: install one, or name it: make PYTHON=" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_an_old_python_and_a_broken_shim_are_passed_over(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    path = _bare_path(tools)
    _script(tools / "python3.11", "exit 127")
    _script(tools / "python3", '[ "$1" != --version ] || { echo "Python 3.9.2"; exit 0; }; exit 1')
    ended = _install(tmp_path, tmp_path / "venv", PATH=path)
    assert ended.returncode == 2
    assert "(Python 3.9.2)" in ended.stderr
    _script(tools / "python3.12", 'echo "$@" >> "$HOME/chosen"; [ "$2" != venv ] || exit 9')
    assert _install(tmp_path, tmp_path / "venv", PATH=path).returncode == 9
    assert f"-m venv {tmp_path}/venv" in (tmp_path / "chosen").read_text()


def test_an_environment_is_installed_once_and_again_when_the_lock_changes(tmp_path: Path) -> None:
    """pip is a stand-in that records what it is asked for; the environment's path has a space."""
    venv = tmp_path / "my venv"
    _script(venv / "bin/python", f'[ "$2" != pip ] || [ "$3" = --version ] || echo "$@" >> "{tmp_path}/asked"')
    first = _install(tmp_path, venv)
    assert first.returncode == 0, first.stderr
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked == [
        "-m pip install --no-deps -r requirements.lock",
        "-m pip install --no-deps --no-build-isolation -e .",
    ]
    assert _install(tmp_path, venv).returncode == 0
    assert len((tmp_path / "asked").read_text().splitlines()) == 2
    (venv / ".espnet_ent-lock").write_text("another\n")
    assert _install(tmp_path, venv).returncode == 0
    assert len((tmp_path / "asked").read_text().splitlines()) == 3


def test_a_failed_installation_is_not_taken_for_a_finished_one(tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    _script(venv / "bin/python", '[ "$3" != install ] || { echo "no space left"; exit 1; }')
    for _ in range(2):
        ended = _install(tmp_path, venv)
        assert ended.returncode == 2
        assert "no space left" in ended.stderr
        assert f"pip failed; the whole log is {venv}/install.log" in ended.stderr


def _make(tmp_path: Path, *words: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run make with an environment whose commands only record how they are called."""
    venv, calls = tmp_path / "my venv", tmp_path / "calls"
    for name in ("python", "shellcheck"):
        _script(venv / "bin" / name, f'echo {name} "$@" >> "{calls}"')
    command = ["make", f"VENV={venv}", *words]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    wanted = [line for line in calls.read_text().splitlines() if " -m pip" not in line and " -c " not in line]
    return ended, wanted


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_test_and_lint_use_the_environment(tmp_path: Path) -> None:
    ended, calls = _make(tmp_path, "test", "PYTEST_ARGS=tests/metrics -k eder", "JOBS=3")
    shared_out = "-n 3 --dist loadfile --no-loadscope-reorder"
    assert (ended.returncode, calls) == (0, [f"python -m pytest -q {shared_out} tests/metrics -k eder"])
    ended, calls = _make(tmp_path, "lint")
    assert ended.returncode == 0, ended.stderr
    assert calls[1:3] == ["python -m ruff check --quiet .", "python -m ruff format --check --quiet ."]
    assert calls[3].startswith("shellcheck -x ")
    assert {".ci/run", "tools/install.sh", "egs2/TEMPLATE/ent1/ent.sh"} <= set(calls[3].split())


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_without_a_target_explains_itself(tmp_path: Path) -> None:
    ended = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0
    assert "make demo" in ended.stdout
