"""Which layer tells the emotion: linear probes of every layer of an encoder.

An utterance is represented by the mean of a layer over time, and by mean and standard deviation; a probe of each is
fitted on the training set, its regularisation chosen on the development set, and scored on the test set. Where the test
set has ``emo_segments``, a probe of single frames gives a timeline, and its EDER: it is fitted on some frames of each
training utterance, which are labelled by ``emo_segments`` where the training set has them, and else by the emotion of
their utterance. Nothing smooths its timelines.

Dimensions: N utterances, L layers, K chosen frames, T frames, D size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from espnet_ent.data.audio import read_audio
from espnet_ent.data.datadir import read_data_dir
from espnet_ent.data.utterance import Utterance
from espnet_ent.errors import DataError
from espnet_ent.frames import FrameGrid, samples_to_seconds, seconds_to_samples
from espnet_ent.labels import EmotionInventory
from espnet_ent.metrics.bootstrap import Interval, SpeakerBootstrap
from espnet_ent.metrics.classification import confusion_matrix, unweighted_average_recall
from espnet_ent.metrics.eder import eder_counts
from espnet_ent.metrics.linear_probe import Probe, fit_probe
from espnet_ent.timeline import EmotionSegment, EmotionTimeline

MOST_FRAMES = 10000
"""Frames of a set that frame probes are fitted or chosen on, at most (but one an utterance at least)."""
_MOST_OF_UTTERANCE = 8
_SHORTEST_SECONDS = 0.2  # as in decoding
Progress = Callable[[Iterable[Utterance], str], Iterable[Utterance]]
POOLINGS = ("mean", "mean_sd")


class Layers(Protocol):
    """What gives layers: :class:`espnet_ent.plugin.layer_states.EncoderLayers`."""

    numbers: tuple[int, ...]
    grid: FrameGrid

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """Layers (L, T, D) of samples (N,)."""


class Learned(Protocol):
    """What tells learned weights: :class:`espnet_ent.plugin.layer_states.LearnedWeights`."""

    def hear(self, samples: np.ndarray) -> None:
        """Hear an utterance's samples (N,)."""

    def told(self) -> dict[str, dict[int, float]]:
        """Name -> number of the layer -> weight."""


@dataclass(frozen=True)
class LayerScore:
    """What probes of one layer reach; fractions, with confidence intervals over speakers where there are two.

    Attributes:
        number: Number of the layer.
        ua: UA by pooling (``mean``, ``mean_sd``).
        ua_interval: Its interval, by pooling.
        eder: EDER of the frame probe, mean over utterances; None where the test set has no timelines.
        eder_interval: Its interval.
        strengths: C of each probe (``mean``, ``mean_sd``, ``frames``).
    """

    number: int
    ua: Mapping[str, float]
    ua_interval: Mapping[str, tuple[float, float] | None]
    eder: float | None
    eder_interval: tuple[float, float] | None
    strengths: Mapping[str, float]


@dataclass(frozen=True)
class LayerReport:
    """Probes of all layers.

    Attributes:
        sets: Names of the sets (``train``, ``dev``, ``test``).
        num_utterances: Utterances of each set.
        num_test_speakers: Speakers of the test set.
        shared_speakers: Speakers that the test set shares with the others.
        frame_labels: What frames of training were labelled by: ``emo_segments``, ``utterance``; None: no timelines.
        all_neutral: EDER of all-neutral timelines, or None.
        scores: By layer.
        mixes: Learned weights: name of the mix or attention -> number of the layer -> weight.
    """

    sets: Mapping[str, str]
    num_utterances: Mapping[str, int]
    num_test_speakers: int
    shared_speakers: tuple[str, ...]
    frame_labels: str | None
    all_neutral: float | None
    scores: tuple[LayerScore, ...]
    mixes: Mapping[str, Mapping[int, float]]

    def to_dict(self) -> dict[str, Any]:
        """For ``layers.json``; see :func:`espnet_ent.metrics.scoring.to_json`."""
        mixes = {name: {str(number): weight for number, weight in mix.items()} for name, mix in self.mixes.items()}
        return {**asdict(self), "mixes": mixes}


