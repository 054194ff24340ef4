"""Pages written by ``ent-transcribe``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from espnet_ent.data.audio import write_pcm16
from espnet_ent.export.format import Transcribed
from espnet_ent.export.registry import formats_named
from espnet_ent.labels import FOUR_EMOTIONS
from espnet_ent.transcription import REPORT_FORMATS
from tests.report.html.sample import GRID, Page, tone, transcript

FORMAT = formats_named("html", REPORT_FORMATS)["html"]


def _detail(**options: object) -> dict:
    heard = replace(transcript(), emotions=FOUR_EMOTIONS.names, grid=GRID)
    page = Page(FORMAT.render(Transcribed("speech", heard, **options)))
    (row,) = page.data["data"]["sets"][0]["utterances"]
    assert row["id"] == "speech"
    return page.data[row["detail"]]


def test_a_page_has_the_words_and_the_sound_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write_pcm16(path, np.concatenate([np.zeros(8000), tone(1.0)]), 16000, "wav")
    whole, part = _detail(audio=str(path)), _detail(audio=str(path), start=0.5)
    assert [word[2] for word in whole["words"]] == ["HELLO", "THERE"]
    assert whole["src"].startswith("data:audio/mpeg;base64,")
    assert whole["src"] != part["src"]
    assert len(whole["peaks"]) > len(part["peaks"])


def test_a_recording_without_a_file_is_silent() -> None:
    assert "src" not in _detail()


def test_what_a_model_does_not_tell_is_left_out() -> None:
    bare = replace(transcript(), timeline=None, frame_posteriors=None, emotion=None, emotions=(), grid=None)
    assert "HELLO" in FORMAT.render(Transcribed("speech", bare))
