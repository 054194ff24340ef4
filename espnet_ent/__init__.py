"""Speech that is transcribed and felt at once: what was said, and which emotion was there when."""

from __future__ import annotations

import os
from typing import Any

# The hub's library asks the hub for what its telemetry needs, even where only local files are wanted: we send none.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
__all__ = ["EmotionTranscriber", "__version__"]


def __getattr__(name: str) -> Any:
    """Import what needs torch only when it is asked for."""
    if name == "EmotionTranscriber":
        from espnet_ent.inference import EmotionTranscriber

        return EmotionTranscriber
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
