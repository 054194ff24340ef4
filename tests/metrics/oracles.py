"""Naive second implementations of the metrics, and hand-made directories to score."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from espnet_ent.timeline import EmotionSegment, EmotionTimeline

EMOTIONS = ("hap", "ang", "sad", "neu")


def edit_distance(reference: Sequence[str], hypothesis: Sequence[str]) -> int:
    """Levenshtein's distance by its recursion, row by row."""
    row = list(range(len(hypothesis) + 1))
    for i, expected in enumerate(reference, 1):
        diagonal, row[0] = row[0], i
        for j, got in enumerate(hypothesis, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (expected != got))
    return row[-1]


def sampled_eder(reference: EmotionTimeline, hypothesis: EmotionTimeline, num_samples: int) -> dict[str, float]:
    """EDER and its parts from the labels at the middles of ``num_samples`` equal cells.

    Exact if every boundary lies on a cell's edge.
    """
    middles = (np.arange(num_samples) + 0.5) * (reference.duration / num_samples)
    truth = np.array([reference.label_at(middle) for middle in middles])
    guess = np.array([hypothesis.label_at(middle) for middle in middles])
    neutral = reference.neutral
    parts = {
        "false_alarm": (truth == neutral) & (guess != neutral),
        "missed_emotion": (truth != neutral) & (guess == neutral),
        "confusion": (truth != neutral) & (guess != neutral) & (truth != guess),
    }
    rates = {name: float(cells.mean()) for name, cells in parts.items()}
    return {"eder": float((truth != guess).mean()), **rates, "overlap": 0.0}


@st.composite
def timelines(draw: st.DrawFn, num_cells: int = 24, duration: float = 6.0) -> EmotionTimeline:
    """Timelines whose boundaries lie on a grid of ``num_cells`` cells."""
    runs = draw(st.lists(st.tuples(st.sampled_from(EMOTIONS), st.integers(1, num_cells)), max_size=8))
    segments, position = [], 0
    for label, length in runs:
        end = min(position + length, num_cells)
        if position < end:
            segments.append(EmotionSegment(position * duration / num_cells, end * duration / num_cells, label))
        position = end
    return EmotionTimeline.from_segments(segments, duration, "neu")


def write_lines(path: Path, *lines: str) -> None:
    """Write a text file, and its directory where it is absent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def write_scored_pair(root: Path, set_name: str = "test") -> tuple[Path, Path]:
    """A reference and a hypothesis of four utterances of two speakers; ``test_scoring.py`` has the scores.

    Also ``emotion_list`` and ``train_utt2emo`` (majority: neu) in ``root``.

    Returns:
        The reference and the hypothesis directory.
    """
    reference, hypothesis = root / "dump" / set_name, root / "exp" / "ent" / "greedy" / set_name
    write_lines(root / "emotion_list", "hap emotion exc", "ang emotion", "sad emotion", "neu neutral")
    write_lines(root / "train_utt2emo", "x1 neu", "x2 neu", "x3 exc", "x4 sad")
    write_lines(reference / "text", "a1 OPEN THE DOOR", "a2 CLOSE IT", "b1 GO NOW", "b2 WAIT")
    write_lines(reference / "utt2spk", "a1 a", "a2 a", "b1 b", "b2 b")
    write_lines(reference / "utt2emo", "a1 ang", "a2 neu", "b1 exc", "b2 ang")
    write_lines(reference / "emo_segments", "a1 0.39 1.1 ang", "b1 0 1 exc", "b2 0.5 1 ang")
    write_lines(hypothesis / "text", "a1 OPEN A DOOR", "a2", "b1 GO NOW NOW", "b2 WAIT")
    write_lines(hypothesis / "utt2emo", "a1 ang", "a2 neu", "b1 ang", "b2 neu")
    write_lines(hypothesis / "emo_segments", "a1 0.6 1.22 ang", "b1 0 2 ang")
    write_lines(hypothesis / "utt2duration", "a1 1.22", "a2 2.0", "b1 2.0", "b2 1.0")
    for name in ("utt2emo_posteriors", "frame_posteriors.scp"):  # scoring only sees that they are there
        write_lines(hypothesis / name)
    return reference, hypothesis


def write_words(reference: Path, hypothesis: Path) -> None:
    """Times of the words of :func:`write_scored_pair`; ``test_word_scores.py`` has the scores."""
    write_lines(
        reference / "word_times",
        *("a1 0.1 0.4 OPEN", "a1 0.4 0.5 THE", "a1 0.5 1.0 DOOR", "a2 0.2 0.6 CLOSE", "a2 0.6 0.9 IT"),
        *("b1 0.2 0.8 GO", "b1 0.8 1.4 NOW", "b2 0.3 0.9 WAIT"),
    )
    words = {
        "a1 0.15 0.4 OPEN": "neu",
        "a1 0.42 0.5 A": "neu",
        "a1 0.6 1.1 DOOR": "sad",
        "b1 0.2 0.5 GO": "exc",
        "b1 0.8 1.4 NOW": "hap",
        "b1 1.5 1.9 NOW": "neu",
        "b2 0.35 0.85 WAIT": "ang",
    }
    write_lines(hypothesis / "word_times", *words)
    write_lines(hypothesis / "word_emotions", *(f"{line} 0.9000 {label} 0.8000" for line, label in words.items()))
