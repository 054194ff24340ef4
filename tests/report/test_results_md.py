"""RESULTS.md: what it says, and that it stays as it is while nothing changes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from espnet_ent.report import results_md
from espnet_ent.report.document import render_markdown, render_terminal
from espnet_ent.report.experiment import Experiment, read_experiment
from espnet_ent.report.results_md import report_blocks, summary_blocks, write_results_md
from tests.report.sample import DIFFICULTY, write_experiments


@pytest.fixture
def experiments(tmp_path: Path) -> list[Experiment]:
    return [read_experiment(directory, "make demo") for directory in write_experiments(tmp_path)]


def _rows(text: str, name: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith(f"| {name} ")]
    return [[cell.strip() for cell in line.strip("|").split("|")][1:] for line in lines]


def test_tables_hold_the_scores_beside_their_baselines(experiments: list[Experiment]) -> None:
    text = render_markdown(report_blocks(experiments, DIFFICULTY))
    setting, utterances, timeline, changes = _rows(text, "ent")
    assert setting == ["conf/train_ent.yaml", "7", "valid.loss.ave.pth"]
    wer = "50.00 [33.3, 60.0]"
    assert utterances == [wer, "48.39", "1", "50.00", "50.00 [0.0, 100.0]", "38.89"]
    assert timeline[:5] == ["44.26 [13.5, 75.0]", "14.96", "16.80", "12.50", "0.00"]
    assert changes == ["4", "1", "0.355", "0.355", "50.00"]
    # Each baseline that is the same for both systems has one row a set; test2 has no timelines.
    assert len(_rows(text, r"baseline: majority class (neu)")) == 2
    assert len(_rows(text, "baseline: all neutral")) == 1
    assert len(_rows(text, "ORACLE: gold label everywhere")) == 1
    assert len(_rows(text, "baseline: predicted label everywhere (ent)")) == 1
    assert len(_rows(text, "baseline: predicted label everywhere (fent)")) == 1
    assert "No emotion timeline is scored: the reference has no emo_segments." in text
    assert _rows(text, "utterance prosody alone (logistic regression)") == [["61.00", "62.00"]]
    assert "```sh\nmake demo\n```" in text


def test_words_in_time_are_told_where_the_reference_has_them(tmp_path: Path) -> None:
    (ent, _) = write_experiments(tmp_path / "with", words=True)
    text = render_markdown(report_blocks([read_experiment(ent)]))
    table = text.partition("| words in time")[2]
    cells = ["5 of 8", "0.050 / 0.040", "0.050 / 0.090", "80.00", "60.00", "66.67"]
    assert _rows(table, "ent")[0] == cells
    assert _rows(table, "baseline: all neutral (ent)") == [["-"] * 4 + ["40.00", "33.33"]]
    assert "aligned as for WER" in table
    (without, _) = write_experiments(tmp_path / "without")
    text = render_markdown(report_blocks([read_experiment(without)]))
    assert "words in time" not in text
    assert "aligned as for WER" not in text


def test_results_of_older_versions_have_no_such_tables(experiments: list[Experiment]) -> None:
    for scored in experiments[0].scored:
        for key in ("boundaries", "words", "words_left_out"):
            del scored.results[key]
    assert "emotion changes" not in render_markdown(report_blocks(experiments[:1]))


def test_confusion_matrices(experiments: list[Experiment]) -> None:
    text = render_markdown(report_blocks(experiments))
    matrix = text.partition("### test, ent\n")[2].partition("###")[0]
    assert _rows(matrix, "ang") == [["0", "1", "0", "1", "2", "50.00"]]
    assert _rows(matrix, "sad") == [["0", "0", "0", "0", "0", "-"]]
    assert text.count("\n### ") == 3


def test_no_difficulty_no_panel(experiments: list[Experiment]) -> None:
    assert "How hard" in render_markdown(report_blocks(experiments, DIFFICULTY))
    assert "How hard" not in render_markdown(report_blocks(experiments))


def test_the_terminal_gets_the_tables_in_100_columns(experiments: list[Experiment]) -> None:
    long = Experiment("ent_train_fent_separating_seed1_raw_en_char_sp", None, None, None, experiments[0].scored)
    text = render_terminal(summary_blocks([*experiments, long], DIFFICULTY))
    assert max(len(line) for line in text.splitlines()) <= 100
    for word in ("EDER", "WER", "ORACLE", "majority", "50.00 [33.3, 60.0]", "44.26 [13.5, 75.0]"):
        assert word in text


def test_first_line_alone_tells_when_where_and_which_commit(tmp_path: Path, experiments: list[Experiment]) -> None:
    path = tmp_path / "RESULTS.md"
    assert write_results_md(path, experiments)
    first, _, rest = path.read_text().partition("\n")
    assert re.fullmatch(r"\*\d{4}-\d\d-\d\d \d\d:\d\d UTC, host \S+, commit \S+\*", first)
    assert rest == "\n" + render_markdown(report_blocks(experiments))
    assert str(tmp_path) not in rest


def test_unchanged_scores_leave_the_file_as_it_is(
    tmp_path: Path, experiments: list[Experiment], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "RESULTS.md"
    write_results_md(path, experiments)
    before = path.read_bytes()
    monkeypatch.setattr(results_md, "provenance_line", lambda: "*another day*")
    assert not write_results_md(path, experiments)
    assert path.read_bytes() == before
    assert write_results_md(path, experiments, DIFFICULTY)
    assert path.read_text().startswith("*another day*\n")


def test_no_git_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert results_md.provenance_line().endswith("commit unknown*")


def test_every_set_tells_its_size_and_unit(experiments: list[Experiment]) -> None:
    text = render_markdown(summary_blocks(experiments, DIFFICULTY))
    assert "## Set test: 4 utterances of 2 speakers (in %, [95 % CI])\n" in text
    assert "## Set test2: 4 utterances of 2 speakers (in %, [95 % CI])\n" in text


def test_one_system_on_several_sets_has_all_of_them_in_one_table(experiments: list[Experiment]) -> None:
    _, fent = experiments
    text = render_markdown(summary_blocks([fent]))
    table = text.partition("## All sets")[2].partition("## Set")[0]
    rows = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("|")]
    assert rows[2:] == ["test", "test2"]
    words = fent.scored[0].results["recognition"]["wer"]
    assert f"| {100 * words['rate']:.2f} [" in table
    (test, _) = (line for line in table.splitlines() if line.startswith("| test"))
    # set, utterances, speakers, WER, WA, UA, F1, EDER
    assert [cell.strip() for cell in test.split("|")[5:8]] == ["50.00", "50.00 [0.0, 100.0]", "38.89"]
    assert "All sets" not in render_markdown(summary_blocks(experiments))


def test_scores_of_a_head_that_was_given_a_text_are_oracles_in_every_table(tmp_path: Path) -> None:
    (_, fent) = write_experiments(tmp_path)
    path = fent / "decode_greedy" / "test" / "score" / "results.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "emotion_text": True}))
    text = render_markdown(report_blocks([read_experiment(fent)]))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len([row for row in rows if row.startswith("| ORACLE (text given): test ")]) == 1  # of all sets
    assert len([row for row in rows if row.startswith("| ORACLE (text given): fent ")]) >= 2  # utterances, timelines
    assert "in place of the recognised one" in text.partition("## Set test:")[2].partition("## Set test2:")[0]
    other = text.partition("## Set test2:")[2].partition("##")[0]
    assert other
    assert "ORACLE (text given)" not in other
