"""Subtitles: words as they are said, with their emotion before them."""

from __future__ import annotations

import html
import re

from espnet_ent.export.format import Transcribed, TranscriptFormat
from espnet_ent.export.spans import Cue, subtitle_cues, whole_milliseconds


def clock(milliseconds: int, separator: str) -> str:
    """A time as subtitles have it.

    >>> clock(3723004, ",")
    '01:02:03,004'
    """
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{separator}{rest:03d}"


def _timed(item: Transcribed, separator: str) -> list[tuple[str, Cue]]:
    """Cues, each with the line of its times."""
    cues = subtitle_cues(item.transcript)
    times = whole_milliseconds((cue.start, cue.end) for cue in cues)
    lines = [f"{clock(start, separator)} --> {clock(end, separator)}" for start, end in times]
    return list(zip(lines, cues, strict=True))


def _spoken(cue: Cue) -> str:
    return cue.text if cue.emotion is None else f"[{cue.emotion}] {cue.text}"


class Srt(TranscriptFormat):
    """SubRip."""

    suffix = ".srt"

    def render(self, item: Transcribed) -> str:
        """Numbered cues; nothing where nothing is said."""
        cues = _timed(item, ",")
        return "".join(f"{number}\n{line}\n{_spoken(cue)}\n\n" for number, (line, cue) in enumerate(cues, 1))


class Vtt(TranscriptFormat):
    """WebVTT; a cue's class is its emotion, so that a style sheet can colour it: ``::cue(.ang)``."""

    suffix = ".vtt"

    def render(self, item: Transcribed) -> str:
        """A whole file."""
        cues = []
        for line, cue in _timed(item, "."):
            text = html.escape(_spoken(cue), quote=False)
            name = "" if cue.emotion is None else re.sub(r"[^\w-]", "_", cue.emotion)
            cues.append(f"\n{line}\n" + (f"<c.{name}>{text}</c>\n" if name else f"{text}\n"))
        return "WEBVTT\n" + "".join(cues)
