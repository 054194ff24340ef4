"""The report of a run says what was scored, of every utterance, worst first."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from espnet_ent.errors import CheckpointError, ConfigError, ScoringError
from espnet_ent.report.html.audio_tracks import AudioOptions
from espnet_ent.report.html.page import PageData, render_page
from espnet_ent.report.html.quantised import restored
from espnet_ent.report.html.run_report import ReportOptions, contents_line, run_page
from tests.metrics.confident_pair import DECODED_ORDER, NUM_FRAMES, UTTERANCES
from tests.metrics.oracles import edit_distance
from tests.report.html.sample import HOSTILE, SECONDS, Page, write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_run(tmp_path_factory.mktemp("run"), sets=("test", "test2"))


@pytest.fixture(scope="module")
def page(run: tuple[Path, Path]) -> PageData:
    return run_page(*run)


def _rows(page: PageData, number: int = 0) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in page.content["sets"][number]["utterances"]}


def test_the_page_holds_the_scores_as_they_are(run: tuple[Path, Path], page: PageData) -> None:
    found = Page(render_page(page, "today")).data["data"]
    assert [one["name"] for one in found["sets"]] == ["test", "test2"]
    for one in found["sets"]:
        path = run[0] / "decode_greedy" / one["name"] / "score" / "results.json"
        assert one["results"] == json.loads(path.read_text())
    assert found["about"] == [
        ["configuration", "conf/train_tiny.yaml"],
        ["seed", "7"],
        ["checkpoint", "valid.loss.ave.pth"],
        ["decoding", "decode_greedy"],
    ]
    assert found["learning"]["curves"]["loss"]["valid"] == [4.0, 2.0, pytest.approx(4 / 3, abs=1e-5)]
    assert found["notes"] == []


def test_rows_add_up_to_the_scores(page: PageData) -> None:
    results, rows = page.content["sets"][0]["results"], _rows(page)
    wer, eder = results["recognition"]["wer"], results["eder"]["system"]["utterance_mean"]
    assert sum(row["words"][0] for row in rows.values()) / sum(row["words"][1] for row in rows.values()) == (
        pytest.approx(wer["rate"], abs=1e-6)
    )
    for row in rows.values():
        assert row["words"][0] == edit_distance(row["reference"].split(), row["text"].split())
    assert np.mean([row["eder"] for row in rows.values()]) == pytest.approx(eder["eder"], abs=1e-6)
    parts = ("false_alarm", "missed_emotion", "confusion", "overlap")
    assert np.mean([row["parts"] for row in rows.values()], axis=0) == pytest.approx([eder[p] for p in parts], abs=1e-6)
    right = np.mean([row["emotion"][0] == row["emotion"][1] for row in rows.values()])
    assert right == pytest.approx(results["emotion"]["wa"])


def test_speakers_and_classes_agree_with_the_rows_and_the_confusion(page: PageData) -> None:
    one, rows = page.content["sets"][0], _rows(page)
    for speaker in one["speakers"]:
        own = [row for row in rows.values() if row["speaker"] == speaker["speaker"]]
        assert speaker["utterances"] == len(own)
        assert speaker["eder"] == pytest.approx(np.mean([row["eder"] for row in own]), abs=1e-6)
        assert speaker["wer"] == pytest.approx(sum(r["words"][0] for r in own) / sum(r["words"][1] for r in own))
        assert speaker["wa"] == np.mean([row["emotion"][0] == row["emotion"][1] for row in own])
    recalls = {row["emotion"]: row["recall"] for row in one["classes"]}
    assert recalls == one["results"]["emotion"]["recall"]
    f1 = [row["f1"] for row in one["classes"] if row["reference"]]
    assert np.mean(f1) == pytest.approx(one["results"]["emotion"]["macro_f1"], abs=1e-6)
    assert next(row for row in one["classes"] if row["emotion"] == "sad")["precision"] is None


def test_the_worst_come_first(page: PageData) -> None:
    rows = sorted(_rows(page).values(), key=lambda row: row["worst"])
    badness = [(row["eder"], row["emotion"][0] != row["emotion"][1], row["words"][0] / row["words"][1]) for row in rows]
    assert badness == sorted(badness, reverse=True)
    assert [row["id"] for row in rows] == ["b1", "b2", "a1", "a2"]


def test_details_hold_words_timelines_and_posteriors(page: PageData) -> None:
    row = _rows(page)["a1"]
    detail = page.details[row["detail"]]
    assert detail["edits"] == [("equal", "OPEN", "OPEN"), ("substitute", "THE", "A"), ("equal", "DOOR", "DOOR")]
    assert detail["words"][2] == [0.6, 1.1, "DOOR", 0.9, "sad", 0.8]
    assert detail["reference_words"][1] == [0.4, 0.5, "THE"]
    assert detail["reference"] == [[0.0, 0.39, "neu"], [0.39, 1.1, "ang"], [1.1, 1.22, "neu"]]
    assert detail["system"] == [[0.0, 0.6, "neu"], [0.6, 1.22, "ang"]]
    assert page.content["sets"][0]["emotions"] == list(DECODED_ORDER)
    assert detail["posteriors"] == list(UTTERANCES["a1"])
    frames = restored(detail["frames"]["values"]).reshape(detail["frames"]["count"], len(DECODED_ORDER))
    np.testing.assert_allclose(frames, np.tile(UTTERANCES["a1"], (NUM_FRAMES["a1"], 1)), atol=1 / 509)
    assert detail["frames"]["seconds"] == 0.1
    assert row["seconds"] == SECONDS["a1"]
    assert detail["src"].startswith("data:audio/mpeg;base64,")


def test_limits_take_the_best_utterances_away_and_say_so(run: tuple[Path, Path]) -> None:
    few = run_page(*run, ReportOptions(details=3, audio=AudioOptions(megabytes=0.011)))
    opened = [(row["worst"], row["id"]) for number in (0, 1) for row in _rows(few, number).values() if "detail" in row]
    assert sorted(opened) == [(0, "b1"), (0, "b1"), (1, "b2")]
    assert len(_rows(few)) == 4
    note, budget = few.content["notes"]
    assert note == (
        "Details are given for 3 of 8 utterances, those with the most errors (--details 3); the table holds all."
    )
    assert re.match(r"2 recordings can't be played here: .* budget of 0.011 MB", budget)
    assert contents_line(few) == "8 utterances, 3 in detail, 1 with audio, 0 with the emotion lattice"


def test_sets_and_decodings_are_chosen_and_unknown_ones_named(run: tuple[Path, Path]) -> None:
    chosen = run_page(*run, ReportOptions(sets=("test2",), inference_tag="decode_greedy", details=0))
    assert [one["name"] for one in chosen.content["sets"]] == ["test2"]
    with pytest.raises(ConfigError, match="no such set is scored; expected test test2; got other"):
        run_page(*run, ReportOptions(sets=("test", "other")))
    with pytest.raises(ConfigError, match="no such decoding is scored; expected decode_greedy; got beam"):
        run_page(*run, ReportOptions(inference_tag="beam"))
    with pytest.raises(ConfigError, match="details out of range"):
        ReportOptions(details=-1)


def test_equal_runs_give_equal_pages(run: tuple[Path, Path], page: PageData) -> None:
    assert render_page(run_page(*run), "today") == render_page(page, "today")


def test_hostile_names_and_words_stay_text(tmp_path: Path) -> None:
    experiment, data = write_run(tmp_path, hostile=True)
    plain_experiment, plain_data = write_run(tmp_path / "plain")
    page = run_page(experiment, data)
    found, plain = (Page(render_page(one, "today")) for one in (page, run_page(plain_experiment, plain_data)))
    assert sorted(tag for tag, _ in found.elements) == sorted(tag for tag, _ in plain.elements)
    rows = {row["id"]: row for row in found.data["data"]["sets"][0]["utterances"]}
    assert rows[HOSTILE]["speaker"] == HOSTILE
    assert HOSTILE in rows[HOSTILE]["text"]
    assert found.data[rows[HOSTILE]["detail"]]["words"][2][2] == HOSTILE


def test_what_is_not_there_is_left_out(tmp_path: Path) -> None:
    """A system that only transcribes, and audio that is gone."""
    experiment, data = write_run(tmp_path)
    decoded = experiment / "decode_greedy" / "test"
    for name in (
        "utt2emo",
        "utt2emo_posteriors",
        "emo_segments",
        "frame_posteriors.scp",
        "word_emotions",
        "frame_grid",
    ):
        (decoded / name).unlink()
    path = decoded / "score" / "results.json"
    left_out = {"emotion": None, "emotion_left_out": "no", "eder": None, "eder_left_out": "no", "calibration": None}
    path.write_text(json.dumps({**json.loads(path.read_text()), **left_out}))
    (experiment / "checkpoint.pth").unlink()
    (tmp_path / "audio" / "test" / "a1.wav").unlink()
    page = run_page(experiment, data)
    row = _rows(page)["a1"]
    detail = page.details[row["detail"]]
    for name in ("text", "word_times"):
        (decoded / name).unlink()
    silent = run_page(experiment, data, ReportOptions(audio=AudioOptions("none")))
    of_words = _rows(silent)["a1"]
    assert (of_words["text"], of_words["words"], of_words["reference"]) == ("", None, "OPEN THE DOOR")
    assert (silent.details["detail-0-0"]["edits"], silent.details["detail-0-0"]["words"]) == (None, [])
    assert silent.content["sets"][0]["speakers"][0]["wer"] is None
    assert (row["eder"], row["parts"], row["emotion"]) == (None, None, [None, None])
    assert (detail["posteriors"], detail["frames"], detail["system"], detail["reference"]) == (None,) * 4
    assert detail["words"][0] == [0.15, 0.4, "OPEN", None, None, None]
    assert detail["fault"] == "audio file is missing"
    assert page.content["learning"] is None
    assert page.content["sets"][0]["classes"] == []
    assert page.content["notes"] == ["The audio of 1 recording can't be read."]
    assert next(row["id"] for row in _rows(page).values() if row["worst"] == 0) == "a2"


def test_of_two_data_directories_the_decoded_one_is_taken(tmp_path: Path) -> None:
    experiment, data = write_run(tmp_path)
    (data / "org").mkdir()
    (data / "test").rename(data / "org" / "test")
    assert len(_rows(run_page(experiment, data, ReportOptions(details=0)))) == 4
    (data / "test").mkdir()
    from espnet_ent.data.provenance import digest_data_dir

    record = {"checkpoint": "c0ffee", "data": digest_data_dir(data / "org" / "test")}
    (experiment / "decode_greedy" / "test" / "made_from.json").write_text(json.dumps(record))
    assert len(_rows(run_page(experiment, data, ReportOptions(details=0)))) == 4


def test_data_that_were_not_scored_are_refused(tmp_path: Path) -> None:
    experiment, data = write_run(tmp_path)
    path = experiment / "decode_greedy" / "test" / "score" / "results.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "num_utterances": 3}))
    with pytest.raises(ScoringError, match="not those that were scored; expected 3 utterances; got 4"):
        run_page(experiment, data)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ScoringError, match="directory is missing"):
        run_page(experiment, tmp_path / "empty")


def test_lattices_need_the_checkpoint_that_was_decoded(run: tuple[Path, Path]) -> None:
    made = run[0] / "decode_greedy" / "test" / "made_from.json"
    with pytest.raises(ScoringError, match="the decoding does not tell how it was made"):
        run_page(*run, ReportOptions(sets=("test",), lattices=1))
    before = made.read_text()
    made.write_text(json.dumps({"checkpoint": "c0ffee", "config": {}}))
    with pytest.raises(CheckpointError, match="not the checkpoint that was decoded"):
        run_page(*run, ReportOptions(sets=("test",), lattices=1))
    made.write_text(before)
