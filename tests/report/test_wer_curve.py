"""UA against WER: with a stand-in for decoding that hears the emotion in the words it is given."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from espnet_ent.data.datadir import read_table
from espnet_ent.errors import ConfigError, ScoringError
from espnet_ent.labels import FOUR_EMOTIONS
from espnet_ent.metrics.wer import ErrorCounts, word_errors
from espnet_ent.report.wer_curve import CurvePlan, measure_wer_curve
from espnet_ent.report.wer_curve_report import _figure, curve_blocks, write_wer_curve
from tests.metrics.oracles import write_lines

WORD = {"hap": "GLAD", "ang": "CROSS", "sad": "BLUE", "neu": "PLAIN"}
FILLERS = ["ONE", "TWO", "THREE", "FOUR"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """80 utterances of four speakers, the emotion's word among fillers; the last one is not transcribed."""
    rng, rows = random.Random(0), {"text": [], "utt2spk": [], "utt2emo": [], "untranscribed": ["u79"]}
    for number in range(80):
        name, utt = FOUR_EMOTIONS.names[number % 4], f"u{number:02d}"
        words = [WORD[name], *rng.sample(FILLERS, 3)]
        rng.shuffle(words)
        rows["text"].append(f"{utt} {' '.join(words)}" if utt != "u79" else utt)
        rows["utt2spk"].append(f"{utt} s{number // 20}")
        rows["utt2emo"].append(f"{utt} {name}")
    for name, lines in rows.items():
        write_lines(tmp_path / "dump" / "test" / name, *lines)
    return tmp_path / "dump" / "test"


class Listener:
    """Answers with the emotion of the first emotion word, else neutral; hears the first word of each reference alone.

    Attributes:
        calls: Directories that were asked for.
    """

    def __init__(self, data: Path, has_head: bool = True, has_words: bool = True) -> None:
        self.data, self.has_head, self.has_words, self.calls = data, has_head, has_words, []

    def __call__(self, out: Path, text: Path | None) -> None:
        self.calls.append(out)
        decoded = {utt: words.partition(" ")[0] for utt, words in read_table(self.data / "text").items()}
        given = decoded if text is None else read_table(text)
        out.mkdir(parents=True, exist_ok=True)
        if self.has_words:
            write_lines(out / "text", *(f"{utt} {words}".rstrip() for utt, words in decoded.items()))
        FOUR_EMOTIONS.write(out / "emotion_list")
        if self.has_head:
            of_word = {word: name for name, word in WORD.items()}
            heard = {
                utt: next((of_word[word] for word in words.split() if word in of_word), "neu")
                for utt, words in given.items()
            }
            write_lines(out / "utt2emo", *(f"{utt} {name}" for utt, name in heard.items()))
            write_lines(out / "utt2emo_posteriors")


def test_the_curve_falls_from_the_reference_and_the_decoded_text_has_its_place(data: Path, tmp_path: Path) -> None:
    listener, told = Listener(data), []
    plan = CurvePlan((1.0, 0.0, 0.2, 0.5), vocabulary=("ONE FIVE SIX",))
    curve = measure_wer_curve(data, tmp_path / "out", listener, plan, told.append)
    assert list(curve.points) == told
    assert [point.name for point in curve.points] == ["decoded", "reference", "wer20", "wer50", "wer100"]
    decoded, reference, *worse = curve.points
    assert (decoded.wer, decoded.target) == (pytest.approx(0.75), None)  # of four words one is heard
    assert (reference.wer, reference.ua, reference.interval) == (0.0, 1.0, (1.0, 1.0))
    assert [point.wer for point in worse] == pytest.approx([0.2, 0.5, 1.0], abs=0.005)
    assert [reference.ua, *(point.ua for point in worse)] == sorted([1.0, *(point.ua for point in worse)], reverse=True)
    assert 0.25 <= worse[-1].ua < 0.4  # of the words that are left, some tell
    assert worse[0].interval[0] < worse[0].ua < worse[0].interval[1]
    assert (curve.set_name, curve.num_utterances, curve.num_speakers) == ("test", 79, 4)
    assert curve.slope == pytest.approx(-0.75, abs=0.1)
    assert [call.relative_to(tmp_path / "out").as_posix() for call in listener.calls] == [
        f"{name}/test" for name in ("decoded", "reference", "wer20_seed0", "wer50_seed0", "wer100_seed0")
    ]


