"""Sets to be pooled: directories of random utterances, and hand-made counts of one speaker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from espnet_ent.metrics.eder import EderCounts, EderRates
from espnet_ent.metrics.set_counts import SYSTEM, EderSums, SetCounts, SpeakerCounts
from espnet_ent.metrics.wer import ErrorCounts
from tests.metrics.oracles import EMOTIONS, write_lines

_WORDS = ("GO", "NOW", "OPEN", "THE", "DOOR", "WAIT")

Arguments = tuple[Path, Path, Path, Path]
"""Those of ``score_directories`` and ``count_directories``."""


@dataclass(frozen=True)
class Utterance:
    """What both sides say of an utterance: pairs are (reference, hypothesis)."""

    name: str
    speaker: str
    duration: float
    text: tuple[str, str]
    emotion: tuple[str, str]
    segment: tuple[tuple[float, float], tuple[float, float]]


def draw_utterances(seed: int, speakers: Sequence[str], num_each: int = 4) -> list[Utterance]:
    """Random utterances whose names tell the seed, so that those of several seeds can lie in one set."""
    random = np.random.default_rng(seed)

    def words(at_least: int) -> str:
        return " ".join(random.choice(_WORDS, random.integers(at_least, 6)))

    def segment(duration: float) -> tuple[float, float]:
        start = float(random.uniform(0, duration / 2))
        return round(start, 2), round(float(random.uniform(start + 0.1, duration)), 2)

    utterances = []
    for speaker in speakers:
        for number in range(num_each + int(random.integers(3))):
            duration = round(float(random.uniform(1, 5)), 2)
            utterances.append(
                Utterance(
                    f"{speaker}_{seed}_{number}",
                    speaker,
                    duration,
                    (words(1), words(0)),
                    (str(random.choice(EMOTIONS)), str(random.choice(EMOTIONS))),
                    (segment(duration), segment(duration)),
                )
            )
    return utterances


def write_set(root: Path, utterances: Sequence[Utterance], majority: str = "neu") -> Arguments:
    """Write a reference, a hypothesis, the classes and the training labels."""
    reference, hypothesis = root / "dump" / "test", root / "exp" / "test"
    write_lines(root / "emotion_list", "hap emotion", "ang emotion", "sad emotion", "neu neutral")
    write_lines(root / "train_utt2emo", f"x1 {majority}")
    for index, side in enumerate((reference, hypothesis)):
        write_lines(side / "text", *(f"{one.name} {one.text[index]}" for one in utterances))
        write_lines(side / "utt2emo", *(f"{one.name} {one.emotion[index]}" for one in utterances))
        segments = ((one, one.segment[index], one.emotion[index]) for one in utterances)
        write_lines(
            side / "emo_segments",
            *(f"{one.name} {start} {end} {label}" for one, (start, end), label in segments if label != "neu"),
        )
    write_lines(reference / "utt2spk", *(f"{one.name} {one.speaker}" for one in utterances))
    write_lines(hypothesis / "utt2duration", *(f"{one.name} {one.duration}" for one in utterances))
    return reference, hypothesis, root / "emotion_list", root / "train_utt2emo"


def three_folds() -> dict[str, list[Utterance]]:
    """Folds of different sizes; speaker ``b`` is in two of them."""
    return {
        "1": draw_utterances(1, ("a", "b")),
        "2": draw_utterances(2, ("b", "c", "d"), num_each=6),
        "3": draw_utterances(3, ("e",), num_each=2),
    }


def hand_made(errors: int, correct: int, speaker: str = "a", wrong_seconds: float | None = None) -> SetCounts:
    """Counts of 10 utterances: one word each, ``errors`` of them wrong, ``correct`` emotions; all are ``sad``.

    Args:
        errors: Wrong words (and characters) of the 10.
        correct: Right emotions of the 10.
        speaker: Whose they are.
        wrong_seconds: Of 10 seconds, one an utterance, for EDER; none: no timeline is scored.
    """
    spoken = ErrorCounts(errors, 0, 0, 10)
    timelines = {}
    if wrong_seconds is not None:
        seconds = EderCounts(0.0, wrong_seconds, 0.0, 0.0, 10 - wrong_seconds)
        timelines = {SYSTEM: EderSums(seconds, EderRates(wrong_seconds, 0.0, wrong_seconds, 0.0, 0.0))}
    confusion = np.array([[0, 0], [10 - correct, correct]])
    counts = SpeakerCounts(10, 10, spoken, spoken, {SYSTEM: confusion}, timelines)
    return SetCounts(("neu", "sad"), (), {speaker: counts})
