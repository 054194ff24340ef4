"""Settings of the whole suite."""

from __future__ import annotations

from hypothesis import settings

# Examples are the same in every run, and a busy machine fails no test.
settings.register_profile("suite", deadline=None, derandomize=True)
settings.load_profile("suite")
