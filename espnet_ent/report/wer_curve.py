"""What errors of the text do to the emotion: UA of utterances whose emotion head was given texts of rising WER."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from espnet_ent.data.text_corruption import ErrorShares, corrupt_text, write_text
from espnet_ent.errors import ConfigError, ScoringError
from espnet_ent.labels import EmotionInventory
from espnet_ent.metrics.bootstrap import SpeakerBootstrap
from espnet_ent.metrics.classification import confusion_matrix, unweighted_average_recall
from espnet_ent.metrics.scored_set import ScoredSet, read_scored_set
from espnet_ent.metrics.wer import ErrorCounts, word_errors

TARGETS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
DECODED = "decoded"
REFERENCE = "reference"

Decode = Callable[[Path, Path | None], None]
"""Decodes the set into a directory, its emotions given a text (a file ``<utt> <words>``); None: the decoded one. What
is there already, made from the same, is left."""


@dataclass(frozen=True)
class CurvePlan:
    """Which texts the emotion head is given, beside the decoded one.

    Attributes:
        targets: Word error rates to corrupt the reference to, fractions; 0 is the reference itself.
        seeds: Seeds of the errors; each target is corrupted with each.
        shares: Of which kind the errors are.
        vocabulary: Texts whose words are put in; None: the reference's.

    Raises:
        ConfigError: If there is no target or no seed, one occurs twice, or a target is out of range.
    """

    targets: tuple[float, ...] = TARGETS
    seeds: tuple[int, ...] = (0,)
    shares: ErrorShares = field(default_factory=ErrorShares)
    vocabulary: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        # Targets by their names: those that are told alike would share a folder.
        names = [_name(target) for target in self.targets]
        for name, values, found in (("wer", self.targets, names), ("seeds", self.seeds, self.seeds)):
            if not values or len(set(found)) < len(values):
                raise ConfigError("none given, or one twice", where=f"option --{name}", got=values)
        if not all(0 <= target <= 1 for target in self.targets):
            raise ConfigError("WER out of range", where="option --wer", expected="0 to 100", got=self.targets)


@dataclass(frozen=True)
class CurvePoint:
    """Scores with one kind of text.

    Attributes:
        name: ``decoded``, ``reference``, or ``wer20``.
        target: The word error rate that was asked for, a fraction; None: that of the decoded text.
        wer: Corpus-level word error rate of the texts, a fraction.
        ua: Unweighted average recall of the utterances' emotions, those of all seeds together, a fraction.
        interval: Its confidence interval over speakers; None with fewer than two.
        by_seed: WER and UA of each seed.
    """

    name: str
    target: float | None
    wer: float
    ua: float
    interval: tuple[float, float] | None
    by_seed: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class WerCurve:
    """All points of a set: the decoded text, if the system tells words, then rising targets.

    Attributes:
        set_name: Name of the set.
        num_utterances: Utterances that have a transcript.
        num_speakers: Their speakers.
        points: The points.
    """

    set_name: str
    num_utterances: int
    num_speakers: int
    points: tuple[CurvePoint, ...]

    @property
    def slope(self) -> float | None:
        """Points of UA for each point of WER, by least squares over the corrupted texts; None with one of them."""
        given = [point for point in self.points if point.target is not None]
        if len({point.wer for point in given}) < 2:
            return None
        return float(np.polyfit([point.wer for point in given], [point.ua for point in given], 1)[0])

    def to_dict(self) -> dict[str, Any]:
        """For ``wer_curve.json``; see :func:`espnet_ent.metrics.scoring.to_json`."""
        points = [{**vars(point), "by_seed": [list(pair) for pair in point.by_seed]} for point in self.points]
        return {**vars(self), "points": points, "slope": self.slope}


@dataclass(frozen=True)
class _Answers:
    """Emotions of the utterances (N,) as class indices, and the errors of the texts that they were told from."""

    reference: list[int]
    hypothesis: list[int]
    speakers: list[str]
    num_emotions: int
    errors: ErrorCounts

    @property
    def ua(self) -> float:
        return unweighted_average_recall(confusion_matrix(self.reference, self.hypothesis, self.num_emotions))


def measure_wer_curve(
    data: str | Path,
    out: str | Path,
    decode: Decode,
    plan: CurvePlan | None = None,
    tell: Callable[[CurvePoint], None] = lambda _: None,
) -> WerCurve:
    """Corrupt the reference, decode with each text, and score.

    Utterances without a transcript are decoded with no words, and not scored.

    Args:
        data: Data directory with text and emotions.
        out: Directory for the texts (``texts/NAME``) and what was decoded with each (``NAME/SET``).
        decode: Decodes the set.
        plan: Which texts.
        tell: Called with each point as it is there.

    Raises:
        ScoringError: If the set or the model tells no emotion, or no utterance has a transcript.
        ConfigError: As :func:`corrupt_text`.
    """
    plan, data, out = plan or CurvePlan(), Path(data), Path(out)
    points = []

    def add(name: str, target: float | None, answers: Sequence[_Answers]) -> None:
        points.append(_point(name, target, answers))
        tell(points[-1])

    folder = out / DECODED / data.name
    decode(folder, None)
    scored, inventory = _read(data, folder)
    text = {utt: "" if utt in scored.untranscribed else scored.reference.text[utt] for utt in scored.utterances}
    if not any(text.values()):
        raise ScoringError("no utterance has a transcript", where=data / "text")
    if scored.no_words is None:
        add(DECODED, None, [_answers(scored, inventory, scored.hypothesis.text)])
    for target in sorted(plan.targets):
        answers = []
        for seed in plan.seeds if target else (plan.seeds[0],):
            given = corrupt_text(text, target, seed, plan.vocabulary, plan.shares).text
            name = f"{_name(target)}_seed{seed}" if target else _name(target)
            write_text(out / "texts" / name, given)
            decode(out / name / data.name, out / "texts" / name)
            answers.append(_answers(*_read(data, out / name / data.name), given))
        add(_name(target), target, answers)
    transcribed = len(scored.utterances) - len(scored.untranscribed)
    return WerCurve(scored.name, transcribed, len(set(_speakers(scored))), tuple(points))


def _name(target: float) -> str:
    return f"wer{100 * target:g}" if target else REFERENCE


def _read(data: Path, decoded: Path) -> tuple[ScoredSet, EmotionInventory]:
    inventory = EmotionInventory.read(decoded / "emotion_list")
    scored = read_scored_set(data, decoded, inventory)
    if scored.no_emotions is not None:
        raise ScoringError(f"no emotions to compare: {scored.no_emotions}", where=decoded)
    return scored, inventory


def _transcribed(scored: ScoredSet) -> list[str]:
    return [utterance for utterance in scored.utterances if utterance not in scored.untranscribed]


def _speakers(scored: ScoredSet) -> list[str]:
    return [scored.speakers[utterance] for utterance in _transcribed(scored)]


def _answers(scored: ScoredSet, inventory: EmotionInventory, given: Mapping[str, str]) -> _Answers:
    utterances = _transcribed(scored)
    reference = [scored.reference.text[utterance] for utterance in utterances]
    return _Answers(
        reference=[inventory.index(scored.reference.emotion[utterance]) for utterance in utterances],
        hypothesis=[inventory.index(scored.hypothesis.emotion[utterance]) for utterance in utterances],
        speakers=_speakers(scored),
        num_emotions=len(inventory),
        errors=ErrorCounts.sum(word_errors(reference, [given[utterance] for utterance in utterances])),
    )


def _point(name: str, target: float | None, answers: Sequence[_Answers]) -> CurvePoint:
    """The answers of all seeds together; a speaker is drawn with all of them."""
    together = _Answers(
        reference=[label for one in answers for label in one.reference],
        hypothesis=[label for one in answers for label in one.hypothesis],
        speakers=[speaker for one in answers for speaker in one.speakers],
        num_emotions=answers[0].num_emotions,
        errors=ErrorCounts.sum(one.errors for one in answers),
    )
    bootstrap = SpeakerBootstrap(together.speakers)
    interval = bootstrap.unweighted_average_recall(together.reference, together.hypothesis, together.num_emotions)
    return CurvePoint(
        name=name,
        target=target,
        wer=together.errors.rate,
        ua=together.ua,
        interval=None if interval is None else (interval.low, interval.high),
        by_seed=tuple((one.errors.rate, one.ua) for one in answers),
    )
