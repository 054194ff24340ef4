"""One cluster for all tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm.cluster import reason_against, slurm_cluster


@pytest.fixture(scope="session")
def slurm_conf() -> Iterator[Path]:
    """The configuration of a running cluster."""
    reason = reason_against()
    if reason is not None:
        pytest.skip(reason)
    with slurm_cluster() as root:
        yield root / "slurm.conf"
