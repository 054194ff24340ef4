"""One HTML file out of data, styles and scripts.

The data lie in the page as JSON; the scripts put all of it into the document as text, never as markup, so that no word
and no name can become a part of the page. The page's own policy (Content-Security-Policy) forbids every request, and
every script but the one that it came with.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from espnet_ent.data.atomic import atomic_write_text
from espnet_ent.report.results_md import provenance_line

_SCRIPTS = (
    "emotions.js",
    "base.js",
    "figure.js",
    "detail.js",
    "lattice.js",
    "charts.js",
    "tables.js",
    "utterances.js",
    "start.js",
)
_PROVENANCE = '<p id="provenance">'
_ESCAPES = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


@dataclass(frozen=True)
class PageData:
    """What a page shows.

    Attributes:
        title: Of the page.
        content: What is there from the beginning, as plain values.
        details: What is read when it is asked for, by identifier (letters, digits, ``-``).
        links_audio: Whether audio lies in files beside the page.
    """

    title: str
    content: Mapping[str, Any]
    details: Mapping[str, Any]
    links_audio: bool = False


def render_page(page: PageData, provenance: str | None = None) -> str:
    """HTML of a page; equal pages give equal text, but for the one line of its date.

    Args:
        page: What it shows.
        provenance: What that line says; None: date, host and commit of this run.
    """
    provenance = (provenance_line() if provenance is None else provenance).strip("*")
    script = "".join(asset(name) for name in _SCRIPTS)
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    media = "data: file: 'self'" if page.links_audio else "data:"
    policy = f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src {media}; "
    blocks = {"data": page.content, **page.details}
    return Template(asset("page.html")).substitute(
        title=html.escape(page.title),
        policy=html.escape(policy + f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'", quote=True),
        style=asset("emotions.css") + asset("page.css"),
        provenance=f"{_PROVENANCE}{html.escape(provenance)}</p>",
        data="\n".join(_data_block(name, value) for name, value in blocks.items()),
        script=script,
    )


def write_page(path: str | Path, page: PageData) -> bool:
    """Write a page, unless the file shows the same already; the date alone is no difference.

    Returns:
        Whether the file was written.
    """
    path, text = Path(path), render_page(page)
    if path.is_file() and _undated(path.read_text(encoding="utf-8")) == _undated(text):
        return False
    atomic_write_text(path, text)
    return True


def to_script_json(value: Any) -> str:
    """JSON that nothing inside a script element can end; what is not a number is refused.

    >>> to_script_json({"word": "</script>"})
    '{"word":"\\\\u003c/script\\\\u003e"}'
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.translate(_ESCAPES)


def asset(name: str) -> str:
    """Text of a file of styles or scripts."""
    return resources.files(__package__).joinpath("assets", name).read_text(encoding="utf-8")


def _data_block(name: str, value: Any) -> str:
    return f'<script type="application/json" id="{html.escape(name, quote=True)}">{to_script_json(value)}</script>'


def _undated(text: str) -> list[str]:
    return [line for line in text.split("\n") if not line.startswith(_PROVENANCE)]
