"""What the tests measured: kept in docs/reliability.json, shown in docs/RELIABILITY.md."""

from __future__ import annotations

import datetime
import json
import os
import platform
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DATA, PAGE = ROOT / "docs" / "reliability.json", ROOT / "docs" / "RELIABILITY.md"
AREAS = ("Training", "Decoding", "Recipe", "Numerics", "Data", "Metrics", "Security", "Load")
_HEAD = """# Reliability

What is promised, and what was found when it was tried: faults injected, inputs drawn at random, results compared with
other implementations. Made by `make test-faults` (generated; not to be edited). The suite of `make test` tries
the same with fewer cases. Whole numbers are counts; of other numbers the largest is shown.
"""


class Figures:
    """Collects the figures of a session, by promise and by test.

    Within a test whole numbers add up, of other numbers the largest is kept; so it is for the tests of one promise, on
    the page. A session that runs a part of the tests brings their figures up to date, and no others.

    Attributes:
        found: By promise, its area and its tests.
        failed: Tests that failed, before they could tell figures perhaps: what they promised before is broken.
    """

    def __init__(self) -> None:
        self.found: dict[str, dict[str, Any]] = {}
        self.failed: set[str] = set()

    def add(self, area: str, promise: str, values: dict[str, float], test: str, held: bool, seconds: float) -> None:
        """Add what one test has measured."""
        assert area in AREAS
        tests = self.found.setdefault(promise, {"area": area, "tests": {}})["tests"]
        entry = tests.setdefault(test, {"values": {}, "held": True, "seconds": 0.0, "date": _today()})
        _combine(entry["values"], values)
        entry["held"] = entry["held"] and held
        entry["seconds"] = round(entry["seconds"] + seconds, 1)

    def write(self, path: Path) -> None:
        """Bring a file up to date; what this session did not try stays as it is."""
        found = json.loads(path.read_text(encoding="utf-8"))["found"] if path.is_file() else {}
        for promise, entry in self.found.items():
            before = found.get(promise, {"tests": {}})
            found[promise] = {"area": entry["area"], "tests": {**before["tests"], **entry["tests"]}}
        for tests in (entry["tests"] for entry in found.values()):
            for test in self.failed & set(tests):
                tests[test]["held"] = False
        text = json.dumps({"machine": machine(), "found": found}, indent=1, sort_keys=True, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")


def _combine(into: dict[str, float], values: dict[str, float]) -> None:
    for name, value in values.items():
        before = into.get(name, 0)
        into[name] = before + value if isinstance(value, int) else max(before, value)


def _today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def machine() -> str:
    """What the figures were measured on."""
    cpu = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    memory = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    return f"{cpu}, {os.cpu_count()} cores, {memory / 2**20:.0f} GiB, Python {platform.python_version()}"


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def render(data: dict[str, Any]) -> str:
    """The page: the dates on its first line alone, then a table for each area."""
    dates = sorted({test["date"] for entry in data["found"].values() for test in entry["tests"].values()})
    lines = [f"<!-- {' to '.join(dict.fromkeys([dates[0], dates[-1]]))} -->", _HEAD, f"Machine: {data['machine']}.", ""]
    for area in AREAS:
        entries = {promise: entry for promise, entry in data["found"].items() if entry["area"] == area}
        if not entries:
            continue
        lines += [f"## {area}", "", "| promise | tried | found | tests |", "|---|---|---|---|"]
        for promise, entry in sorted(entries.items()):
            of_tests: dict[str, float] = {}
            for test in entry["tests"].values():
                _combine(of_tests, test["values"])
            values = ", ".join(f"{name.replace('_', ' ')} {_show(value)}" for name, value in of_tests.items())
            outcome = "held" if all(test["held"] for test in entry["tests"].values()) else "**broken**"
            tests = ", ".join(f"`{test}`" for test in entry["tests"])
            lines.append(f"| {promise} | {values} | {outcome} | {tests} |")
        lines.append("")
    return "\n".join(lines)


def _show(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}"


if __name__ == "__main__":
    PAGE.write_text(render(json.loads(DATA.read_text(encoding="utf-8"))), encoding="utf-8")
