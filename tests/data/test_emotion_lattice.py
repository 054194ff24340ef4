"""The emotion lattice of a recording."""

from __future__ import annotations

import numpy as np
import pytest

from espnet_ent.data.emotion_lattice import EmotionLattice
from espnet_ent.frames import FrameGrid


def test_probabilities_path_and_tokens_must_fit() -> None:
    EmotionLattice(np.zeros((3, 2, 4), np.float32), ("A",), (0, 1, 1), FrameGrid(16000, 640))
    with pytest.raises(ValueError, match=r"probabilities of \(3, 3\) nodes, expected \(3, 2\)"):
        EmotionLattice(np.zeros((3, 3, 4), np.float32), ("A",), (0, 1, 1), FrameGrid(16000, 640))
