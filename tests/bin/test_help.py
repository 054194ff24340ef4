"""Every command explains itself, and does so without the slow libraries."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_BIN = Path(__file__).parents[2] / "espnet_ent" / "bin"
_COMMANDS = sorted(path.stem for path in _BIN.glob("ent_*.py"))
_TRAINING = {"ent_train", "ent_lm_train"}  # its options are ESPnet's
# One process for all: an import that one command does stays visible after it.
_SCRIPT = """
import contextlib, importlib, io, sys
slow = {"torch", "torchaudio", "espnet2", "espnet", "transformers", "sklearn", "matplotlib"}
for name in sys.argv[1:]:
    module = importlib.import_module(f"espnet_ent.bin.{name}")
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
        module.main(["--help"])
    loaded = slow & {imported.partition(".")[0] for imported in sys.modules}
    assert text.getvalue().startswith("usage: "), f"{name} --help printed {text.getvalue()!r}"
    assert not loaded, f"{name} --help loads {loaded}"
"""


def test_help_of_every_command_but_training_needs_no_slow_library() -> None:
    names = [name for name in _COMMANDS if name not in _TRAINING]
    assert len(names) > 10
    ended = subprocess.run([sys.executable, "-c", _SCRIPT, *names], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_the_package_itself_needs_nothing() -> None:
    script = "import sys, espnet_ent; assert 'numpy' not in sys.modules; print(espnet_ent.__version__)"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("name", _COMMANDS)
def test_a_command_is_thin(name: str) -> None:
    """Logic belongs into a library function, where it can be tested and used from Python."""
    assert len((_BIN / f"{name}.py").read_text().splitlines()) <= 80
