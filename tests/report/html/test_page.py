"""The page as a file: everything in it, nothing from elsewhere, and no text that becomes markup."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet_ent.report.html.page import PageData, asset, render_page, to_script_json, write_page
from tests.report.html.sample import HOSTILE, Page

PAGE = PageData("A run", {"kind": "run", "title": "A run"}, {"detail-0-0": {"words": ["ONE"]}})


def test_a_parser_finds_the_data_again() -> None:
    found = Page(render_page(PAGE, "today"))
    assert found.data == {"data": PAGE.content, **PAGE.details}
    assert len(found.scripts) == 1
    assert "today" in found.text


@settings(max_examples=50)
@given(st.recursive(st.text() | st.floats(allow_nan=False, allow_infinity=False) | st.none(), st.lists, max_leaves=5))
def test_any_value_survives_and_none_ends_its_element(value: object) -> None:
    text = to_script_json(value)
    assert json.loads(text) == value
    assert not set(text) & set("<>&\u2028\u2029")


def test_what_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="Out of range float"):
        to_script_json({"rate": float("nan")})


def test_hostile_text_adds_no_element() -> None:
    hostile = PageData(HOSTILE, {"title": HOSTILE, "$style": "${script}"}, {"detail-0-0": {"word": HOSTILE + "<!--"}})
    harmless = PageData("x", {"title": "x"}, {"detail-0-0": {"word": "x"}})
    found, expected = (Page(render_page(page, HOSTILE)) for page in (hostile, harmless))
    assert [tag for tag, _ in found.elements] == [tag for tag, _ in expected.elements]
    assert found.data["data"] == hostile.content
    assert found.data["detail-0-0"] == hostile.details["detail-0-0"]


def test_nothing_comes_from_elsewhere() -> None:
    text = render_page(PAGE, "today")
    assert not re.search(r"https?://|//[a-z]+\.|@import|url\(", text)
    found = Page(text)
    assert found.attribute_values("src", "srcset", "action", "data", "poster") == []
    assert found.attribute_values("href") == ["#utterances"]
    assert {tag for tag, _ in found.elements}.isdisjoint({"link", "iframe", "object", "embed", "base", "img"})


def test_the_policy_names_the_one_script_and_forbids_requests() -> None:
    found = Page(render_page(PAGE, "today"))
    (policy,) = [a["content"] for tag, a in found.elements if a.get("http-equiv") == "Content-Security-Policy"]
    digest = base64.b64encode(hashlib.sha256(found.scripts[0].encode()).digest()).decode()
    rules = dict(rule.strip().partition(" ")[::2] for rule in policy.split(";"))
    assert rules["script-src"] == f"'sha256-{digest}'"
    assert (rules["default-src"], rules["media-src"]) == ("'none'", "data:")
    linked = render_page(PageData("A run", {}, {}, links_audio=True), "today")
    assert "media-src data: file: &#x27;self&#x27;;" in linked


def test_only_the_line_of_the_date_differs() -> None:
    first, second = (render_page(PAGE, when).split("\n") for when in ("today", "tomorrow"))
    assert sum(a != b for a, b in zip(first, second, strict=True)) == 1


def test_a_page_that_shows_the_same_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "new" / "report.html"
    monkeypatch.setattr("espnet_ent.report.html.page.provenance_line", lambda: "*today, host a*")
    assert write_page(path, PAGE)
    before = path.read_bytes()
    monkeypatch.setattr("espnet_ent.report.html.page.provenance_line", lambda: "*tomorrow, host a*")
    assert not write_page(path, PAGE)
    assert path.read_bytes() == before
    assert write_page(path, PageData("Another", {}, {}))
    assert b"tomorrow" in path.read_bytes()


def _palette(theme: str) -> dict[str, tuple[float, float, float]]:
    colours: dict[str, str] = {}
    for name in ("page.css", "emotions.css"):
        css = asset(name)
        block = css[css.index({"light": ":root {", "dark": ':root[data-theme="dark"] {'}[theme]) :]
        colours |= re.findall(r"--([\w-]+): #(\w{6});", block[: block.index("}")])
    return {name: tuple(int(value[i : i + 2], 16) / 255 for i in (0, 2, 4)) for name, value in colours.items()}


def _linear(colour: tuple[float, ...]) -> list[float]:
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]


def _luminance(colour: tuple[float, ...]) -> float:
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), _linear(colour), strict=True))


def _contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_and_lines_stand_out_from_their_ground(theme: str) -> None:
    """WCAG 2.2: 4.5 for text, 3 for graphics."""
    palette = _palette(theme)
    for ground in ("bg", "panel"):
        for text in ("fg", "soft", "accent", "bad"):
            assert _contrast(palette[text], palette[ground]) >= 4.5, (text, ground)
    for line in ("neutral", "wave", "e0", "e1", "e2", "e3", "e4", "e5"):
        assert _contrast(palette[line], palette["bg"]) >= 3, line
    assert _contrast(palette["good"], palette["good-bg"]) >= 4.5
    assert _contrast(palette["bad"], palette["bad-bg"]) >= 4.5


# Machado, Oliveira and Fernandes, "A physiologically-based model for simulation of color vision deficiency", 2009:
# severity 1, on linear RGB.
_VISION = {
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
}


def _lab(colour: list[float]) -> list[float]:
    """CIE L*a*b* (D65) of linear RGB."""
    to_xyz = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    xyz = [sum(w * max(c, 0.0) for w, c in zip(row, colour, strict=True)) for row in to_xyz]
    x, y, z = (
        (v / n) ** (1 / 3) if v / n > 0.008856 else 7.787 * v / n + 16 / 116
        for v, n in zip(xyz, (0.9505, 1, 1.089), strict=True)
    )
    return [116 * y - 16, 500 * (x - y), 200 * (y - z)]


@pytest.mark.parametrize("vision", ["protan", "deutan"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_emotions_differ_for_the_colour_blind(theme: str, vision: str) -> None:
    """CIE 1976 distance, of which 2 to 3 are just seen; the usual four emotions have the first colours."""
    palette = _palette(theme)
    seen = {}
    usual = {"e0", "e1", "e2", "neutral"}
    for name in (*usual, "e3", "e4", "e5"):
        linear = _linear(palette[name])
        seen[name] = _lab([sum(w * c for w, c in zip(row, linear, strict=True)) for row in _VISION[vision]])
    for one in seen:
        for other in set(seen) - {one}:
            distance = sum((a - b) ** 2 for a, b in zip(seen[one], seen[other], strict=True)) ** 0.5
            assert distance >= (35 if {one, other} <= usual else 20), (one, other, distance)
