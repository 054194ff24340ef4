"""Pages in a real browser: what is drawn, what keys and clicks do, and that nothing leaves the machine."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from espnet_ent.data.emotion_lattice import EmotionLattice
from espnet_ent.data.transcript import Word
from espnet_ent.labels import FOUR_EMOTIONS
from espnet_ent.report.html.lattices import lattice_of
from espnet_ent.report.html.page import PageData, render_page
from espnet_ent.report.html.run_report import run_page
from espnet_ent.report.html.transcript_page import transcript_page
from tests.report.html.sample import GRID, HOSTILE, SECONDS, tone, transcript, write_run

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
    with api.sync_playwright() as playwright:
        program = next(filter(None, map(shutil.which, _PROGRAMS)), playwright.chromium.executable_path)
        if not Path(program).is_file():
            pytest.skip("no Chromium is installed: apt-get install chromium, or playwright install chromium")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--mute-audio"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Opens the text of a page as a file; whatever the page asks of a network, or complains of, fails the test."""
    contexts, faults = [], []

    def open_page(text: str, width: int = 1280, scheme: str = "light") -> Any:
        path = tmp_path / f"page{len(contexts)}.html"
        path.write_text(text, encoding="utf-8")
        contexts.append(browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme))
        tab = contexts[-1].new_page()
        tab.on("pageerror", lambda error: faults.append(str(error)))
        tab.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        tab.on("request", lambda one: None if one.url.startswith(("data:", path.as_uri())) else faults.append(one.url))
        tab.goto(path.as_uri())
        tab.wait_for_selector("#utterances")
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> PageData:
    """A run of two sets; the worst utterance has a lattice of 20 frames and 2 tokens, all ``hap`` at its first node."""
    data = run_page(*write_run(tmp_path_factory.mktemp("run"), sets=("test", "test2")))
    probabilities = np.full((20, 3, 4), 0.25, np.float32)
    probabilities[0, 0] = (0, 1, 0, 0)
    lattice = EmotionLattice(probabilities, ("A", "B"), (0,) * 8 + (1,) * 6 + (2,) * 6, GRID)
    (worst,) = (row for row in data.content["sets"][0]["utterances"] if row["worst"] == 0)
    data.details[worst["detail"]]["lattice"] = lattice_of(lattice)
    worst["lattice"] = True
    return data


def _until(tab: Any, condition: str) -> None:
    """Wait for it; the page's policy forbids the browser's own way, which evaluates a string inside the page."""
    for _ in range(500):
        if tab.evaluate(condition):
            return
        tab.wait_for_timeout(20)
    pytest.fail(f"never: {condition}")


def _ids(tab: Any) -> list[str]:
    return tab.locator(".row .id").all_inner_texts()


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "dark")])
def test_nothing_is_wider_than_the_window_and_nothing_overlaps(
    opened: Callable[..., Any], page: PageData, width: int, scheme: str
) -> None:
    tab = opened(render_page(page, "today"), width, scheme)
    for number in range(2):
        tab.locator("button.row").nth(number).click()
    tab.get_by_role("button", name="Show the emotion lattice").click()
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    assert (
        tab.evaluate("getComputedStyle(document.body).backgroundColor")
        == {
            "light": "rgb(255, 255, 255)",
            "dark": "rgb(20, 23, 28)",
        }[scheme]
    )
    overlaps = tab.evaluate(
        """() => {
          const boxes = [...document.querySelectorAll(".panel, .card, .lanes div, .chips li, .tools label")];
          const places = boxes.map((box) => [box, box.getBoundingClientRect()]);
          return places.flatMap(([one, a], i) => places.slice(i + 1)
            .filter(([other, b]) => !one.contains(other) && a.left < b.right - 1 && b.left < a.right - 1
              && a.top < b.bottom - 1 && b.top < a.bottom - 1)
            .map(([other]) => `${one.textContent} | ${other.textContent}`));
        }"""
    )
    assert overlaps == []
    lanes = "[...document.querySelectorAll('.lanes div')].filter((one) => one.scrollWidth > one.clientWidth).length"
    assert tab.evaluate(lanes) == 0
    scrolled = "[...document.querySelectorAll('.scroll:has(table)')].filter((one) => one.scrollWidth > one.clientWidth)"
    assert (tab.evaluate(f"{scrolled}.length") > 0) == (width == 390)
    shaded = f"{scrolled}.every((one) => getComputedStyle(one).backgroundImage.includes('gradient'))"
    assert tab.evaluate(shaded)


