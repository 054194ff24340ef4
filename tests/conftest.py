"""Settings and shared models of the whole suite."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests import network
from tests.amounts import SHARE
from tests.faults.figures import Figures

if TYPE_CHECKING:
    from tests.plugin.packed import PackedExperiment

# Examples are the same in every run, and a busy machine fails no test.
settings.register_profile("suite", deadline=None, derandomize=True)
settings.load_profile("suite")
network.watch()
network.watch_children()

_FIGURES = Figures()
_RECORDED = pytest.StashKey[list]()
_PROCESSES = {"forked", "subprocess", "multiprocessing", "threading", "signal", "make_workspace"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests by what they use, leave long ones out of the suite, and shuffle on request (``ORDER=<seed>``)."""
    for item in items:
        function = getattr(item, "obj", None)
        if getattr(function, "is_hypothesis_test", False) or "figures" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.property)
        if _PROCESSES & set(vars(getattr(item, "module", None) or object)):
            item.add_marker(pytest.mark.process)
    kinds = [kind for kind, wanted in (("fault", SHARE), ("slurm", os.environ.get("SLURM"))) if not wanted]
    left_out = {item: None for item in items if any(item.get_closest_marker(kind) for kind in kinds)}
    config.hook.pytest_deselected(items=[*left_out])
    items[:] = [item for item in items if item not in left_out]
    # The longest files first, so that processes which share the work end together.
    items.sort(key=lambda item: "recipes" not in item.path.parts)
    if os.environ.get("ORDER"):
        random.Random(os.environ["ORDER"]).shuffle(items)


@pytest.fixture(autouse=True)
def _no_network() -> Iterator[None]:
    network.ATTEMPTS.clear()
    yield
    assert not network.ATTEMPTS, f"reached for the network: {network.ATTEMPTS}"


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Record what a test has measured: ``figures(area, promise, name=number, ...)``."""
    request.node.stash[_RECORDED] = []

    def record(area: str, promise: str, **values: float) -> None:
        plain = {name: value if isinstance(value, int) else float(value) for name, value in values.items()}
        request.node.stash[_RECORDED].append((area, promise, plain))

    return record


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    """Give a test's figures to its report, which comes here from the processes of pytest-xdist, too."""
    report = yield
    if report.when == "call":
        report.user_properties += [("figures", recorded) for recorded in item.stash.get(_RECORDED, [])]
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Collect the figures."""
    if not SHARE:
        return
    test, seconds = report.nodeid.partition("[")[0], report.duration
    if report.failed:
        _FIGURES.failed.add(test)
    for area, promise, values in (value for name, value in report.user_properties if name == "figures"):
        if report.when == "call":
            _FIGURES.add(area, promise, values, test, report.passed, seconds)
            seconds = 0.0  # of the first figure; a test of many examples tells many


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures, and write them where ``FAULTS_OUT`` says."""
    for promise, entry in sorted(_FIGURES.found.items()):
        for test, told in entry["tests"].items():
            held = "held" if told["held"] else "BROKEN"
            terminalreporter.write_line(
                f"{entry['area']}: {promise}: {told['values']} {held} ({told['seconds']} s, {test})"
            )
    if (_FIGURES.found or _FIGURES.failed) and os.environ.get("FAULTS_OUT"):
        _FIGURES.write(Path(os.environ["FAULTS_OUT"]))


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> PackedExperiment:
    """A tiny model, decoded and packed once for all tests; they leave it as it is."""
    from tests.plugin.packed import make_packed

    return make_packed(tmp_path_factory.mktemp("packed model"))
