"""Read the probabilities of a decoded directory (see :mod:`espnet_ent.export.decoded`).

Dimensions: T frames, E emotions, in the order of the directory's ``emotion_list``.
"""

from __future__ import annotations

from pathlib import Path

import kaldiio
import numpy as np

from espnet_ent.data.datadir import read_table
from espnet_ent.errors import DataError
from espnet_ent.frames import FrameGrid

UTTERANCE_POSTERIORS = "utt2emo_posteriors"
FRAME_POSTERIORS = "frame_posteriors.scp"
FRAME_GRID = "frame_grid"
_DECODE_AGAIN = "rerun stage 12 (decoding)"
_TOLERANCE = 1e-3
_GRID_KEYS = ("sample_rate", "samples_per_frame")


def read_utterance_posteriors(directory: str | Path, num_emotions: int) -> dict[str, np.ndarray]:
    """Probabilities of each utterance, float64 (E,).

    Raises:
        DataError: If the file is missing, or a line is not a distribution over ``num_emotions`` emotions.
    """
    path = Path(directory, UTTERANCE_POSTERIORS)
    found = {}
    for utterance, text in _read(path).items():
        try:
            values = np.array([float(value) for value in text.split()])
        except ValueError:
            values = np.array([np.nan])
        found[utterance] = _checked(values[None], num_emotions, f"{path}: {utterance}")[0]
    return found


def read_frame_posteriors(directory: str | Path, num_emotions: int) -> dict[str, np.ndarray]:
    """Probabilities of the frames of each utterance, float32 (T, E).

    Raises:
        DataError: If a file is missing or damaged, or a row is not a distribution over ``num_emotions`` emotions.
    """
    path = Path(directory, FRAME_POSTERIORS)
    found = {}
    for utterance, place in _read(path).items():
        where = f"{path}: {utterance}"
        name, _, offset = place.rpartition(":")
        try:
            # Not load_mat: the ark is named relative to the directory, whose own name it would parse.
            with path.with_name(name).open("rb") as ark:
                ark.seek(int(offset))
                values = np.asarray(kaldiio.matio.read_kaldi(ark))
        except Exception as error:  # kaldiio raises whatever the bytes lead to
            raise DataError("matrix can't be read", where=where, got=error, next_step=_DECODE_AGAIN) from error
        found[utterance] = _checked(values, num_emotions, where)
    return found


def read_frame_grid(directory: str | Path) -> FrameGrid:
    """The time grid of the frames.

    Raises:
        DataError: If the file is missing or malformed.
    """
    path = Path(directory, FRAME_GRID)
    table = _read(path)
    if sorted(table) != sorted(_GRID_KEYS) or not all(value.isdecimal() and int(value) for value in table.values()):
        expected = ", ".join(f"{key} <number>" for key in _GRID_KEYS)
        raise DataError("not a grid of frames", where=path, expected=expected, next_step=_DECODE_AGAIN)
    return FrameGrid(**{key: int(table[key]) for key in _GRID_KEYS})


def frame_grid_text(grid: FrameGrid) -> str:
    """The content of the file that :func:`read_frame_grid` reads."""
    return "".join(f"{key} {getattr(grid, key)}\n" for key in _GRID_KEYS)


def _read(path: Path) -> dict[str, str]:
    if not path.is_file():
        raise DataError("file is missing", where=path, next_step=_DECODE_AGAIN)
    return read_table(path)


def _checked(rows: np.ndarray, num_emotions: int, where: str) -> np.ndarray:
    """Rows (N, E) that are distributions."""
    if rows.ndim != 2 or rows.shape[1] != num_emotions or not (rows >= 0).all():
        is_right = False
    else:
        is_right = bool((np.abs(rows.sum(axis=1) - 1) < _TOLERANCE).all())
    if not is_right:
        expected = f"{num_emotions} numbers of at least 0 that add up to 1"
        raise DataError("not probabilities of the emotions", where=where, expected=expected, next_step=_DECODE_AGAIN)
    return rows
