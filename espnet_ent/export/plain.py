"""Text, JSON and tables."""

from __future__ import annotations

import csv
import io
import json

from espnet_ent.data.datadir import seconds_text
from espnet_ent.export.format import Transcribed, TranscriptFormat
from espnet_ent.export.spans import emotion_spans

COLUMNS = ("recording", "start", "end", "emotion", "probability", "text", "utterance_emotion")


def row(*cells: object) -> str:
    """A line of CSV as RFC 4180 has it, but for the line end."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()


class Text(TranscriptFormat):
    """The words, on one line."""

    suffix = ".txt"

    def render(self, item: Transcribed) -> str:
        """A line."""
        return f"{item.transcript.text}\n"


class Json(TranscriptFormat):
    """All that the model tells, frames included: ``EmotionTranscript.to_dict`` with the recording's name."""

    suffix = ".json"

    def render(self, item: Transcribed) -> str:
        """An object, one entry a line."""
        entries = {**_origin(item), **item.transcript.to_dict()}
        lines = [f"  {_dumps(key)}: {_dumps(value)}" for key, value in entries.items()]
        return "{\n" + ",\n".join(lines) + "\n}\n"


class JsonLines(TranscriptFormat):
    """A line for each recording, without the probabilities of frames."""

    suffix = ".jsonl"
    is_joined = can_be_joined = True

    def render(self, item: Transcribed) -> str:
        """A line."""
        return _dumps({**_origin(item), **item.transcript.to_dict(frames=False)}) + "\n"


class Csv(TranscriptFormat):
    """A row for each emotion span, with its words; empty cells where a model does not tell."""

    suffix = ".csv"
    is_joined = can_be_joined = True
    header = row(*COLUMNS)

    def render(self, item: Transcribed) -> str:
        """Rows; a recording of no length has one without times."""
        emotion = item.transcript.emotion
        rows = [
            row(
                item.name,
                seconds_text(span.start),
                seconds_text(span.end),
                span.emotion,
                None if span.probability is None else f"{span.probability:.4f}",
                span.text,
                emotion,
            )
            for span in emotion_spans(item.transcript)
        ]
        return "".join(rows) or row(item.name, None, None, None, None, item.transcript.text, emotion)


def _origin(item: Transcribed) -> dict[str, object]:
    return {"name": item.name, "audio": item.audio, **({} if item.start is None else {"audio_start": item.start})}


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
