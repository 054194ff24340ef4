"""Uploads into transcripts, within limits."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
import torch

from espnet_ent.demo.service import DemoLimits, DemoService
from espnet_ent.errors import AudioError
from espnet_ent.inference import EmotionTranscriber
from espnet_ent.plugin.builder import build_model
from tests.plugin.tiny import tiny_config

RATE = 16000


@pytest.fixture(scope="module")
def transcriber() -> EmotionTranscriber:
    torch.manual_seed(1)
    return EmotionTranscriber(build_model(tiny_config()))


def upload(samples: np.ndarray, rate: int = RATE, kind: str = "WAV") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind)
    return file.getvalue()


def test_an_upload_gives_what_the_library_gives(transcriber: EmotionTranscriber) -> None:
    samples = 0.1 * np.random.default_rng(2).standard_normal((2 * RATE, 2))
    found = DemoService(transcriber, DemoLimits()).transcribe(upload(samples))
    assert found == {**transcriber(upload(samples)).to_dict(), "neutral": "neu", "notes": []}
    (note,) = DemoService(transcriber, DemoLimits()).transcribe(upload(samples, 8000))["notes"]
    assert note.startswith("1 recording has a lower sampling rate than the model's 16000 Hz (8000 Hz: 1); ")
    empty = DemoService(transcriber, DemoLimits()).transcribe(upload(samples[:0]))
    assert (empty["remark"], empty["text"]) == ("empty", "")


@pytest.mark.security
def test_small_files_of_very_much_audio_are_refused_before_they_are_unpacked(
    transcriber: EmotionTranscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    import espnet_ent.data.recording as module

    monkeypatch.setattr(module, "read_audio", lambda *_, **__: pytest.fail("was read"))
    service = DemoService(transcriber, DemoLimits(seconds=5))
    long = upload(np.zeros(60 * RATE), kind="FLAC")
    assert len(long) < 100_000
    with pytest.raises(AudioError, match="recording is too long; expected at most 5 s; got 60 s"):
        service.transcribe(long)
    with pytest.raises(AudioError, match="too many channels; got 200 channels of 16000 Hz"):
        service.transcribe(upload(np.zeros((1600, 200))))


@pytest.mark.security
def test_what_is_no_audio_is_refused(transcriber: EmotionTranscriber) -> None:
    service = DemoService(transcriber, DemoLimits())
    for content in (b"<html>", b"RIFF", upload(np.ones(RATE))[:2000]):
        with pytest.raises(AudioError):
            service.transcribe(content)
