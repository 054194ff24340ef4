"""The whole suite where the loopback interface is all the network there is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.fault, pytest.mark.security]


def test_the_suite_needs_no_network(figures) -> None:
    """``SUITE_ARGS`` of pytest choose a part, or count lines (``--cov``)."""
    offline = [str(ROOT / "tools/offline.sh")]
    interfaces = subprocess.run([*offline, "ip", "-brief", "link"], capture_output=True, text=True, check=True).stdout
    if [line.split()[0] for line in interfaces.splitlines()] != ["lo"]:
        pytest.skip("this system gives no network of one's own")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("FAULTS", "PYTEST"))}
    command = [*offline, sys.executable, "-m", "pytest", "-q", "-n", str(os.cpu_count()), "--dist", "loadfile"]
    arguments = os.environ.get("SUITE_ARGS", "").split()
    ended = subprocess.run(
        [*command, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout[-5000:]
    passed = int(re.search(r"(\d+) passed", ended.stdout)[1])
    figures("Security", "the suite passes where loopback is all the network there is", tests=passed)