@dataclass(eq=False)
class _Pooled:
    """A set as probes see it: means and standard deviations (N, L, D), labels (N,), frames (N * K, L, D), labels."""

    utterances: list[Utterance]
    means: list[np.ndarray] = field(default_factory=list)
    deviations: list[np.ndarray] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    frames: list[np.ndarray] = field(default_factory=list)
    frame_labels: list[int] = field(default_factory=list)

    def rows(self, layer: int, pooling: str) -> tuple[np.ndarray, np.ndarray]:
        """Vectors (N, D) or (N, 2 D), and labels (N,), of the layer at a place."""
        parts = [self.means] if pooling == "mean" else [self.means, self.deviations]
        vectors = [np.stack([vector[layer] for vector in part]) for part in parts]
        return np.concatenate(vectors, axis=1), np.array(self.labels)

    def frame_rows(self, layer: int) -> tuple[np.ndarray, np.ndarray]:
        """Vectors and labels of chosen frames."""
        return np.concatenate([frames[layer] for frames in self.frames]), np.array(self.frame_labels)


def probe_layers(
    layers: Layers,
    sets: Mapping[str, str | Path],
    emotions: EmotionInventory,
    learned: Learned | None = None,
    progress: Progress = lambda utterances, _: utterances,
) -> LayerReport:
    """Fit and score probes of all layers.

    Args:
        layers: The encoder.
        sets: Data directories ``train``, ``dev``, ``test``, with emotions and audio at the encoder's rate.
        emotions: The classes.
        learned: Hears the test set, too, and tells the learned weights.
        progress: Wraps the utterances of a set, given its name.

    Raises:
        DataError: If emotions are missing, or a probe cannot be fitted.
        LabelError: If an emotion is unknown.
    """
    read = {name: _read(sets[name]) for name in ("train", "dev", "test")}
    has_timelines = all(utterance.emo_segments is not None for utterance in read["test"])
    frame_labels = None
    if has_timelines:
        is_told = all(utterance.emo_segments is not None for utterance in read["train"])
        frame_labels = "emo_segments" if is_told else "utterance"
    pooled = {}
    for name in ("train", "dev"):
        most = min(_MOST_OF_UTTERANCE, max(1, MOST_FRAMES // len(read[name]))) if has_timelines else 0
        pooled[name] = _pool(layers, progress(read[name], name), emotions, most)
    places = range(len(layers.numbers))
    probes: list[dict[str, Probe]] = []
    for layer in places:
        rows = {what: [pooled[name].rows(layer, what) for name in pooled] for what in POOLINGS}
        if has_timelines:
            rows["frames"] = [pooled[name].frame_rows(layer) for name in pooled]
        probes.append({what: fit_probe(*pair, len(emotions)) for what, pair in rows.items()})
    test = _Test(layers, emotions, [each.get("frames") for each in probes])
    test.hear(progress(read["test"], "test"), learned)
    others = {utterance.speaker for name in pooled for utterance in read[name]}
    return LayerReport(
        sets={name: Path(sets[name]).name for name in read},
        num_utterances={name: len(utterances) for name, utterances in read.items()},
        num_test_speakers=len({utterance.speaker for utterance in read["test"]}),
        shared_speakers=tuple(sorted(others & {utterance.speaker for utterance in read["test"]})),
        frame_labels=frame_labels,
        all_neutral=test.all_neutral(),
        scores=tuple(test.score(layer, probes[layer]) for layer in places),
        mixes={} if learned is None else learned.told(),
    )


def _read(data: str | Path) -> list[Utterance]:
    utterances = read_data_dir(data)
    if not utterances or any(utterance.emotion is None for utterance in utterances):
        raise DataError("no utterances, or no utt2emo", where=data)
    return utterances


def _pool(layers: Layers, utterances: Iterable[Utterance], emotions: EmotionInventory, most_frames: int) -> _Pooled:
    """Hear a set; of each utterance keep ``most_frames`` frames at most, drawn at random."""
    pooled = _Pooled([])
    for utterance in utterances:
        states = layers(_samples(utterance, layers.grid.sample_rate)[0])
        _add(pooled, utterance, states, emotions)
        if most_frames:
            rng = np.random.default_rng([0, *utterance.utt_id.encode()])
            chosen = np.sort(rng.permutation(states.shape[1])[:most_frames])
            pooled.frames.append(states[:, chosen])
            pooled.frame_labels += [_label_at(utterance, layers.grid.frame_centre(int(t)), emotions) for t in chosen]
    return pooled


def _add(pooled: _Pooled, utterance: Utterance, states: np.ndarray, emotions: EmotionInventory) -> None:
    pooled.utterances.append(utterance)
    pooled.means.append(states.mean(axis=1))
    pooled.deviations.append(states.std(axis=1))
    pooled.labels.append(emotions.index(utterance.emotion, where=utterance.utt_id))


def _label_at(utterance: Utterance, seconds: float, emotions: EmotionInventory) -> int:
    if utterance.emo_segments is None:
        return emotions.index(utterance.emotion, where=utterance.utt_id)
    for segment in utterance.emo_segments:
        if segment.start <= seconds < segment.end:
            return emotions.index(segment.label, where=utterance.utt_id)
    return emotions.neutral_index


def _samples(utterance: Utterance, rate: int) -> tuple[np.ndarray, float]:
    """Samples of an utterance, lengthened by silence if it is short; and its duration in seconds."""
    samples = read_audio(utterance.audio, rate, start=utterance.start, end=utterance.end)
    missing = max(0, seconds_to_samples(_SHORTEST_SECONDS, rate) - len(samples))
    return np.pad(samples, (0, missing)), samples_to_seconds(len(samples), rate)


class _Test:
    """The test set: heard once, scored layer by layer."""

    def __init__(self, layers: Layers, emotions: EmotionInventory, frame_probes: Sequence[Probe | None]) -> None:
        self.layers, self.emotions, self.frame_probes = layers, emotions, frame_probes
        self.pooled = _Pooled([])
        self.references: list[EmotionTimeline] = []
        self.rates: list[list[float]] = [[] for _ in frame_probes]

    def hear(self, utterances: Iterable[Utterance], learned: Learned | None) -> None:
        """Pool the layers of all utterances; EDER of what the frame probes say."""
        emotions, grid = self.emotions, self.layers.grid
        for utterance in utterances:
            samples, duration = _samples(utterance, grid.sample_rate)
            states = self.layers(samples)
            if learned is not None:
                learned.hear(samples)
            _add(self.pooled, utterance, states, emotions)
            if self.frame_probes[0] is None:
                continue
            reference = EmotionTimeline.from_segments(
                [EmotionSegment(s.start, s.end, emotions.canonical(s.label)) for s in utterance.emo_segments],
                duration,
                emotions.neutral,
                where=utterance.utt_id,
            )
            self.references.append(reference)
            for layer, probe in enumerate(self.frame_probes):
                labels = [emotions.names[label] for label in probe.predict(states[layer])]
                timeline = EmotionTimeline.from_frames(labels, grid, duration, emotions.neutral)
                self.rates[layer].append(eder_counts(reference, timeline, utterance.utt_id).rates.eder)

    @property
    def _bootstrap(self) -> SpeakerBootstrap:
        return SpeakerBootstrap([utterance.speaker for utterance in self.pooled.utterances])

    def all_neutral(self) -> float | None:
        """EDER of timelines without emotions; None without timelines."""
        if not self.references:
            return None
        neutral = self.emotions.neutral
        silent = [EmotionTimeline.uniform(neutral, timeline.duration, neutral) for timeline in self.references]
        return float(np.mean([eder_counts(*pair).rates.eder for pair in zip(self.references, silent, strict=True)]))

    def score(self, layer: int, probes: Mapping[str, Probe]) -> LayerScore:
        """Scores of the layer at a place."""
        ua, intervals, size = {}, {}, len(self.emotions)
        for pooling in POOLINGS:
            rows, labels = self.pooled.rows(layer, pooling)
            predicted = probes[pooling].predict(rows)
            ua[pooling] = unweighted_average_recall(confusion_matrix(labels, predicted, size))
            intervals[pooling] = _bounds(self._bootstrap.unweighted_average_recall(labels, predicted, size))
        rates = self.rates[layer]
        return LayerScore(
            number=self.layers.numbers[layer],
            ua=ua,
            ua_interval=intervals,
            eder=float(np.mean(rates)) if rates else None,
            eder_interval=_bounds(self._bootstrap.ratio(rates, np.ones(len(rates)))) if rates else None,
            strengths={what: probe.strength for what, probe in probes.items()},
        )


def _bounds(interval: Interval | None) -> tuple[float, float] | None:
    return None if interval is None else (interval.low, interval.high)
