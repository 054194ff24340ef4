"""Pages of transcribed recordings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from espnet_ent.data.transcript import EmotionTranscript, Word
from espnet_ent.export.format import Transcribed
from espnet_ent.labels import FOUR_EMOTIONS
from espnet_ent.report.html.audio_tracks import AudioOptions
from espnet_ent.report.html.format import Html
from espnet_ent.report.html.quantised import restored
from espnet_ent.report.html.transcript_page import transcript_page
from tests.report.html.sample import GRID, HOSTILE, Page, tone, transcript


def _page(*named: tuple[str, EmotionTranscript], **options: object) -> Page:
    return Page(transcript_page(named, FOUR_EMOTIONS, GRID, provenance="today", **options))


def test_a_recording_is_told_as_it_was_transcribed() -> None:
    found = _page(("speech.wav", transcript()), audio={"speech.wav": tone(1.0)})
    content = found.data["data"]
    assert (content["kind"], content["title"], content["notes"]) == ("recordings", "speech.wav", [])
    (row,) = content["sets"][0]["utterances"]
    assert (row["text"], row["emotion"], row["seconds"]) == ("HELLO THERE", [None, "ang"], 1.0)
    detail = found.data[row["detail"]]
    assert detail["words"] == [[0.1, 0.4, "HELLO", 0.9, "ang", 0.6], [0.4, 0.8, "THERE", 0.8, "neu", 0.5]]
    assert detail["system"] == [[0.0, 0.4, "ang"], [0.4, 1.0, "neu"]]
    np.testing.assert_allclose(restored(detail["frames"]["values"]).reshape(10, 4)[3], [0.1, 0.6, 0.1, 0.2], atol=0.002)
    assert detail["src"].startswith("data:audio/mpeg;base64,")


def test_words_of_one_frame_are_drawn_side_by_side() -> None:
    words = (Word(0.0, 0.1, "FIND"), Word(0.0, 0.6, "THE"), Word(0.6, 0.9, "DOOR"))
    found = _page(("a", replace(transcript(), words=words)))
    assert found.data["detail-0"]["places"] == [[0.0, 0.3], [0.3, 0.6], [0.6, 0.9]]
    assert [word[:2] for word in found.data["detail-0"]["words"]] == [[0.0, 0.1], [0.0, 0.6], [0.6, 0.9]]


def test_several_recordings_without_sound() -> None:
    found = _page(("a", transcript()), ("b", transcript("BYE")))
    assert found.data["data"]["title"] == "2 recordings"
    assert [row["text"] for row in found.data["data"]["sets"][0]["utterances"]] == ["HELLO THERE", "BYE THERE"]
    assert "peaks" not in found.data["detail-1"]
    over = _page(("a", transcript()), audio={"a": tone(1.0)}, options=AudioOptions(megabytes=0))
    assert "budget of 0 MB" in over.data["data"]["notes"][0]


def test_names_and_words_stay_text() -> None:
    found, plain = (_page((name, transcript(name)), audio={name: tone(0.2)}) for name in (HOSTILE, "x"))
    assert [tag for tag, _ in found.elements] == [tag for tag, _ in plain.elements]
    assert found.data["data"]["sets"][0]["utterances"][0]["id"] == HOSTILE


def test_a_model_may_tell_nothing_but_words() -> None:
    bare = replace(
        transcript(),
        emotion=None,
        posteriors=None,
        timeline=None,
        frame_posteriors=None,
        words=(),
        text="",
        remark="empty",
    )
    found = _page(("a", bare))
    assert found.data["detail-0"] == {
        "words": [], "places": [], "system": None, "posteriors": None, "frames": None, "remark": "empty"
    }  # fmt: skip


def test_the_neutral_emotion_is_known_without_a_timeline() -> None:
    for neutral in ("neu", "sad"):
        heard = replace(transcript(), timeline=None, emotions=("neu", "hap", "sad"), neutral=neutral)
        page = Html().render(Transcribed("a", heard))
        assert f'"emotions":["neu","hap","sad"],"neutral":"{neutral}"' in page
