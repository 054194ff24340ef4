"""What is written for other programs says what the transcript says, whatever that is."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from espnet_ent.corpora.ctm import read_ctm
from espnet_ent.data.transcript import Word
from espnet_ent.export.format import Transcribed
from espnet_ent.export.nist import from_field
from espnet_ent.export.registry import FORMATS
from espnet_ent.export.spans import emotion_spans, words_apart
from espnet_ent.frames import FrameGrid
from espnet_ent.labels import FOUR_EMOTIONS
from espnet_ent.timeline import EmotionTimeline
from tests.amounts import amount
from tests.export.test_spans import spoken
from tests.export.transcripts import sample

GRID = FrameGrid(16000, 640)
WORDS = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=6)
LABELS = st.sampled_from(FOUR_EMOTIONS.names)
Entry = tuple[float, float, str]


@st.composite
def transcripts(draw: st.DrawFn) -> Transcribed:
    """Any words at any frames, any emotions."""
    words, duration = draw(spoken())
    words = tuple(Word(w.start, w.end, draw(WORDS), w.confidence, w.emotion) for w in words)
    labels = draw(st.lists(LABELS, min_size=round(duration / 0.04), max_size=round(duration / 0.04)))
    posteriors = np.eye(4, dtype=np.float32)[[FOUR_EMOTIONS.names.index(label) for label in labels]]
    return sample(
        draw(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)),
        text=" ".join(word.word for word in words),
        words=words,
        duration=duration,
        timeline=EmotionTimeline.from_frames(labels, GRID, duration, "neu"),
        frame_posteriors=posteriors,
        grid=GRID,
    )


def _near(found: list[Entry], expected: list[Entry], within: float = 1e-4) -> None:
    assert [label for *_, label in found] == [label for *_, label in expected]
    times = [[time for entry in entries for time in entry[:2]] for entries in (found, expected)]
    np.testing.assert_allclose(*times, atol=within)


def _words(item: Transcribed) -> list[Entry]:
    return [(word.start, word.end, word.word) for word in item.transcript.words]


def _apart(item: Transcribed) -> list[Entry]:
    found = words_apart(item.transcript.words, item.transcript.duration)
    return [(word.start, word.end, word.word) for word in found]


def _emotions(item: Transcribed) -> list[Entry]:
    return [(segment.start, segment.end, segment.label) for segment in item.transcript.timeline.filled()]


def _json(text: str, item: Transcribed, _: Path) -> None:
    found = json.loads(text)
    assert (found["name"], found["text"]) == (item.name, item.transcript.text)
    _near([(w["start"], w["end"], w["word"]) for w in found["words"]], _words(item))
    _near([(s["start"], s["end"], s["emotion"]) for s in found["timeline"]], _emotions(item))


def _csv(text: str, item: Transcribed, _: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert {row["recording"] for row in rows} == {item.name}
    _near([(float(row["start"]), float(row["end"]), row["emotion"]) for row in rows], _emotions(item))
    assert " ".join(row["text"] for row in rows).split() == item.transcript.text.split()


def _rttm(text: str, item: Transcribed, _: Path) -> None:
    fields = [line.split(" ") for line in text.split("\n") if line]
    assert {from_field(row[1]) for row in fields} == {item.name}
    _near([(float(row[3]), float(row[3]) + float(row[4]), from_field(row[7])) for row in fields], _emotions(item))


def _ctm(text: str, item: Transcribed, folder: Path) -> None:
    (folder / "a.ctm").write_text(text, encoding="utf-8")
    found = {from_field(name): words for name, words in read_ctm(folder / "a.ctm").items()}
    assert set(found) <= {item.name}
    _near([(word.start, word.end, word.word) for word in found.get(item.name, ())], _words(item))


def _textgrid(text: str, item: Transcribed, folder: Path) -> None:
    from praatio import textgrid

    (folder / "a.TextGrid").write_text(text, encoding="utf-8")
    grid = textgrid.openTextgrid(str(folder / "a.TextGrid"), includeEmptyIntervals=False, reportingMode="error")
    _near([tuple(entry) for entry in grid.getTier("words").entries], _apart(item))
    _near([tuple(entry) for entry in grid.getTier("emotions").entries], _emotions(item))


def _elan(text: str, item: Transcribed, folder: Path) -> None:
    from pympi.Elan import Eaf

    (folder / "a.eaf").write_text(text, encoding="utf-8")
    file = Eaf(str(folder / "a.eaf"))
    for name, expected in (("words", _apart(item)), ("emotions", _emotions(item))):
        found = sorted(file.get_annotation_data_for_tier(name))
        _near([(start / 1000, end / 1000, label) for start, end, label in found], expected, within=0.01)


def _audacity(text: str, item: Transcribed, _: Path) -> None:
    rows = [line.split("\t") for line in text.split("\n") if line]
    spans = emotion_spans(item.transcript)
    labels = [": ".join(part for part in (span.emotion, span.text) if part) for span in spans]
    expected = [(span.start, span.end, label) for span, label in zip(spans, labels, strict=True)]
    _near([(float(start), float(end), label) for start, end, label in rows], expected)


def _subtitles(text: str, item: Transcribed, _: Path) -> None:
    shown = [line for line in text.split("\n") if re.match(r"(<c|\[)", line)]
    plain = [html.unescape(re.sub(r"^<c\.\w+>|</c>$", "", line)) if "</c>" in line else line for line in shown]
    words = " ".join(re.sub(r"^\[\w+\] ", "", line) for line in plain).split()
    assert words == item.transcript.text.split()


READERS: dict[str, Callable[[str, Transcribed, Path], None]] = {
    "txt": lambda text, item, _: _same(text, f"{item.transcript.text}\n"),
    "json": _json,
    "jsonl": _json,
    "csv": _csv,
    "rttm": _rttm,
    "ctm": _ctm,
    "textgrid": _textgrid,
    "elan": _elan,
    "audacity": _audacity,
    "srt": _subtitles,
    "vtt": _subtitles,
}


def _same(found: str, expected: str) -> None:
    assert found == expected


@settings(max_examples=amount(500, 15), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(item=transcripts())
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_words_and_emotions_back(name: str, tmp_path: Path, figures, item: Transcribed) -> None:
    made = FORMATS[name]()
    READERS[name](made.header + made.render(item), item, tmp_path)
    figures("Data", "transcripts written in each of the 11 formats are read back by another reader", examples=1)