def test_scores_are_those_of_the_text_that_was_given(data: Path, tmp_path: Path) -> None:
    curve = measure_wer_curve(data, tmp_path / "out", Listener(data), CurvePlan((0.3,)))
    given, said, labels = (
        read_table(path) for path in (tmp_path / "out/texts/wer30_seed0", data / "text", data / "utt2emo")
    )
    assert given.keys() == said.keys()
    assert given["u79"] == ""
    utterances = sorted(said.keys() - {"u79"})
    errors = ErrorCounts.sum(word_errors([said[utt] for utt in utterances], [given[utt] for utt in utterances]))
    assert curve.points[1].wer == errors.rate
    told = read_table(tmp_path / "out/wer30_seed0/test/utt2emo")
    recalls = [
        np.mean([told[utt] == name for utt in utterances if labels[utt] == name]) for name in FOUR_EMOTIONS.names
    ]
    assert curve.points[1].ua == pytest.approx(np.mean(recalls))


def test_seeds_are_scored_together_and_each(data: Path, tmp_path: Path) -> None:
    curve = measure_wer_curve(data, tmp_path / "out", Listener(data), CurvePlan((0.0, 0.4), seeds=(0, 1, 2)))
    _, reference, worse = curve.points
    assert len(reference.by_seed) == 1  # there is one reference
    assert len(set(worse.by_seed)) > 1
    assert worse.ua == pytest.approx(np.mean([ua for _, ua in worse.by_seed]))
    alone = measure_wer_curve(data, tmp_path / "alone", Listener(data), CurvePlan((0.4,), seeds=(2,)))
    assert alone.points[1].by_seed == worse.by_seed[2:]


def test_files_tell_the_curve_and_a_second_run_leaves_them(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    plan = CurvePlan((0.0, 0.3, 1.0), seeds=(0, 1))
    write_wer_curve(out, measure_wer_curve(data, out, Listener(data), plan), "ent_x")
    names = ("wer_curve.json", "wer_curve.md", "wer_curve.png")
    before = {name: (out / name).stat().st_ino for name in (*names, "texts/wer30_seed1")}
    curve = measure_wer_curve(data, out, Listener(data), plan)
    write_wer_curve(out, curve, "ent_x")
    assert {name: (out / name).stat().st_ino for name in before} == before
    written = json.loads((out / "wer_curve.json").read_text())
    assert written["system"] == "ent_x"
    assert [point["ua"] for point in written["points"]] == [round(point.ua, 6) for point in curve.points]
    report = (out / "wer_curve.md").read_text()
    assert "| reference with 30 % errors" in report
    assert f"UA falls by {-10 * curve.slope:.2f} points" in report
    assert "(wer_curve.png)" in report
    assert imread(out / "wer_curve.png").shape[2] in (3, 4)


def test_the_picture_shows_the_points(data: Path, tmp_path: Path) -> None:
    curve = measure_wer_curve(data, tmp_path / "out", Listener(data), CurvePlan((0.0, 0.5)))
    (axes,) = _figure(curve, "x").axes
    line, star = (axes.lines[number].get_xydata() for number in (0, 1))
    np.testing.assert_allclose(line, [[100 * p.wer, 100 * p.ua] for p in curve.points[1:]])
    np.testing.assert_allclose(star, [[100 * curve.points[0].wer, 100 * curve.points[0].ua]])


def test_one_speaker_has_no_interval_and_one_text_no_slope(data: Path, tmp_path: Path) -> None:
    write_lines(data / "utt2spk", *(f"u{number:02d} s" for number in range(80)))
    curve = measure_wer_curve(data, tmp_path / "out", Listener(data), CurvePlan((0.0,)))
    assert [point.interval for point in curve.points] == [None, None]
    assert curve.slope is None
    assert len(curve_blocks(curve, "x")) == 3
    write_wer_curve(tmp_path / "out", curve, "x")
    assert (tmp_path / "out" / "wer_curve.png").is_file()


def test_a_system_without_words_has_a_curve_without_the_decoded_text(data: Path, tmp_path: Path) -> None:
    curve = measure_wer_curve(data, tmp_path / "out", Listener(data, has_words=False), CurvePlan((0.0, 0.5)))
    assert [point.name for point in curve.points] == ["reference", "wer50"]
    (axes,) = _figure(curve, "x").axes
    assert "decoded text" not in [text.get_text() for text in axes.get_legend().get_texts()]


def test_what_makes_no_curve_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ScoringError, match="no emotions to compare"):
        measure_wer_curve(data, tmp_path / "out", Listener(data, has_head=False))
    alike = {"targets": (0.1, 0.1 + 1e-9)}  # one name
    for wrong in ({"targets": ()}, alike, {"seeds": ()}, {"targets": (-0.1,)}, {"targets": (1.2,)}):
        with pytest.raises(ConfigError, match="option --"):
            CurvePlan(**wrong)
    write_lines(data / "untranscribed", *(f"u{number:02d}" for number in range(80)))
    with pytest.raises(ScoringError, match="no utterance has a transcript"):
        measure_wer_curve(data, tmp_path / "out", Listener(data))
