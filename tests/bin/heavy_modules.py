"""Which slow libraries a command loads."""

from __future__ import annotations

import subprocess
import sys

_SCRIPT = """
import runpy, sys
module = sys.argv.pop(1)
try:
    runpy.run_module(module, run_name="__main__", alter_sys=True)
except SystemExit as end:
    assert not end.code, end
print(*sorted({name.partition(".")[0] for name in sys.modules} & {"torch", "espnet2", "transformers"}))
"""


def heavy_modules(module: str, *arguments: str) -> list[str]:
    """Run ``python -m module arguments`` in a process of its own and list the slow libraries in it."""
    command = [sys.executable, "-c", _SCRIPT, module, *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()[-1].split()
