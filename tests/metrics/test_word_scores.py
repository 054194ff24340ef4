"""Words in results.json, worked out by hand for four utterances, and what is left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from espnet_ent.errors import DataError, EntError, LabelError, ScoringError
from espnet_ent.metrics.scoring import score_directories, to_json
from tests.metrics.oracles import write_lines, write_scored_pair, write_words

GOLDEN = {
    "num_reference": 8,
    "num_hypothesis": 7,
    "num_correct": 5,
    # OPEN, DOOR, GO, NOW, WAIT
    "start": {"median": 0.05, "mean": (0.05 + 0.1 + 0 + 0 + 0.05) / 5},
    "end": {"median": 0.05, "mean": (0 + 0.1 + 0.3 + 0 + 0.05) / 5},
    "within_tolerance": 0.8,
    "tolerance_seconds": 0.1,
    "emotion": {
        "labels": ["hap", "ang", "sad", "neu"],
        # References: OPEN neu, DOOR ang, GO hap, NOW neu (0.4 of 0.6 s), WAIT ang (0.4 of 0.6 s).
        "confusion": [[1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0], [1, 0, 0, 1]],
        "recall": {"hap": 1.0, "ang": 0.5, "sad": None, "neu": 0.5},
        "wa": 0.6,
        "ua": round(2 / 3, 6),
        "always_neutral": {"wa": 0.4, "ua": round(1 / 3, 6)},
    },
    "emotion_left_out": None,
}


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    pair = write_scored_pair(tmp_path)
    write_words(*pair)
    return pair


def _score(pair: tuple[Path, Path]) -> dict[str, Any]:
    root = pair[0].parents[1]
    return json.loads(to_json(score_directories(*pair, root / "emotion_list", root / "train_utt2emo")))


def test_golden(pair: tuple[Path, Path]) -> None:
    results = _score(pair)
    assert results["words"] == GOLDEN
    assert results["words_left_out"] is None


def test_changes_of_emotion(pair: tuple[Path, Path]) -> None:
    """a1: 0.39 and 1.1 s, recognised at 0.6 s; b1: 1 s and b2: 0.5 s, both without a recognised change."""
    expected = {"num_reference": 4, "num_hypothesis": 1, "median": 0.355, "mean": 0.355, "share_without": 0.5}
    assert _score(pair)["boundaries"] == expected
    (pair[0] / "emo_segments").unlink()
    assert _score(pair)["boundaries"] is None


@pytest.mark.parametrize(("side", "reason"), [(0, "the reference has no"), (1, "the system gives no")])
def test_without_times_of_words_nothing_is_scored(pair: tuple[Path, Path], side: int, reason: str) -> None:
    (pair[side] / "word_times").unlink()
    results = _score(pair)
    assert results["words"] is None
    assert results["words_left_out"] == f"{reason} word_times"


@pytest.mark.parametrize(
    ("side", "name", "reason"),
    [
        (0, "emo_segments", "the reference has no emo_segments"),
        (1, "word_emotions", "the system gives no word_emotions"),
    ],
)
def test_times_are_scored_without_emotions(pair: tuple[Path, Path], side: int, name: str, reason: str) -> None:
    (pair[side] / name).unlink()
    assert _score(pair)["words"] == {**GOLDEN, "emotion": None, "emotion_left_out": reason}


def test_utterances_that_nobody_has_transcribed_are_left_out(pair: tuple[Path, Path]) -> None:
    write_lines(pair[0] / "untranscribed", "b1", "b2")
    words = _score(pair)["words"]
    assert (words["num_reference"], words["num_hypothesis"], words["num_correct"]) == (5, 3, 2)
    assert words["emotion"]["confusion"] == [[0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1]]


def test_no_correct_word(pair: tuple[Path, Path]) -> None:
    write_lines(pair[1] / "word_times")
    write_lines(pair[1] / "word_emotions")
    words = _score(pair)["words"]
    assert (words["num_correct"], words["num_hypothesis"], words["start"]) == (0, 0, {"median": None, "mean": None})
    assert words["emotion"] is words["emotion_left_out"] is None


@pytest.mark.parametrize(
    ("side", "name", "old", "new", "error", "message"),
    [
        (0, "word_times", "b2 ", "b7 ", ScoringError, r"word_times: .*1 extra \(b7\)"),
        (1, "word_times", "b2 ", "b7 ", ScoringError, r"word_times: .*1 extra \(b7\)"),
        (0, "word_times", "0.3 0.9", "0.9 0.3", DataError, "word_times:8: times of a word are reversed"),
        (1, "word_emotions", "DOOR 0.9000", "DOOR", DataError, "word_emotions:3: malformed line"),
        (1, "word_emotions", "DOOR", "FLOOR", DataError, "word_emotions:3: word is not that of word_times"),
        (1, "word_emotions", "b2 ", "b1 ", DataError, "word_emotions:7: word is not that of word_times"),
        (1, "word_times", "b2 0.35 0.85 WAIT\n", "", DataError, "word_emotions:7: word is not that of word_times"),
        (1, "word_emotions", "b2 0.35 0.85 WAIT 0.9000 ang 0.8000\n", "", DataError, "are missing; got b2"),
        (1, "word_emotions", "sad", "joy", LabelError, "word_emotions:3: unknown .*'joy'"),
    ],
)
def test_faulty_files(
    pair: tuple[Path, Path], side: int, name: str, old: str, new: str, error: type[EntError], message: str
) -> None:
    content = (pair[side] / name).read_text()
    assert content.count(old) == 1
    (pair[side] / name).write_text(content.replace(old, new))
    with pytest.raises(error, match=message):
        _score(pair)
