"""Files of annotation tools: Praat, ELAN, Audacity."""

from __future__ import annotations

import mimetypes
from pathlib import Path

from espnet_ent.errors import ConfigError
from espnet_ent.export.format import Transcribed, TranscriptFormat
from espnet_ent.export.spans import emotion_spans, whole_milliseconds, words_apart

Tier = tuple[str, list[tuple[float, float, str]]]
"""Name, and intervals (start, end, label) in seconds that do not overlap."""
SHORTEST_FILE = 0.001
"""Seconds: tools refuse a file of no length, which stands for a recording of no length."""


def tiers(item: Transcribed) -> list[Tier]:
    """Tiers ``words``, ``emotions`` and ``utterance`` (its emotion); none of what the model does not tell."""
    transcript = item.transcript
    words = words_apart(transcript.words, transcript.duration)
    found: list[Tier] = [("words", [(word.start, word.end, word.word) for word in words])]
    if transcript.timeline is not None:
        spans = emotion_spans(transcript)
        found.append(("emotions", [(s.start, s.end, s.emotion) for s in spans if s.emotion is not None]))
    if transcript.emotion is not None and transcript.duration > 0:
        found.append(("utterance", [(0.0, transcript.duration, transcript.emotion)]))
    return found


class TextGrid(TranscriptFormat):
    """Praat's TextGrid (long form), by praatio."""

    suffix = ".TextGrid"

    def render(self, item: Transcribed) -> str:
        """A whole file."""
        from praatio.utilities.textgrid_io import getTextgridAsStr

        times = {"xmin": 0.0, "xmax": max(item.transcript.duration, SHORTEST_FILE)}
        content = [{"class": "IntervalTier", "name": n, "entries": list(e), **times} for n, e in tiers(item)]
        return getTextgridAsStr({**times, "tiers": content}, "long_textgrid", includeBlankSpaces=True)


class Elan(TranscriptFormat):
    """ELAN's EAF, by pympi (extra ``elan``); the recording is linked."""

    suffix = ".eaf"

    def check(self) -> None:
        """See that pympi is there."""
        try:
            import pympi  # noqa: F401
        except ImportError:
            raise ConfigError(
                "format elan needs pympi-ling", where="--format", next_step="pip install 'espnet_ent[elan]'"
            ) from None

    def render(self, item: Transcribed) -> str:
        """A whole file; its date is fixed, so that the same recording gives the same file."""
        from pympi.Elan import Eaf, to_string

        file = Eaf(author="espnet_ent")
        file.adocument["DATE"] = "1970-01-01T00:00:00+00:00"
        file.remove_tier("default")
        if item.audio is not None:
            mime_type = mimetypes.guess_type(item.audio)[0] or "audio/x-wav"
            origin = None if item.start is None else round(1000 * item.start)
            file.add_linked_file(Path(item.audio).absolute().as_uri(), mimetype=mime_type, time_origin=origin)
        for name, intervals in tiers(item):
            file.add_tier(name)
            times = whole_milliseconds((start, end) for start, end, _ in intervals)
            for (start, end), (_, _, label) in zip(times, intervals, strict=True):
                file.add_annotation(name, start, end, label)
        return '<?xml version="1.0" encoding="UTF-8"?>\n' + to_string(file) + "\n"


class Audacity(TranscriptFormat):
    """A label track: a label for each emotion span, ``<emotion>: <words>``."""

    suffix = ".labels.txt"

    def render(self, item: Transcribed) -> str:
        """Lines ``<start s> <end s> <label>``, separated by tabulators."""
        lines = []
        for span in emotion_spans(item.transcript):
            label = ": ".join(part for part in (span.emotion, span.text) if part)
            if label:
                lines.append(f"{span.start:.6f}\t{span.end:.6f}\t{label}\n")
        return "".join(lines)
