"""Greedy search on CTC outputs: for models that learn words by CTC alone.

Dimensions: B batch, T frames, V vocabulary with blank.
"""

from __future__ import annotations

import torch
from torch import Tensor

from espnet_ent.search.hypothesis import Hypothesis
from espnet_ent.transducer.masks import BLANK


def ctc_greedy_search(logits: Tensor, lengths: Tensor) -> list[Hypothesis]:
    """The best path of each utterance: the best label of every frame, repetitions and blanks removed.

    Source: Graves et al., "Connectionist temporal classification", 2006, section 3.2 (best path decoding).

    Args:
        logits: (B, T, V), not normalised.
        lengths: (B,) valid frames.

    Returns:
        A hypothesis an utterance. A label's frame and score are those of its first occurrence, its node the number of
        labels up to a frame; the score is that of the path.
    """
    best, labels = logits.log_softmax(dim=-1).max(dim=-1)
    found = []
    for row, length in enumerate(lengths.tolist()):
        path, scores = labels[row, :length], best[row, :length]
        before = torch.cat([path.new_full((1,), BLANK), path])[:length]
        is_new = (path != BLANK) & (path != before)
        frames = is_new.nonzero().squeeze(1)
        found.append(
            Hypothesis(
                tokens=tuple(path[frames].tolist()),
                token_frames=tuple(frames.tolist()),
                nodes=tuple(is_new.cumsum(dim=0).tolist()),
                score=float(scores.sum()),
                token_scores=tuple(scores[frames].tolist()),
            )
        )
    return found
