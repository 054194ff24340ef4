"""The output formats by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from espnet_ent.errors import ConfigError
from espnet_ent.export.annotation import Audacity, Elan, TextGrid
from espnet_ent.export.format import TranscriptFormat
from espnet_ent.export.nist import Ctm, Rttm
from espnet_ent.export.plain import Csv, Json, JsonLines, Text
from espnet_ent.export.subtitles import Srt, Vtt

Maker = Callable[[], TranscriptFormat]

FORMATS: dict[str, Maker] = {
    "txt": Text,
    "json": Json,
    "jsonl": JsonLines,
    "rttm": Rttm,
    "ctm": Ctm,
    "textgrid": TextGrid,
    "audacity": Audacity,
    "elan": Elan,
    "srt": Srt,
    "vtt": Vtt,
    "csv": Csv,
}


def formats_named(names: str, more: Mapping[str, Maker] | None = None) -> dict[str, TranscriptFormat]:
    """The formats of a list such as ``txt,rttm``, by name.

    Args:
        names: Names, separated by commas; one that occurs twice counts once.
        more: Formats of upper layers, by name.

    Raises:
        ConfigError: If a name is unknown, there is none, or a format lacks its library.
    """
    known = {**FORMATS, **(more or {})}
    wanted = [name.strip().lower() for name in names.split(",") if name.strip()]
    for name in wanted:
        if name not in known:
            raise ConfigError("unknown format", where="--format", expected=f"of {','.join(known)}", got=repr(name))
    if not wanted:
        raise ConfigError("no format is named", where="--format", expected=f"some of {','.join(known)}")
    found = {name: known[name]() for name in dict.fromkeys(wanted)}
    for format_ in found.values():
        format_.check()
    return found
