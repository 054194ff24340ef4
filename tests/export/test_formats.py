"""Every format: a golden file, and what is read back by another reader."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ent.corpora.ctm import read_ctm
from espnet_ent.errors import ConfigError
from espnet_ent.export.nist import from_field, to_field
from espnet_ent.export.registry import FORMATS, formats_named
from espnet_ent.export.spans import emotion_spans, words_apart
from espnet_ent.timeline import EmotionSegment, EmotionTimeline
from tests.export.transcripts import ALL, EMPTY, SILENCE, WORDS_ALONE, sample

GOLDEN = Path(__file__).parent / "golden"


def render(name: str, *items) -> str:
    made = FORMATS[name]()
    return made.header + "".join(made.render(item) for item in items)


@pytest.mark.parametrize("name", FORMATS)
def test_files_are_as_they_were(name: str) -> None:
    """``UPDATE_GOLDEN=1`` writes them anew, to be looked at."""
    made = FORMATS[name]()
    text = render(name, *ALL) if made.can_be_joined else render(name, ALL[0])
    path = GOLDEN / f"{name}{made.suffix}"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("item", ALL, ids=lambda item: item.name)
def test_all_kinds_of_transcripts_are_written_and_alike_twice(name: str, item) -> None:
    text = render(name, item)
    assert text == render(name, item)
    assert text == "" or text.endswith("\n")
    assert "\r" not in text
    assert "nan" not in text.lower().replace("nothing", "")


def test_json_holds_everything() -> None:
    item = sample()
    found = json.loads(render("json", item))
    assert found == {"name": "first take", "audio": None, **item.transcript.to_dict()}
    assert json.loads(render("json", EMPTY))["nbest"] == [{"text": "", "score": None}]


def test_json_lines_are_told_apart() -> None:
    lines = [json.loads(line) for line in render("jsonl", *ALL).splitlines()]
    assert [line["name"] for line in lines] == [item.name for item in ALL]
    assert all("frame_posteriors" not in line for line in lines)


def test_csv_is_read_back() -> None:
    rows = list(csv.DictReader(io.StringIO(render("csv", *ALL))))
    for item in ALL[:4]:
        mine = [row for row in rows if row["recording"] == item.name]
        for row, span in zip(mine, emotion_spans(item.transcript), strict=True):
            assert (float(row["start"]), float(row["end"])) == (span.start, span.end)
            assert (row["emotion"] or None, row["text"]) == (span.emotion, span.text)
    assert [row["start"] for row in rows if row["recording"] == "empty"] == [""]


def test_rttm_gives_the_timeline_back() -> None:
    for item in (sample(), SILENCE):
        segments = []
        for line in render("rttm", item).splitlines():
            kind, name, _, start, length, _, _, label, confidence, _ = line.split(" ")
            assert (kind, from_field(name)) == ("SPEAKER", item.name)
            assert 0 <= float(confidence) <= 1
            segments.append(EmotionSegment(float(start), float(start) + float(length), label))
        timeline = item.transcript.timeline
        assert EmotionTimeline.from_segments(segments, timeline.duration, "neu") == timeline
    assert render("rttm", WORDS_ALONE) == ""


def test_ctm_gives_the_words_back(tmp_path: Path) -> None:
    (tmp_path / "a.ctm").write_text(render("ctm", *ALL))
    found = {from_field(name): words for name, words in read_ctm(tmp_path / "a.ctm").items()}
    for item in ALL:
        given_words = [(word.start, word.end, word.word) for word in item.transcript.words]
        assert [(word.start, word.end, word.word) for word in found.get(item.name, ())] == given_words


@given(st.text())
def test_fields_are_one_word_and_come_back(text: str) -> None:
    field = to_field(text)
    assert field.split() == [field]
    assert not field.startswith(";")
    assert from_field(field) == text or text == "\x00"


@pytest.mark.parametrize("item", ALL, ids=lambda item: item.name)
def test_praat_s_tiers_are_read_back(item, tmp_path: Path) -> None:
    from praatio import textgrid

    (tmp_path / "a.TextGrid").write_text(render("textgrid", item), encoding="utf-8")
    grid = textgrid.openTextgrid(str(tmp_path / "a.TextGrid"), includeEmptyIntervals=False, reportingMode="error")
    transcript = item.transcript
    assert grid.maxTimestamp == max(transcript.duration, 0.001)
    words = words_apart(transcript.words, transcript.duration)
    assert [tuple(entry) for entry in grid.getTier("words").entries] == [(w.start, w.end, w.word) for w in words]
    if transcript.timeline is None:
        assert "emotions" not in grid.tierNames
    else:
        spans = emotion_spans(transcript)
        found = [tuple(entry) for entry in grid.getTier("emotions").entries]
        assert found == [(span.start, span.end, span.emotion) for span in spans]


@pytest.mark.parametrize("item", ALL, ids=lambda item: item.name)
def test_elan_s_tiers_are_read_back(item, tmp_path: Path) -> None:
    from pympi.Elan import Eaf

    (tmp_path / "a.eaf").write_text(render("elan", item), encoding="utf-8")
    found = Eaf(str(tmp_path / "a.eaf"))
    words = [value for _, _, value in sorted(found.get_annotation_data_for_tier("words"))]
    assert words == [word.word for word in item.transcript.words]
    if item.transcript.timeline is not None:
        spans = [(round(1000 * s.start), round(1000 * s.end), s.emotion) for s in emotion_spans(item.transcript)]
        assert sorted(found.get_annotation_data_for_tier("emotions")) == spans


def test_elan_links_the_recording_and_names_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses
    import sys

    text = render("elan", dataclasses.replace(sample(), audio="/data/a b.flac", start=2.5))
    assert 'MEDIA_URL="file:///data/a%20b.flac"' in text
    assert 'TIME_ORIGIN="2500"' in text
    monkeypatch.setitem(sys.modules, "pympi", None)
    with pytest.raises(ConfigError, match=r"format elan needs pympi-ling; next: pip install 'espnet_ent\[elan\]'"):
        formats_named("elan")


def test_audacity_s_labels_are_read_back() -> None:
    lines = [line.split("\t") for line in render("audacity", sample()).splitlines()]
    spans = emotion_spans(sample().transcript)
    assert [(float(a), float(b)) for a, b, _ in lines] == [(span.start, span.end) for span in spans]
    assert [label for _, _, label in lines] == ["neu: GO", 'ang: "R&B" NOW<']


@pytest.mark.parametrize(
    ("name", "pattern"), [("srt", r"(\d\d):(\d\d):(\d\d),(\d{3})"), ("vtt", r"(..):(..):(..)\.(...)")]
)
def test_subtitles_hold_all_words_with_times_in_order(name: str, pattern: str) -> None:
    text = render(name, sample())
    times = [int(h) * 3600 + int(m) * 60 + int(s) + int(ms) / 1000 for h, m, s, ms in re.findall(pattern, text)]
    assert times == sorted(times)
    assert times[-1] <= 1.125
    assert "[neu] GO" in text
    assert ('[ang] "R&B" NOW<' if name == "srt" else '<c.ang>[ang] "R&amp;B" NOW&lt;</c>') in text


def test_names_of_formats_are_checked_at_once() -> None:
    assert list(formats_named("TXT, json,txt")) == ["txt", "json"]
    assert list(formats_named("txt,extra", {"extra": FORMATS["json"]})) == ["txt", "extra"]
    for wrong in ("docx", "txt,docx"):
        with pytest.raises(ConfigError, match=r"--format: unknown format; expected of txt,json,.*; got 'docx'"):
            formats_named(wrong)
    with pytest.raises(ConfigError, match="no format is named"):
        formats_named(" , ")