def test_figures_are_those_of_the_results(opened: Callable[..., Any], page: PageData) -> None:
    tab = opened(render_page(page, "today"))
    results = page.content["sets"][0]["results"]
    cards = dict(text.split("\n")[:2] for text in tab.locator(".card").all_inner_texts())
    assert cards["WER %"] == f"{100 * results['recognition']['wer']['rate']:.2f}"
    assert cards["UA %"] == f"{100 * results['emotion']['ua']:.2f}"
    assert cards["EDER %"] == f"{100 * results['eder']['system']['utterance_mean']['eder']:.2f}"
    cells = [int(text) for text in tab.locator(".matrix td.cell").all_inner_texts()]
    assert cells == [count for row in results["emotion"]["confusion"] for count in row]
    assert tab.locator("h3").all_inner_texts() == [
        *(
            "All sets",
            "Confusion matrix",
            "Emotion timeline: EDER and its parts, % of the time",
            "By emotion",
            "In time",
        ),
        *("By speaker", "Learning curves", "Reliability: are the probabilities right?"),
    ]
    drawn = len(re.findall("rect", tab.locator(".chart").nth(1).inner_html()))
    assert drawn > 0
    tab.get_by_role("button", name="test2").click()
    assert tab.locator("h2").first.inner_text() == "Set test2"


def test_utterances_are_ordered_filtered_and_searched(opened: Callable[..., Any], page: PageData) -> None:
    tab = opened(render_page(page, "today"))
    assert _ids(tab) == ["b1", "b2", "a1", "a2"]
    tab.get_by_label("Order").select_option("id")
    assert _ids(tab) == ["a1", "a2", "b1", "b2"]
    tab.get_by_label("Order").select_option("wer")
    assert _ids(tab) == ["a2", "b1", "a1", "b2"]
    tab.get_by_label("Only").select_option("emotion")
    assert _ids(tab) == ["b1", "b2"]
    tab.get_by_label("Only").select_option("")
    tab.get_by_label("Reference").select_option("ang")
    assert sorted(_ids(tab)) == ["a1", "b2"]
    tab.get_by_label("Reference").select_option("")
    tab.get_by_label("Search").fill("close IT")
    assert _ids(tab) == ["a2"]
    assert tab.get_by_role("status").inner_text() == "1 of 4"
    tab.get_by_label("Search").fill("nobody says this")
    assert _ids(tab) == []


def test_everything_can_be_done_with_the_keyboard(opened: Callable[..., Any], page: PageData) -> None:
    tab = opened(render_page(page, "today"))
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")  # the link that skips to the utterances
    row = tab.locator("button.row").first
    for _ in range(20):
        tab.keyboard.press("Tab")
        if row.evaluate("(one) => one === document.activeElement"):
            break
    tab.keyboard.press("Enter")
    assert row.get_attribute("aria-expanded") == "true"
    stage = tab.locator(".stage")
    stage.focus()
    for key in ("End", "ArrowLeft", "ArrowLeft", "ArrowRight"):
        tab.keyboard.press(key)
    assert float(stage.get_attribute("aria-valuenow")) == pytest.approx(SECONDS["b1"] - 0.1)
    tab.get_by_role("button", name="Show the emotion lattice").press("Enter")
    tab.locator(".lattice canvas").focus()
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowUp")
    assert tab.locator(".readout").inner_text() == (
        '0.10-0.20 s, after token 1 "A": neu 25 %, hap 25 %, ang 25 %, sad 25 %'
    )
    row.press("Enter")
    assert tab.locator(".detail").count() == 0


def test_sound_plays_and_the_figure_follows(opened: Callable[..., Any], page: PageData) -> None:
    tab = opened(render_page(page, "today"))
    tab.locator("button.row").first.click()
    _until(tab, "document.querySelector('audio').readyState >= 1")
    assert tab.evaluate("document.querySelector('audio').duration") == pytest.approx(SECONDS["b1"], abs=0.01)
    tab.locator(".chips button").nth(1).click()  # NOW, 0.8 s
    _until(tab, "Number(document.querySelector('.stage').getAttribute('aria-valuenow')) > 0.85")
    assert tab.locator(".chips .now").first.inner_text().startswith("NOW")
    assert float(tab.locator(".playhead").get_attribute("x1")) > 0


