"""Metrics against the libraries of the field, on many draws."""

from __future__ import annotations

import random
from dataclasses import asdict
from itertools import pairwise

import jiwer
import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, recall_score

from espnet_ent.metrics.classification import (
    confusion_matrix,
    macro_f1,
    unweighted_average_recall,
    weighted_accuracy,
)
from espnet_ent.metrics.eder import EderCounts, eder_counts
from espnet_ent.metrics.wer import ErrorCounts, character_errors, word_errors
from espnet_ent.timeline import EmotionSegment, EmotionTimeline
from tests.amounts import amount
from tests.metrics.oracles import EMOTIONS

pytestmark = pytest.mark.property


def _timeline(draw: random.Random, duration: float) -> EmotionTimeline:
    cuts = sorted(draw.uniform(0, duration) for _ in range(draw.randint(0, 6)))
    edges = [0.0, *cuts, duration]
    segments = [
        EmotionSegment(start, end, draw.choice(EMOTIONS))
        for start, end in pairwise(edges)
        if end > start and draw.random() < 0.8
    ]
    return EmotionTimeline.from_segments(segments, duration, "neu")


def _shifted(timeline: EmotionTimeline, offset: float) -> list[EmotionSegment]:
    return [EmotionSegment(s.start + offset, s.end + offset, s.label) for s in timeline.segments]


def test_eder_is_the_identification_error_rate_of_pyannote(figures) -> None:
    """Neutral stretches are annotated, too, so that all of the time counts; no collar."""
    core = pytest.importorskip("pyannote.core")
    identification = pytest.importorskip("pyannote.metrics.identification")
    metric = identification.IdentificationErrorRate(collar=0.0, skip_overlap=False)
    draw, worst = random.Random(0), 0.0

    def annotation(timeline: EmotionTimeline) -> object:
        found = core.Annotation(uri="u")
        for number, segment in enumerate(timeline.filled()):
            found[core.Segment(segment.start, segment.end), number] = segment.label
        return found

    for _ in range(amount(1000, 30)):
        duration = draw.uniform(0.5, 20)
        reference, hypothesis = _timeline(draw, duration), _timeline(draw, duration)
        rates = asdict(eder_counts(reference, hypothesis).rates)
        extent = core.Timeline([core.Segment(0, duration)])
        expected = metric(annotation(reference), annotation(hypothesis), uem=extent)
        worst = max(worst, abs(rates["eder"] - expected))
        assert 0 <= rates["eder"] <= 1
        assert rates["eder"] == pytest.approx(sum(rates.values()) - rates["eder"], abs=1e-12)
    assert worst < 1e-9
    promise = "EDER is IdentificationErrorRate of pyannote.metrics (1e-9), between 0 and 1, the sum of its parts"
    figures("Metrics", promise, timelines=amount(1000, 30), largest_difference=worst)


def test_eder_adds_up_over_recordings_that_follow_one_another(figures) -> None:
    draw, worst = random.Random(1), 0.0
    for _ in range(amount(1000, 30)):
        durations = [draw.uniform(0.5, 9) for _ in range(2)]
        pairs = [(_timeline(draw, duration), _timeline(draw, duration)) for duration in durations]
        whole = [
            EmotionTimeline.from_segments(
                [*pairs[0][side].segments, *_shifted(pairs[1][side], durations[0])], sum(durations), "neu"
            )
            for side in (0, 1)
        ]
        parts = EderCounts.sum(eder_counts(*pair) for pair in pairs)
        found = asdict(eder_counts(*whole))
        worst = max(worst, *(abs(found[name] - value) for name, value in asdict(parts).items()))
    assert worst < 1e-9
    promise = "EDER's seconds of recordings add up to those of the recordings joined"
    figures("Metrics", promise, timelines=amount(1000, 30), largest_difference_in_s=worst)


def test_word_and_character_errors_are_those_of_jiwer_in_any_order(figures) -> None:
    draw = random.Random(2)
    for _ in range(amount(1000, 50)):
        size = draw.randint(1, 6)
        words = ("GO", "HOME", "NOW", "ÄH", "I'M", "A")
        references, hypotheses = (
            [" ".join(draw.choices(words, k=draw.randint(0, 8))) for _ in range(size)] for _ in "ab"
        )
        if not "".join(references):
            references[0] = "GO"
        order = draw.sample(range(size), size)
        for ours, theirs in ((word_errors, jiwer.wer), (character_errors, jiwer.cer)):
            total = ErrorCounts.sum(ours(references, hypotheses))
            assert total.rate == pytest.approx(theirs(references, hypotheses), abs=1e-12)
            shuffled = ours([references[i] for i in order], [hypotheses[i] for i in order])
            assert ErrorCounts.sum(shuffled) == total
    figures("Metrics", "WER and CER are jiwer's, in any order of the files", corpora=amount(1000, 50))


def test_emotion_scores_are_those_of_scikit_learn_in_any_order(figures) -> None:
    generator = np.random.default_rng(3)
    for _ in range(amount(1000, 50)):
        size, classes = int(generator.integers(1, 60)), int(generator.integers(2, 7))
        reference, hypothesis = generator.integers(0, classes, (2, size))
        options = {"labels": sorted(set(reference.tolist())), "average": "macro", "zero_division": 0}
        expected = [
            accuracy_score(reference, hypothesis),
            recall_score(reference, hypothesis, **options),
            f1_score(reference, hypothesis, **options),
        ]
        order = generator.permutation(size)
        for a, b in ((reference, hypothesis), (reference[order], hypothesis[order])):
            confusion = confusion_matrix(a.tolist(), b.tolist(), classes)
            found = [score(confusion) for score in (weighted_accuracy, unweighted_average_recall, macro_f1)]
            assert found == pytest.approx(expected, abs=1e-12)
    figures("Metrics", "WA, UA and F1 are scikit-learn's, in any order of the files", draws=amount(1000, 50))
