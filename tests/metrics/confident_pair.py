"""A reference and a decoding with probabilities, for the tests of confidence."""

from __future__ import annotations

import json
from pathlib import Path

import kaldiio
import numpy as np

from espnet_ent.frames import FrameGrid
from tests.metrics.oracles import write_lines, write_scored_pair

GRID = FrameGrid(16000, 1600)
CHECKPOINT = "c0ffee"
# Not the order of the scored emotion_list: hap ang sad neu.
DECODED_ORDER = ("neu", "hap", "ang", "sad")
NUM_FRAMES = {"a1": 13, "a2": 20, "b1": 20, "b2": 10}
UTTERANCES = {
    "a1": (0.1, 0.1, 0.7, 0.1),  # ang, is ang
    "a2": (0.9, 0.1, 0.0, 0.0),  # neu, is neu
    "b1": (0.05, 0.1, 0.8, 0.05),  # ang, is hap
    "b2": (0.6, 0.1, 0.2, 0.1),  # neu, is ang
}


def write_confident_pair(root: Path, set_name: str = "test") -> tuple[Path, Path]:
    """:func:`write_scored_pair` with ``utt2emo_posteriors``, ``frame_posteriors``, ``frame_grid`` and provenance.

    Frames are 0.1 s long; all of an utterance have its probabilities.

    Returns:
        The reference and the hypothesis directory.
    """
    reference, hypothesis = write_scored_pair(root, set_name)
    roles = {"neu": "neutral", "hap": "emotion exc"}
    write_lines(hypothesis / "emotion_list", *(f"{name} {roles.get(name, 'emotion')}" for name in DECODED_ORDER))
    rows = (f"{utterance} {' '.join(map(str, row))}" for utterance, row in UTTERANCES.items())
    write_lines(hypothesis / "utt2emo_posteriors", *rows)
    lines = []
    with (hypothesis / "frame_posteriors.ark").open("wb") as ark:
        for utterance, row in UTTERANCES.items():
            lines.append(f"{utterance} frame_posteriors.ark:{ark.tell() + len(utterance) + 1}")
            kaldiio.save_ark(ark, {utterance: np.tile(np.array(row, np.float32), (NUM_FRAMES[utterance], 1))})
    write_lines(hypothesis / "frame_posteriors.scp", *lines)
    write_lines(hypothesis / "frame_grid", "sample_rate 16000", "samples_per_frame 1600")
    write_lines(hypothesis / "made_from.json", json.dumps({"checkpoint": CHECKPOINT}))
    return reference, hypothesis
