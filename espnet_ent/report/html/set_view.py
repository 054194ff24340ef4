"""A scored set as a page shows it: its figures, a row for each utterance, and what opens below a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from espnet_ent.data.datadir import read_data_dir, read_emo_segments, read_table
from espnet_ent.data.transcript import Word
from espnet_ent.data.utterance import Utterance
from espnet_ent.errors import ScoringError
from espnet_ent.export.posteriors import (
    FRAME_GRID,
    FRAME_POSTERIORS,
    UTTERANCE_POSTERIORS,
    read_frame_grid,
    read_frame_posteriors,
    read_utterance_posteriors,
)
from espnet_ent.export.word_emotions import read_words
from espnet_ent.frames import FrameGrid
from espnet_ent.labels import EmotionInventory
from espnet_ent.metrics.eder import EderCounts, eder_counts
from espnet_ent.metrics.scored_set import ScoredSet, read_scored_set
from espnet_ent.metrics.set_counts import count_set
from espnet_ent.metrics.wer import ErrorCounts, word_edits, word_errors
from espnet_ent.report.experiment import ScoredResults
from espnet_ent.report.html.audio_tracks import AudioSource
from espnet_ent.report.html.set_tables import class_rows, speaker_rows
from espnet_ent.report.html.utterance_details import frames_of, places_of, posteriors_of, segments_of, words_of
from espnet_ent.timeline import EmotionTimeline

_DECIMALS = 6


@dataclass(frozen=True)
class Decoded:
    """What a decoded directory tells, by utterance; empty where it does not."""

    words: Mapping[str, tuple[Word, ...]]
    emotions: Mapping[str, str]
    timelines: Mapping[str, EmotionTimeline]
    posteriors: Mapping[str, np.ndarray]
    frames: Mapping[str, np.ndarray]
    grid: FrameGrid | None
    durations: Mapping[str, float]
    remarks: Mapping[str, str]

    @classmethod
    def read(cls, directory: Path, emotions: EmotionInventory) -> Decoded:
        """Read what is there.

        Raises:
            DataError: If a file is malformed.
            LabelError: If an emotion is unknown.
        """

        def has(name: str) -> bool:
            return (directory / name).is_file()

        size = len(emotions)
        durations = {utt: float(value) for utt, value in read_table(directory / "utt2duration").items()}
        segments = read_emo_segments(directory / "emo_segments") if has("emo_segments") else {}
        timelines = {
            utt: EmotionTimeline.from_segments(segments.get(utt, ()), duration, emotions.neutral, where=utt)
            for utt, duration in durations.items()
            if has("emo_segments") and duration > 0
        }
        return cls(
            words=read_words(directory, emotions),
            emotions=read_table(directory / "utt2emo") if has("utt2emo") else {},
            timelines=timelines,
            posteriors=read_utterance_posteriors(directory, size) if has(UTTERANCE_POSTERIORS) else {},
            frames=read_frame_posteriors(directory, size) if has(FRAME_POSTERIORS) else {},
            grid=read_frame_grid(directory) if has(FRAME_GRID) else None,
            durations=durations,
            remarks=read_table(directory / "remarks") if has("remarks") else {},
        )


@dataclass(frozen=True)
class _Errors:
    """What is wrong with one utterance; None where it is not scored."""

    words: ErrorCounts | None
    emotion: bool | None
    timeline: EderCounts | None

    @property
    def badness(self) -> tuple[float, float, float]:
        """Larger is worse: EDER, then a wrong emotion, then WER."""
        return (
            self.timeline.rates.eder if self.timeline else 0.0,
            float(self.emotion or 0),
            self.words.errors / max(1, self.words.reference_length) if self.words else 0.0,
        )


class SetView:
    """One scored set of an experiment.

    Args:
        data: Data directory of the set.
        decoded: Its decoded directory.
        scored: What was scored.

    Raises:
        ScoringError: If the directories don't fit together, or are not those that were scored.
        DataError: If a file is malformed.
        LabelError: If a label is unknown.
    """

    def __init__(self, data: str | Path, decoded: str | Path, scored: ScoredResults) -> None:
        self.directory = Path(decoded)
        self.scored = scored
        self.emotions = EmotionInventory.read(self.directory / "emotion_list")
        self.set: ScoredSet = read_scored_set(data, decoded, self.emotions)
        self.utterances: dict[str, Utterance] = {one.utt_id: one for one in read_data_dir(data)}
        self.decoded = Decoded.read(self.directory, self.emotions)
        number = scored.results["num_utterances"]
        if number != len(self.set.utterances):
            raise ScoringError(
                "the data are not those that were scored",
                where=data,
                expected=f"{number} utterances",
                got=len(self.set.utterances),
                next_step="rerun stage 13 (scoring)",
            )

    @cached_property
    def errors(self) -> dict[str, _Errors]:
        """What is wrong with each utterance."""
        reference, hypothesis = self.set.reference, self.set.hypothesis
        ids = self.set.utterances
        counts = word_errors([reference.text[utt] for utt in ids], [hypothesis.text.get(utt, "") for utt in ids])
        return {
            utt: _Errors(
                words=count if self._has_both_texts(utt) else None,
                emotion=None if reference.emotion is None else reference.emotion[utt] != hypothesis.emotion[utt],
                timeline=None
                if reference.timeline is None
                else eder_counts(reference.timeline[utt], hypothesis.timeline[utt], utt),
            )
            for utt, count in zip(ids, counts, strict=True)
        }

    def _has_both_texts(self, utt: str) -> bool:
        return self.set.no_words is None and utt not in self.set.untranscribed

    @cached_property
    def worst_first(self) -> list[str]:
        """Utterances, those with the most errors first; equal ones by name."""
        return sorted(self.set.utterances, key=lambda utt: (*(-value for value in self.errors[utt].badness), utt))

    @cached_property
    def places(self) -> dict[str, int]:
        """Place of each utterance in the order of names."""
        return {utt: place for place, utt in enumerate(self.set.utterances)}

    def summary(self) -> dict[str, Any]:
        """Figures of the set as a whole, with its ``results.json`` as it is."""
        counts = count_set(self.set, self.emotions, None)
        return {
            "name": self.scored.set_name,
            "decoding": self.scored.inference_tag,
            "emotions": list(self.emotions.names),
            "neutral": self.emotions.neutral,
            "results": self.scored.results,
            "speakers": speaker_rows(counts),
            "classes": class_rows(self.scored.results["emotion"]),
        }

    def row(self, utt: str) -> dict[str, Any]:
        """The line of an utterance in the table."""
        reference, hypothesis, errors = self.set.reference, self.set.hypothesis, self.errors[utt]
        timeline = errors.timeline
        return {
            "id": utt,
            "speaker": self.set.speakers[utt],
            "seconds": round(self.decoded.durations.get(utt, 0.0), 3),
            "reference": None if utt in self.set.untranscribed else reference.text[utt],
            "text": hypothesis.text.get(utt, ""),
            "words": None if errors.words is None else [errors.words.errors, errors.words.reference_length],
            "emotion": [None if reference.emotion is None else reference.emotion[utt], self.decoded.emotions.get(utt)],
            "eder": None if timeline is None else round(timeline.rates.eder, _DECIMALS),
            "parts": None
            if timeline is None
            else [
                round(getattr(timeline.rates, part), _DECIMALS)
                for part in ("false_alarm", "missed_emotion", "confusion", "overlap")
            ],
        }

    def detail(self, utt: str) -> dict[str, Any]:
        """What opens below the line, but for the audio and the lattice."""
        reference, hypothesis, decoded = self.set.reference, self.set.hypothesis, self.decoded
        utterance = self.utterances[utt]
        known = word_edits([reference.text[utt]], [hypothesis.text[utt]]) if self._has_both_texts(utt) else None
        words = decoded.words.get(utt, ())
        return {
            "edits": known[0] if known else None,
            "words": words_of(words),
            "places": places_of(words, decoded.durations.get(utt, 0.0)),
            "reference_words": [[w.start, w.end, w.word] for w in utterance.word_times or ()],
            "reference": segments_of(None if reference.timeline is None else reference.timeline[utt]),
            "system": segments_of(decoded.timelines.get(utt)),
            "posteriors": posteriors_of(decoded.posteriors.get(utt)),
            "frames": frames_of(decoded.frames.get(utt), decoded.grid),
            "remark": decoded.remarks.get(utt),
        }

    def source(self, utt: str) -> AudioSource:
        """Where its audio is."""
        utterance = self.utterances[utt]
        return AudioSource(utterance.audio, start=utterance.start, end=utterance.end)
