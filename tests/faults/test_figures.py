"""The page of figures: what was measured, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

from tests.faults.figures import DATA, PAGE, ROOT, Figures, render


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


def test_every_test_of_the_page_is_there() -> None:
    """A test that is renamed takes its figures along."""
    found = json.loads(DATA.read_text(encoding="utf-8"))["found"]
    for test in {test for entry in found.values() for test in entry["tests"]}:
        path, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8"), test


def _page_of(path: Path) -> str:
    return render(json.loads(path.read_text(encoding="utf-8")))


def test_sessions_that_run_a_part_of_the_tests_add_up(tmp_path: Path) -> None:
    """One promise, two tests, each in a session of its own; then one of them again."""
    for name, cases in (("a", 3), ("b", 4), ("a", 5)):
        figures = Figures()
        figures.add("Data", "it holds", {"cases": cases}, f"tests/{name}.py::test", True, 1.0)
        figures.write(tmp_path / "data.json")
    expected = "| it holds | cases 9 | held | `tests/a.py::test`, `tests/b.py::test` |"
    assert expected in _page_of(tmp_path / "data.json")


def test_what_fails_later_is_broken_until_it_passes_and_what_is_not_tried_stays(tmp_path: Path) -> None:
    sessions = [Figures() for _ in range(3)]
    for name in "ab":
        sessions[0].add("Data", f"{name} holds", {"cases": 1}, f"tests/{name}.py::test", True, 1.0)
    sessions[1].failed.add("tests/b.py::test")
    sessions[2].add("Data", "b holds", {"cases": 2}, "tests/b.py::test", True, 1.0)
    for session, outcome in zip(sessions, ("cases 1 | held", "cases 1 | **broken**", "cases 2 | held"), strict=True):
        session.write(tmp_path / "data.json")
        page = _page_of(tmp_path / "data.json")
        assert "| a holds | cases 1 | held |" in page
        assert f"| b holds | {outcome} |" in page
