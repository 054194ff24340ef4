"""Settings and shared models of the whole suite."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.plugin.packed import PackedExperiment

# Examples are the same in every run, and a busy machine fails no test.
settings.register_profile("suite", deadline=None, derandomize=True)
settings.load_profile("suite")


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> PackedExperiment:
    """A tiny model, decoded and packed once for all tests; they leave it as it is."""
    from tests.plugin.packed import make_packed

    return make_packed(tmp_path_factory.mktemp("packed model"))
