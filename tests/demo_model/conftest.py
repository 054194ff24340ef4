"""Tests on what ``make demo`` has trained; ``make test-demo`` runs them."""

from __future__ import annotations

import os

collect_ignore_glob = [] if os.environ.get("DEMO") else ["test_*.py"]
