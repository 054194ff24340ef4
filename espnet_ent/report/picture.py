"""Pictures as files: equal figures give equal bytes, and a file that shows the same is left alone."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from espnet_ent.data.atomic import atomic_write_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_picture(path: str | Path, figure: Figure) -> bool:
    """Write a PNG file; returns whether it changed."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    buffer = io.BytesIO()
    # Equal bytes: the version of matplotlib is not written into the file.
    FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})
    path = Path(path)
    if path.is_file() and path.read_bytes() == buffer.getvalue():
        return False
    atomic_write_bytes(path, buffer.getvalue())
    return True
