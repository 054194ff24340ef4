"""Read a reference and a hypothesis directory, and refuse what does not fit together."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from espnet_ent.data.datadir import UNTRANSCRIBED, read_emo_segments, read_table
from espnet_ent.errors import ScoringError
from espnet_ent.labels import EmotionInventory
from espnet_ent.timeline import EmotionSegment, EmotionTimeline

_NAMED_IDS = 5
_OF_WORDS = ("text", "word_times")
_OF_UTTERANCE = ("utt2emo", "utt2emo_posteriors")
_OF_LATTICE = ("emo_segments", "frame_posteriors.scp")
_DECODE_AGAIN = "rerun stage 12 (decoding)"


@dataclass(frozen=True)
class Labelling:
    """One side of a comparison: all mappings have the utterance ids as keys.

    Attributes:
        text: Words, may be empty; no utterance has any where the system gives none.
        emotion: Canonical emotion of the utterance, or None where no emotion is scored.
        timeline: Emotion timeline, or None where none is scored.
    """

    text: Mapping[str, str]
    emotion: Mapping[str, str] | None
    timeline: Mapping[str, EmotionTimeline] | None


@dataclass(frozen=True)
class ScoredSet:
    """What is needed to score one set; ``utterances`` is sorted.

    Attributes:
        name: Name of the set, e.g. ``test``.
        utterances: Ids of all utterances, the same on both sides.
        speakers: Speaker of each utterance.
        durations: Seconds of each utterance, or None where nothing is scored in time.
        no_emotions: Why no utterance emotion is scored, or None if it is.
        no_timelines: Why no timeline is scored, or None if it is.
        untranscribed: Utterances without a transcript, which say nothing about words.
        no_words: Why no words are scored, or None if they are.
    """

    name: str
    utterances: tuple[str, ...]
    speakers: Mapping[str, str]
    durations: Mapping[str, float] | None
    reference: Labelling
    hypothesis: Labelling
    no_emotions: str | None
    no_timelines: str | None
    untranscribed: frozenset[str] = frozenset()
    no_words: str | None = None


def read_scored_set(reference: str | Path, hypothesis: str | Path, inventory: EmotionInventory) -> ScoredSet:
    """Read both directories.

    Args:
        reference: Data directory with text, utt2spk and, as far as known, utt2emo, emo_segments and untranscribed.
        hypothesis: Decoding directory with utt2duration and, as far as the system tells them, text, utt2emo and
            emo_segments. Its name is the name of the set.
        inventory: The classes; labels of both sides are brought to their canonical names.

    Raises:
        ScoringError: If a file is missing, an utterance occurs on one side only, the reference is empty, or
            the model was decoded with other classes.
        LabelError: If a label is unknown.
        DataError: If a file is malformed, or segments of one side overlap.
    """
    reference, hypothesis = Path(reference), Path(hypothesis)
    for side, step in ((reference, "rerun stages 1-4"), (hypothesis, _DECODE_AGAIN)):
        if not side.is_dir():
            raise ScoringError("directory is missing", where=side, next_step=step)
    _check_inventory(hypothesis / "emotion_list", inventory)
    text = _read(reference / "text")
    if not text:
        raise ScoringError("the reference holds no utterance", where=reference / "text")
    speakers = _read_same(reference / "utt2spk", text)
    no_emotions = _left_out(reference, hypothesis, "utt2emo", _OF_UTTERANCE)
    no_timelines = _left_out(reference, hypothesis, "emo_segments", _OF_LATTICE)
    # Trivial timelines carry labels of utterances.
    no_timelines = no_timelines or no_emotions
    durations = None if no_timelines else _read_durations(hypothesis / "utt2duration", text)
    untranscribed = reference / UNTRANSCRIBED
    no_words = _left_out(reference, hypothesis, "text", _OF_WORDS)

    def read_side(side: Path, words: Mapping[str, str]) -> Labelling:
        emotions = None if no_emotions else _read_emotions(side / "utt2emo", text, inventory)
        return Labelling(words, emotions, _read_timelines(side / "emo_segments", durations, inventory))

    return ScoredSet(
        name=hypothesis.resolve().name,
        utterances=tuple(sorted(text)),
        speakers=speakers,
        durations=durations,
        reference=read_side(reference, text),
        hypothesis=read_side(hypothesis, {} if no_words else _read_same(hypothesis / "text", text)),
        no_emotions=no_emotions,
        no_timelines=no_timelines,
        untranscribed=frozenset(read_table(untranscribed) if untranscribed.is_file() else ()),
        no_words=no_words,
    )


def _left_out(reference: Path, hypothesis: Path, name: str, of_system: tuple[str, ...]) -> str | None:
    """Why what the file ``name`` holds is not scored: one side does not tell it; None if both do."""
    if not (reference / name).is_file():
        return f"the reference has no {name}"
    # A single missing file is a fault, which shows when it is read.
    if not any((hypothesis / file).is_file() for file in of_system):
        return f"the system gives no {name}"
    return None


def check_same_utterances(where: Path, expected: Collection[str], got: Collection[str]) -> None:
    """Refuse ids that occur on one side only.

    Raises:
        ScoringError: Naming up to five ids of each kind.
    """
    missing, extra = sorted(set(expected) - set(got)), sorted(set(got) - set(expected))
    if missing or extra:
        faults = [_name_ids("missing", missing), _name_ids("extra", extra)]
        raise ScoringError(
            "utterances differ from those of the reference's text: " + ", ".join(filter(None, faults)),
            where=where,
            next_step=_DECODE_AGAIN + " and score again",
        )


def _name_ids(kind: str, ids: list[str]) -> str:
    if not ids:
        return ""
    dots = " ..." if len(ids) > _NAMED_IDS else ""
    return f"{len(ids)} {kind} ({' '.join(ids[:_NAMED_IDS])}{dots})"


def _check_inventory(path: Path, inventory: EmotionInventory) -> None:
    if not path.is_file():
        return
    decoded = EmotionInventory.read(path)
    if (set(decoded.names), decoded.neutral) != (set(inventory.names), inventory.neutral):
        raise ScoringError(
            "the model was decoded with other emotion classes",
            where=path,
            expected=f"{' '.join(inventory.names)} (neutral {inventory.neutral})",
            got=f"{' '.join(decoded.names)} (neutral {decoded.neutral})",
        )


def _read(path: Path) -> dict[str, str]:
    if not path.is_file():
        raise ScoringError("file is missing", where=path, next_step="rerun the stage that writes it")
    return read_table(path)


def _read_same(path: Path, expected: Collection[str]) -> dict[str, str]:
    table = _read(path)
    check_same_utterances(path, expected, table)
    return table


def _read_emotions(path: Path, expected: Collection[str], inventory: EmotionInventory) -> dict[str, str]:
    table = _read_same(path, expected)
    return {utt: inventory.canonical(label, where=f"{path}: {utt}") for utt, label in table.items()}


def _read_durations(path: Path, expected: Collection[str]) -> dict[str, float]:
    durations = {}
    for utterance, value in _read_same(path, expected).items():
        try:
            durations[utterance] = float(value)
        except ValueError:
            durations[utterance] = math.nan
        if not 0 < durations[utterance] < math.inf:
            raise ScoringError("not a duration in seconds", where=f"{path}: {utterance}", got=repr(value))
    return durations


def _read_timelines(
    path: Path, durations: Mapping[str, float] | None, inventory: EmotionInventory
) -> dict[str, EmotionTimeline] | None:
    """Timelines of all utterances; one without segments is all neutral."""
    if durations is None:
        return None
    if not path.is_file():
        raise ScoringError("file is missing", where=path, next_step=_DECODE_AGAIN)
    segments = read_emo_segments(path)
    check_same_utterances(path, durations, {*durations, *segments})
    return {
        utterance: EmotionTimeline.from_segments(
            [
                EmotionSegment(s.start, s.end, inventory.canonical(s.label, where=f"{path}: {utterance}"))
                for s in segments.get(utterance, ())
            ],
            duration,
            inventory.neutral,
            where=f"{path}: {utterance}",
        )
        for utterance, duration in durations.items()
    }
