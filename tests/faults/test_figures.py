"""The page of figures: what was measured, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

from tests.faults.figures import DATA, PAGE, Figures, render


def test_the_page_is_made_of_the_figures() -> None:
    """``make test-faults`` writes both."""
    assert PAGE.read_text(encoding="utf-8") == render(json.loads(DATA.read_text(encoding="utf-8")))


def test_counts_add_up_and_of_measures_the_largest_is_kept(tmp_path: Path) -> None:
    figures = Figures()
    for cases, worst in ((3, 0.5), (4, 0.25)):
        figures.add("Data", "it holds", {"cases": cases, "worst": worst}, "tests/a.py::test_a", True, 1.0)
    figures.write(tmp_path / "data.json")
    page = render(json.loads((tmp_path / "data.json").read_text()))
    assert "| it holds | cases 7, worst 0.5 | held | `tests/a.py::test_a` |" in page


def test_what_fails_later_is_broken_and_what_is_not_tried_stays(tmp_path: Path) -> None:
    first, second = Figures(), Figures()
    for name in "ab":
        first.add("Data", f"{name} holds", {"cases": 1}, f"tests/{name}.py::test", True, 1.0)
    first.write(tmp_path / "data.json")
    second.failed.add("tests/b.py::test")
    second.write(tmp_path / "data.json")
    page = render(json.loads((tmp_path / "data.json").read_text()))
    assert "| a holds | cases 1 | held |" in page
    assert "| b holds | cases 1 | **broken** |" in page
