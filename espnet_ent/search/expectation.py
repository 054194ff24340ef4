"""Emotions of frames, expected over all alignments of a text.

The best path reads a frame's emotion at one node, where the search left the frame. Here all nodes of the frame take
part, each with the probability that an alignment leaves the frame there: p(e | t) is the sum over u of
p(blank at t, u) p(e | t, u).

Dimensions: B batch, T frames, U labels (the lattice has U + 1 columns), E emotions.
"""

from __future__ import annotations

import torch
from torch import Tensor

from espnet_ent.losses.lattice_cells import LatticeCells
from espnet_ent.transducer.states import JointTerms


@torch.no_grad()
def expected_emotions(
    terms: JointTerms, blank_posteriors: Tensor, num_frames: list[int], num_columns: list[int]
) -> Tensor:
    """Probabilities (B, T, E) of each frame's emotions; nodes are computed in tiles.

    Args:
        terms: Emotion joint terms.
        blank_posteriors: (B, T, U + 1), probability that an alignment takes blank at a node; sums to 1 over the
            columns of each valid frame.
        num_frames: Valid frames of each utterance.
        num_columns: Valid columns of each utterance.
    """
    batch_size, width, _, num_emotions = terms.lattice_shape
    cells = LatticeCells([terms], num_frames, num_columns)
    weights = cells.packed(blank_posteriors).to(cells.dtype)
    expected = torch.zeros(batch_size * width, num_emotions, dtype=cells.dtype, device=cells.device)
    for tile in cells.tiles(weights.nonzero().squeeze(1)):
        (logits,) = cells.logits(tile)
        probabilities = torch.softmax(logits[:, :num_emotions], dim=1)
        expected.index_add_(0, tile.frames, probabilities * tile.of(weights).unsqueeze(1))
    return expected.view(batch_size, width, num_emotions)
