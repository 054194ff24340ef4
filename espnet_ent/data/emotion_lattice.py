"""The emotion lattice of one recording, with the path of its decoding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from espnet_ent.frames import FrameGrid


@dataclass(frozen=True, eq=False)
class EmotionLattice:
    """What the emotion joint network says at each node of the lattice of a decoded text.

    Dimensions: T frames, U tokens, E emotions.

    Attributes:
        probabilities: float32 (T, U + 1, E): at frame t, after u tokens.
        tokens: The U tokens of the text.
        nodes: For each frame the column in which the search left it (see ``Hypothesis.nodes``).
        grid: Time grid of the frames.
    """

    probabilities: np.ndarray
    tokens: tuple[str, ...]
    nodes: tuple[int, ...]
    grid: FrameGrid

    def __post_init__(self) -> None:
        shape = (len(self.nodes), len(self.tokens) + 1)
        if self.probabilities.shape[:2] != shape:
            raise ValueError(f"probabilities of {self.probabilities.shape[:2]} nodes, expected {shape}")