def test_the_figure_draws_what_the_data_say(opened: Callable[..., Any], page: PageData) -> None:
    tab = opened(render_page(page, "today"))
    tab.locator("button.row").first.click()  # b1: hap until 1 s, the system says ang throughout
    assert tab.locator(".lanes div").all_inner_texts() == [
        *("audio", "ref. words", "words", "reference", "system", "posteriors", "seconds")
    ]
    assert tab.locator(".stage rect title").evaluate_all("(all) => all.map((one) => one.textContent)") == [
        *("hap 0.00-1.00 s", "neu 1.00-2.00 s", "ang 0.00-2.00 s")
    ]
    assert tab.locator(".stage polyline").count() == 4
    first, second = tab.locator(".stage rect").evaluate_all(
        "(all) => all.slice(0, 2).map((one) => [Number(one.getAttribute('x')), Number(one.getAttribute('width'))])"
    )
    assert first[0] == 0
    assert second[0] == pytest.approx(first[1] + 1, abs=0.5)
    assert [text.split("\n")[0] for text in tab.locator(".chips li").all_inner_texts()] == ["GO", "NOW", "NOW"]
    assert tab.locator(".edits ins").all_inner_texts() == ["NOW"]


def test_words_of_one_frame_are_both_drawn(opened: Callable[..., Any]) -> None:
    heard = replace(transcript(), words=(Word(0.0, 0.1, "FIND"), Word(0.0, 0.6, "THE")))
    tab = opened(transcript_page([("a", heard)], FOUR_EMOTIONS, GRID, provenance="today"))
    tab.wait_for_selector(".stage text")
    drawn = tab.locator(".stage text").evaluate_all("(all) => all.map((one) => one.textContent)")
    assert drawn[:2] == ["FIND", "THE"]


def test_the_lattice_is_drawn_on_demand(opened: Callable[..., Any], page: PageData) -> None:
    tab = opened(render_page(page, "today"))
    tab.locator("button.row").first.click()
    assert tab.locator("canvas").count() == 0
    tab.get_by_role("button", name="Show the emotion lattice").click()
    _until(tab, "document.querySelector('canvas').width > 300")

    def pixel(x: int, y: int) -> list[int]:
        script = "([x, y]) => [...document.querySelector('canvas').getContext('2d').getImageData(x, y, 1, 1).data]"
        return tab.evaluate(script, [x, y])

    # 15 pixels a column, the gutter is 58 wide: the first node is certain, and below on the left; hap is --e0.
    assert pixel(60, 32) == [0xAD, 0x8F, 0x05, 255]
    assert pixel(400, 32)[3] < 60
    tab.locator("canvas").hover(position={"x": 60, "y": 38})
    assert "on the path: neu 0 %, hap 100 %" in tab.locator(".readout").inner_text()
    tab.get_by_label("Colour").select_option("ang")
    assert pixel(60, 32)[3] == 0


def test_the_theme_can_be_turned(opened: Callable[..., Any], page: PageData) -> None:
    tab = opened(render_page(page, "today"), scheme="dark")
    assert tab.evaluate("getComputedStyle(document.body).color") == "rgb(232, 235, 240)"
    tab.get_by_role("button", name="Light / dark").click()
    assert tab.evaluate("getComputedStyle(document.body).color") == "rgb(27, 31, 39)"


def test_hostile_text_is_shown_and_not_run(opened: Callable[..., Any], tmp_path: Path) -> None:
    tab = opened(render_page(run_page(*write_run(tmp_path, hostile=True)), HOSTILE))
    tab.locator("button.row", has_text="pwned").first.click()
    assert HOSTILE in _ids(tab)
    assert tab.locator(".chips li", has_text="pwned").count() == 1
    assert tab.evaluate("window.pwned") is None
    assert tab.locator("#provenance").inner_text() == HOSTILE
    hand_made = "<img src=x onerror=window.pwned=2>"
    tab = opened(transcript_page([(hand_made, transcript(hand_made))], FOUR_EMOTIONS, GRID, provenance="today"))
    assert tab.locator("h1").inner_text() == hand_made
    assert tab.evaluate("window.pwned") is None


def test_a_single_recording_is_open_and_a_long_one_is_seen_window_by_window(opened: Callable[..., Any]) -> None:
    named = [("long.wav", transcript(seconds=75.0))]
    tab = opened(transcript_page(named, FOUR_EMOTIONS, GRID, {"long.wav": tone(75.0)}, provenance="today"), width=390)
    tab.wait_for_selector(".stage svg")
    assert tab.locator("h1").inner_text() == "long.wav"
    assert int(tab.locator(".stage svg").get_attribute("width")) == 30 * 120
    tab.get_by_role("button", name="Later 30 s").click()
    ticks = tab.locator(".stage svg text").evaluate_all("(all) => all.map((one) => one.textContent)")
    assert {"30", "45", "59"} <= set(ticks)
    tab.get_by_role("button", name="Later 30 s").click()
    assert float(tab.locator(".stage").get_attribute("aria-valuenow")) == 60
    assert json.loads(tab.locator("#data").inner_text())["kind"] == "recordings"
