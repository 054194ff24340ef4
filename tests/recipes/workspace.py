"""A copy of the recipes in a folder of its own, run with the real commands or with a stand-in that records them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_MADE_BY_RUNS = shutil.ignore_patterns("data", "dump", "exp", "downloads", "RESULTS.md")
# Records its arguments, one a line and a blank line after each call; code on the command line is not run.
_STAND_IN = '#!/bin/sh\n[ "$1" = -c ] && exit 0\nprintf "%s\\n" "$@" "" >> "$CALLS"\n'


@dataclass(frozen=True)
class Workspace:
    """A folder with ``egs2/`` and ``conf/``; its path has a space.

    Attributes:
        root: The folder.
        path: Value of PATH.
    """

    root: Path
    path: str

    @property
    def calls_file(self) -> Path:
        """Where the stand-in writes."""
        return self.root / "calls"

    def recipe(self, name: str) -> Path:
        """Folder of a recipe."""
        return self.root / "egs2" / f"{name}_ent" / "ent1"

    def run(self, recipe: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a recipe's ``run.sh``."""
        settings = {"HOME": str(self.root), "PATH": self.path, "VENV": "none", "CALLS": str(self.calls_file)}
        return subprocess.run(
            [str(self.recipe(recipe) / "run.sh"), *options],
            env={**settings, **environment},
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
        )

    def calls(self) -> list[list[str]]:
        """The recorded calls, oldest first."""
        if not self.calls_file.exists():
            return []
        return [call.split("\n") for call in self.calls_file.read_text().split("\n\n") if call]


def make_workspace(root: Path, *, real: bool = False) -> Workspace:
    """Copy the recipes below ``root``.

    Args:
        root: Folder to use.
        real: Run this interpreter and this package, rather than the stand-in.
    """
    root = root / "a folder"
    for name in ("egs2", "conf"):
        shutil.copytree(ROOT / name, root / name, symlinks=True, ignore=_MADE_BY_RUNS)
    bin_dir = root / "bin"
    bin_dir.mkdir()
    if real:
        (root / "espnet_ent").symlink_to(ROOT / "espnet_ent")
        (bin_dir / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    else:
        (bin_dir / "python").write_text(_STAND_IN)
    (bin_dir / "python").chmod(0o755)
    return Workspace(root, f"{bin_dir}:{os.environ['PATH']}")
