"""Formats of NIST evaluations: RTTM for the emotion timeline, CTM for words."""

from __future__ import annotations

from urllib.parse import quote, unquote

from espnet_ent.corpora.ctm import ctm_line
from espnet_ent.data.datadir import seconds_text
from espnet_ent.data.utterance import WordTime
from espnet_ent.export.format import Transcribed, TranscriptFormat
from espnet_ent.export.spans import emotion_spans

_UNKNOWN = "<NA>"


def to_field(text: str) -> str:
    """A text as one field: white space, control characters, ``%`` and a first ``;`` are percent-encoded.

    >>> to_field("first take.1")
    'first%20take.1'
    """
    field = "".join(quote(c) if c.isspace() or not c.isprintable() or c == "%" else c for c in text)
    return "%3B" + field[1:] if field.startswith(";") else field or "%00"


def from_field(field: str) -> str:
    """The inverse of :func:`to_field`."""
    return "" if field == "%00" else unquote(field)


class Rttm(TranscriptFormat):
    """A line for each emotion span, neutral ones included: the emotion stands where a speaker's name would.

    ``SPEAKER <recording> 1 <start s> <duration s> <NA> <NA> <emotion> <probability> <NA>``
    """

    suffix = ".rttm"
    can_be_joined = True

    def render(self, item: Transcribed) -> str:
        """Lines; none where the model tells no emotion."""
        lines = []
        for span in emotion_spans(item.transcript):
            if span.emotion is not None:
                # Start and duration add up to the start of the next line.
                start, end = round(span.start, 6), round(span.end, 6)
                times = f"{seconds_text(start)} {seconds_text(end - start)}"
                confidence = _UNKNOWN if span.probability is None else f"{span.probability:.4f}"
                emotion = to_field(span.emotion)
                lines.append(
                    f"SPEAKER {to_field(item.name)} 1 {times} {_UNKNOWN} {_UNKNOWN} {emotion} {confidence} {_UNKNOWN}\n"
                )
        return "".join(lines)


class Ctm(TranscriptFormat):
    """A line for each word: ``<recording> 1 <start s> <duration s> <word> [<confidence>]``."""

    suffix = ".ctm"
    can_be_joined = True

    def render(self, item: Transcribed) -> str:
        """Lines."""
        lines = []
        for word in item.transcript.words:
            line = ctm_line(to_field(item.name), WordTime(word.start, word.end, word.word))
            lines.append(f"{line}\n" if word.confidence is None else f"{line} {word.confidence:.4f}\n")
        return "".join(lines)
