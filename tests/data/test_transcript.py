"""Transcripts as dictionaries."""

from __future__ import annotations

import json

import numpy as np

from espnet_ent.timeline import EmotionSegment, EmotionTimeline
from tests.export.transcripts import ALL, EMPTY, WORDS_ALONE, sample


def test_a_dictionary_is_json() -> None:
    for item in ALL:
        found = item.transcript.to_dict()
        assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_the_timeline_is_what_diarization_calls_a_result() -> None:
    found = sample().transcript.to_dict()["timeline"]
    assert found == [
        {"start": 0.0, "end": 0.25, "emotion": "neu"},
        {"start": 0.25, "end": 1.125, "emotion": "ang"},
    ]
    segments = [EmotionSegment(part["start"], part["end"], part["emotion"]) for part in found]
    assert EmotionTimeline.from_segments(segments, 1.125, "neu") == sample().transcript.timeline
    assert EMPTY.transcript.to_dict()["timeline"] == []


def test_probabilities_have_names_and_no_noise_of_rounding() -> None:
    transcript = sample().transcript
    found = transcript.to_dict()
    assert found["posteriors"] == {"hap": 0.05, "ang": 0.8, "sad": 0.05, "neu": 0.1}
    frames = found["frame_posteriors"]
    assert frames["emotions"] == ["hap", "ang", "sad", "neu"]
    assert frames["seconds_per_frame"] == 0.25
    np.testing.assert_allclose(frames["values"], transcript.frame_posteriors, atol=1e-6)
    assert "frame_posteriors" not in transcript.to_dict(frames=False)


def test_what_a_model_does_not_tell_is_none() -> None:
    found = WORDS_ALONE.transcript.to_dict()
    assert [found[key] for key in ("emotion", "posteriors", "timeline", "frame_posteriors")] == [None] * 4


def test_emotions_without_names_are_numbered() -> None:
    found = sample(emotions=(), grid=None).transcript.to_dict()
    assert list(found["posteriors"]) == ["0", "1", "2", "3"]
    assert found["frame_posteriors"]["seconds_per_frame"] is None
