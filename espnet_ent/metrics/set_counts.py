"""What the scores of a set are made of, added up by speaker, so that sets can be pooled and still be resampled.

All scores of this package are ratios of sums over utterances. ``counts.json`` beside ``results.json`` holds these sums
for each speaker: the sums of several sets are added, then divided, and whole speakers are drawn for the intervals.
E is the number of emotions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from espnet_ent.errors import ScoringError
from espnet_ent.labels import EmotionInventory
from espnet_ent.metrics.eder import EderCounts, EderRates, eder_counts
from espnet_ent.metrics.scored_set import ScoredSet
from espnet_ent.metrics.trivial import trivial_timelines
from espnet_ent.metrics.wer import ErrorCounts, character_errors, word_errors

COUNTS = "counts.json"
SYSTEM = "system"
MAJORITY = "majority"
_SCORE_AGAIN = "rerun stage 13 (scoring)"


@dataclass(frozen=True)
class EderSums:
    """What both EDERs of a set are made of: seconds, and rates added up over utterances."""

    seconds: EderCounts
    rates: EderRates

    def __add__(self, other: EderSums) -> EderSums:
        rates = (getattr(self.rates, f.name) + getattr(other.rates, f.name) for f in fields(EderRates))
        return EderSums(self.seconds + other.seconds, EderRates(*rates))


@dataclass(frozen=True)
class SpeakerCounts:
    """The sums of one speaker, or of many.

    Attributes:
        num_utterances: All utterances.
        num_transcribed: Those with a transcript, which WER and CER are about; none where the system gives no words.
        words: Word errors.
        characters: Character errors.
        confusions: int64 (E, E) by system (``system``, ``majority``); empty where no utterance emotion is scored.
        timelines: By system (``system`` and the trivial ones); empty where no timeline is scored.
    """

    num_utterances: int
    num_transcribed: int
    words: ErrorCounts
    characters: ErrorCounts
    confusions: Mapping[str, np.ndarray] = field(default_factory=dict)
    timelines: Mapping[str, EderSums] = field(default_factory=dict)

    def __add__(self, other: SpeakerCounts) -> SpeakerCounts:
        return SpeakerCounts(
            self.num_utterances + other.num_utterances,
            self.num_transcribed + other.num_transcribed,
            self.words + other.words,
            self.characters + other.characters,
            {name: self.confusions[name] + other.confusions[name] for name in self.confusions},
            {name: self.timelines[name] + other.timelines[name] for name in self.timelines},
        )


@dataclass(frozen=True)
class SetCounts:
    """The sums of each speaker of a set, or of several sets.

    Attributes:
        labels: Names of the classes, E of them.
        majority: The most frequent training emotions, one each of what was pooled; none where they are not known.
        speakers: By name of the speaker, sorted.
    """

    labels: tuple[str, ...]
    majority: tuple[str, ...]
    speakers: Mapping[str, SpeakerCounts]

    @property
    def total(self) -> SpeakerCounts:
        """The sums of all speakers."""
        first, *others = self.speakers.values()
        return sum(others, start=first)

    @property
    def kinds(self) -> dict[str, bool]:
        """What is scored."""
        total = self.total
        return {
            "words": total.num_transcribed > 0,
            "emotions": bool(total.confusions),
            "majority": MAJORITY in total.confusions,
            "timelines": bool(total.timelines),
        }

    @classmethod
    def pool(cls, sets: Iterable[SetCounts]) -> SetCounts:
        """Add up sets; a speaker of several sets stays one speaker.

        Raises:
            ScoringError: If the sets differ in their classes or in what is scored, or there is none.
        """
        sets = list(sets)
        if not sets:
            raise ScoringError("no scored set to pool")
        for other in sets[1:]:
            if (sets[0].labels, sets[0].kinds) != (other.labels, other.kinds):
                raise ScoringError(
                    "sets to be pooled differ in their emotion classes or in what is scored",
                    expected=f"{' '.join(sets[0].labels)}, {sets[0].kinds}",
                    got=f"{' '.join(other.labels)}, {other.kinds}",
                )
        speakers: dict[str, SpeakerCounts] = {}
        for one in sets:
            for name, counts in one.speakers.items():
                speakers[name] = speakers[name] + counts if name in speakers else counts
        majority = tuple(dict.fromkeys(label for one in sets for label in one.majority))
        return cls(sets[0].labels, majority, dict(sorted(speakers.items())))

    @classmethod
    def read(cls, path: str | Path) -> SetCounts:
        """Read what :meth:`to_json` wrote.

        Raises:
            ScoringError: If the file is missing or damaged.
        """
        path = Path(path)
        if not path.is_file():
            raise ScoringError("file is missing", where=path, next_step=_SCORE_AGAIN)
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
            speakers = {name: _speaker(counts) for name, counts in value["speakers"].items()}
            counts = cls(tuple(value["labels"]), tuple(value["majority"]), speakers)
            if not speakers:
                raise ValueError("no speaker")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ScoringError("file is damaged", where=path, got=error, next_step=_SCORE_AGAIN) from error
        return counts

    def to_json(self) -> str:
        """One line; equal counts give equal bytes."""
        speakers = {name: _plain(counts) for name, counts in self.speakers.items()}
        value = {"labels": self.labels, "majority": self.majority, "speakers": speakers}
        return json.dumps(value, sort_keys=True, ensure_ascii=False) + "\n"


def count_set(scored: ScoredSet, inventory: EmotionInventory, majority: str | None) -> SetCounts:
    """Count a set.

    Args:
        scored: References and hypotheses.
        inventory: The classes.
        majority: The most frequent training emotion; None where no emotion is scored, or that one is not known.
    """
    utterances = scored.utterances
    texts = [[side.text.get(utt, "") for utt in utterances] for side in (scored.reference, scored.hypothesis)]
    words, characters = word_errors(*texts), character_errors(*texts)
    candidates = {}
    if scored.no_timelines is None:
        trivial = trivial_timelines(
            scored.durations, scored.hypothesis.emotion, scored.reference.emotion, inventory.neutral
        )
        candidates = {SYSTEM: scored.hypothesis.timeline, **trivial}
    speakers: dict[str, SpeakerCounts] = {}
    for number, utterance in enumerate(utterances):
        is_transcribed = scored.no_words is None and utterance not in scored.untranscribed
        counts = SpeakerCounts(
            num_utterances=1,
            num_transcribed=int(is_transcribed),
            words=words[number] if is_transcribed else ErrorCounts.zero(),
            characters=characters[number] if is_transcribed else ErrorCounts.zero(),
            confusions=_confusions(scored, utterance, inventory, majority),
            timelines={
                name: _eder_sums(eder_counts(scored.reference.timeline[utterance], timelines[utterance], utterance))
                for name, timelines in candidates.items()
            },
        )
        speaker = scored.speakers[utterance]
        speakers[speaker] = speakers[speaker] + counts if speaker in speakers else counts
    majorities = () if majority is None else (majority,)
    return SetCounts(tuple(inventory.names), majorities, dict(sorted(speakers.items())))


def _confusions(
    scored: ScoredSet, utterance: str, inventory: EmotionInventory, majority: str | None
) -> dict[str, np.ndarray]:
    if scored.no_emotions is not None:
        return {}
    reference = inventory.index(scored.reference.emotion[utterance])
    confusions = {}
    answers = {SYSTEM: scored.hypothesis.emotion[utterance]}
    if majority is not None:
        answers[MAJORITY] = majority
    for name, answer in answers.items():
        confusions[name] = np.zeros((len(inventory), len(inventory)), dtype=np.int64)
        confusions[name][reference, inventory.index(answer)] = 1
    return confusions


def _eder_sums(counts: EderCounts) -> EderSums:
    return EderSums(counts, counts.rates)


def _plain(counts: SpeakerCounts) -> dict[str, Any]:
    confusions = {name: confusion.tolist() for name, confusion in counts.confusions.items()}
    return asdict(replace(counts, confusions=confusions))


def _speaker(value: Mapping[str, Any]) -> SpeakerCounts:
    return SpeakerCounts(
        num_utterances=int(value["num_utterances"]),
        num_transcribed=int(value["num_transcribed"]),
        words=ErrorCounts(**value["words"]),
        characters=ErrorCounts(**value["characters"]),
        confusions={name: np.array(rows, dtype=np.int64) for name, rows in value["confusions"].items()},
        timelines={
            name: EderSums(EderCounts(**sums["seconds"]), EderRates(**sums["rates"]))
            for name, sums in value["timelines"].items()
        },
    )
