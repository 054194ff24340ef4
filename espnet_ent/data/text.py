"""Normalisation of transcripts."""

from __future__ import annotations

import re

PUNCTUATION = '[].,?!-:;"'
"""Characters that transcripts lose, as in the ENT reference. A space takes their place, so that ``no--wait`` stays
two words."""
_TAG = re.compile(r"\[[^\]]*\]")
_PLAIN = str.maketrans({**dict.fromkeys(PUNCTUATION + "“”„«»…–—", " "), **dict.fromkeys("‘’ʼ`´", "'")})
TAG_POLICIES = ("strip", "keep")


def normalize_text(text: str, tags: str = "strip") -> str:
    """Upper case, without punctuation, single spaces; typographic apostrophes become plain ones.

    Args:
        text: A transcript as its corpus writes it.
        tags: What becomes of bracketed tags such as ``[LAUGHTER]``: ``strip`` drops them, ``keep`` keeps them as
            symbols ``<laughter>``.

    >>> normalize_text("Well, [LAUGHTER] I don't know.")
    "WELL I DON'T KNOW"
    >>> normalize_text("[LAUGHTER] no", tags="keep")
    '<laughter> NO'
    """
    parts = []
    position = 0
    for match in _TAG.finditer(text):
        parts.append(_plain(text[position : match.start()]))
        if tags == "keep":
            parts.append(f"<{match.group()[1:-1].strip().lower().replace(' ', '_')}>")
        position = match.end()
    parts.append(_plain(text[position:]))
    return " ".join(part for part in parts if part)


def _plain(text: str) -> str:
    return " ".join(text.translate(_PLAIN).upper().split())
