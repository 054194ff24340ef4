"""RESULTS.md over folds and seeds: which rows there are, what stands in them, and what is refused."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from espnet_ent.errors import ConfigError, ScoringError
from espnet_ent.metrics.scoring import score_directories
from espnet_ent.report.document import render_markdown
from espnet_ent.report.fold_results import combined_results
from espnet_ent.report.fold_rows import have_same_folds
from espnet_ent.report.fold_runs import FoldRuns, RunsToCombine, read_fold_runs
from espnet_ent.report.fold_tables import Columns, Row, make_table, tables_of
from espnet_ent.report.folds import fold_blocks
from tests.metrics.oracles import write_lines
from tests.report.fold_sample import (
    EVERYTHING,
    write_epochs,
    write_fold_pair,
    write_run,
    write_two_folds,
    write_two_oracle_folds,
)


def _read(pattern: str, folds: Sequence[str] = ("1", "2"), **options: Any) -> FoldRuns:
    return read_fold_runs(RunsToCombine(pattern, "decode", options.pop("sets", ("test",)), tuple(folds), **options))


def _report(runs: FoldRuns) -> str:
    return render_markdown(fold_blocks(runs))


def _tables(text: str) -> list[dict[str, list[str]]]:
    """The tables of a document: name of the row -> cells."""
    tables: list[dict[str, list[str]]] = []
    previous = ""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and not line.startswith("| ---"):
            if not previous.startswith("|"):
                tables.append({})
            tables[-1][cells[0]] = cells[1:]
        previous = line
    return tables


def test_a_head_that_was_given_a_text_is_marked(tmp_path: Path) -> None:
    pattern = write_two_folds(tmp_path)
    for path in tmp_path.rglob("score/results.json"):
        path.write_text(json.dumps({**json.loads(path.read_text()), "emotion_text": True}))
    setting, *_ = _tables(_report(_read(pattern)))
    assert setting["checkpoint"] == ["valid.loss.ave.pth (ORACLE: the utterance head was given a text)"]


def test_folds_their_mean_their_spread_and_what_is_pooled(tmp_path: Path) -> None:
    setting, utterance, timeline, confusion = _tables(_report(_read(write_two_folds(tmp_path))))
    assert setting["protocol"] == ["honest"]
    assert (setting["folds"], setting["seeds"], setting["checkpoint"]) == (["1 2"], ["7"], ["valid.loss.ave.pth"])
    interval = _union_intervals(tmp_path)
    majority = "baseline: majority class (neu)"
    # 4 of 8 words in fold 1, 0 of 5 in fold 2; emotions 2 of 4 and 2 of 2.
    assert utterance == {
        "system": ["WER", "CER", "WA", "UA", "F1"],
        "fold 1": ["50.00", "48.39", "50.00", "50.00", "38.89"],
        "fold 2": ["0.00", "0.00", "100.00", "100.00", "100.00"],
        "mean of folds": ["25.00", "24.19", "75.00", "75.00", "69.44"],
        "sd over folds": ["35.36", "34.21", "35.36", "35.36", "43.21"],
        "pooled": [f"30.77 {interval['wer']}", "28.85", "66.67", f"55.56 {interval['ua']}", "48.89"],
        f"{majority}, mean of folds": ["-", "-", "37.50", "41.67", "23.33"],
        f"{majority}, pooled": ["-", "-", "33.33", "33.33", "16.67"],
    }
    assert list(timeline) == [
        *("timeline", "fold 1", "fold 2", "mean of folds", "sd over folds", "pooled"),
        *("baseline: predicted label everywhere, mean of folds", "baseline: predicted label everywhere, pooled"),
        *("baseline: all neutral, mean of folds", "baseline: all neutral, pooled"),
        *("ORACLE: gold label everywhere, mean of folds", "ORACLE: gold label everywhere, pooled"),
    ]
    assert timeline["fold 1"] == ["44.26", "14.96", "16.80", "12.50", "0.00", "45.50"]
    assert timeline["mean of folds"] == ["22.13", "7.48", "8.40", "6.25", "0.00", "22.75"]
    assert timeline["pooled"][0] == f"29.51 {interval['eder']}"
    assert timeline["pooled"][-1] == f"29.98 {interval['eder_weighted']}"
    # 0.71 of 1.22 and 0 of 2 seconds in either fold, all of 1 of 2 and 0.5 of 1 second besides in fold 1.
    assert timeline["baseline: all neutral, pooled"][0] == f"{100 * (2 * 0.71 / 1.22 + 0.5 + 0.5) / 6:.2f}"
    assert confusion["ang"] == ["0", "2", "0", "1", "3", "66.67"]
    assert confusion["sad"] == ["0", "0", "0", "0", "0", "-"]


def _union_intervals(root: Path) -> dict[str, str]:
    """Intervals of the six utterances scored as one set, as they are written."""
    pairs = [
        write_fold_pair(root / "pairs" / fold, fold, right=right) for fold, right in (("1", ()), ("2", EVERYTHING))
    ]
    union = (root / "union" / "dump", root / "union" / "test")
    for side, (first, second) in zip(union, zip(*pairs, strict=True), strict=True):
        for path in first.iterdir():
            write_lines(
                side / path.name, *path.read_text().splitlines(), *(second / path.name).read_text().splitlines()
            )
    lists = (root / "pairs" / "1" / "emotion_list", root / "pairs" / "1" / "train_utt2emo")
    results = score_directories(*union, *lists)
    intervals = {
        "wer": results["recognition"]["wer"]["interval"],
        "ua": results["emotion"]["ua_interval"],
        "eder": results["eder"]["system"]["utterance_mean"]["interval"],
        "eder_weighted": results["eder"]["system"]["duration_weighted"]["interval"],
    }
    return {name: f"[{100 * low:.1f}, {100 * high:.1f}]" for name, (low, high) in intervals.items()}


def test_the_report_tells_size_command_and_what_the_words_mean(tmp_path: Path) -> None:
    text = render_markdown(fold_blocks(_read(write_two_folds(tmp_path)), "run all FOLDS"))
    assert text.startswith("# RESULTS\n")
    assert "## Set test: 2 folds, 6 utterances of 3 speakers (in %, [95 % CI])\n" in text
    assert "```sh\nrun all FOLDS\n```" in text
    assert "Pooled: the counts of all folds are added, then divided." in text
    assert "percentile bootstrap over the speakers (1000 resamples, seed 0)" in text
    assert "INCOMPLETE" not in text
    assert "MISSING" not in text


def test_one_test_set_for_all_folds_is_told(tmp_path: Path) -> None:
    for fold in ("1", "2"):
        write_run(tmp_path / f"fold{fold}", "1")
    text = _report(_read(str(tmp_path / "fold{fold}")))
    assert "## Set test: the same 4 utterances of 2 speakers in 2 folds (in %" in text


def test_missing_folds_are_marked_wherever_they_lack(tmp_path: Path) -> None:
    pattern = write_two_folds(tmp_path)
    runs = _read(pattern, ("1", "2", "3"), allow_missing=True)
    text = _report(runs)
    complete, incomplete = _tables(_report(_read(pattern)))[1:3], _tables(text)[1:3]
    missing = f"set test of fold 3 in {tmp_path / 'exp' / 'fold3' / 'ent' / 'decode'}"
    assert runs.missing == (missing,)
    assert "INCOMPLETE: 1 result missing, and means and pooled figures are those of the others: no " + missing in text
    for whole, part in zip(complete, incomplete, strict=True):
        assert set(part["fold 3: MISSING"]) == {"-"}
        for name in ("mean of folds", "sd over folds", "pooled"):
            assert part[f"{name} (INCOMPLETE: 2 of 3)"] == whole[name]
            assert name not in part


def test_missing_folds_are_an_error_that_names_them(tmp_path: Path) -> None:
    pattern = write_two_folds(tmp_path)
    with pytest.raises(ScoringError) as caught:
        _read(pattern, ("1", "3", "2", "4"))
    text = str(caught.value)
    assert text.startswith("2 of 4 results are missing; got no set test of fold 3 in ")
    assert ", no set test of fold 4 in " in text
    assert text.endswith("rerun stages 12 and 13 of these, or report the others with --allow_missing true")
    assert "\n" not in text
    # Nothing at all is nothing to report.
    with pytest.raises(ScoringError, match=r"2 of 2 results are missing; .* rerun stages 12 and 13 of these$"):
        _read(pattern, ("3", "4"), allow_missing=True)


def test_a_set_that_no_run_has_is_told(tmp_path: Path) -> None:
    pattern = write_two_folds(tmp_path)
    text = _report(_read(pattern, sets=("test", "other"), allow_missing=True))
    assert "Set other: nothing is scored." in text
    assert "INCOMPLETE: 2 results missing" in text


def test_one_fold_has_no_spread(tmp_path: Path) -> None:
    utterance = _tables(_report(_read(write_two_folds(tmp_path), ("2",))))[1]
    assert utterance["sd over folds"] == ["-"] * 5
    assert utterance["mean of folds"] == utterance["fold 2"] == ["0.00", "0.00", "100.00", "100.00", "100.00"]


def test_no_folds_no_rows_of_folds(tmp_path: Path) -> None:
    write_run(tmp_path / "ent")
    text = _report(_read(str(tmp_path / "ent"), ()))
    setting, utterance, _, _ = _tables(text)
    assert setting["folds"] == ["-"]
    assert list(utterance) == ["system", "baseline: majority class (neu)"]  # the header has the same name as the row
    assert utterance["system"] == ["50.00 [33.3, 60.0]", "48.39", "50.00", "50.00 [0.0, 100.0]", "38.89"]
    assert "## Set test: 4 utterances of 2 speakers" in text


def test_each_metric_has_its_oracle_epoch_beside_the_last_one(tmp_path: Path) -> None:
    text = _report(_read(write_two_oracle_folds(tmp_path), protocol="paper"))
    setting, utterance, timeline = _tables(text)
    assert setting["protocol"] == ["paper (ORACLE)"]
    assert setting["checkpoint"] == ["each metric's best of 3 epochs (ORACLE)"]
    # WER: fold 1 has no error at epoch 2, fold 2 always 3 of 5; UA: 1 in fold 1 at epoch 1, always in fold 2.
    assert utterance["ORACLE fold 1"][:2] + utterance["ORACLE fold 1"][6:8] == ["0.00", "2", "100.00", "1"]
    assert utterance["ORACLE fold 2"][:2] + utterance["ORACLE fold 2"][6:8] == ["60.00", "1", "100.00", "1"]
    assert utterance["ORACLE mean of folds"][:2] == ["30.00", "-"]
    assert utterance["ORACLE sd over folds"][:2] == ["42.43", "-"]
    assert utterance["ORACLE pooled"][:2] == [f"{100 * 3 / 13:.2f}", "-"]
    assert utterance["last epoch, mean of folds"][::2] == ["55.00", "50.38", "75.00", "75.00", "69.44"]
    assert utterance["last epoch, pooled"][::2] == ["53.85", "50.00", "66.67", "55.56", "48.89"]
    assert timeline["timeline"] == ["EDER", "epoch", "weighted", "epoch"]
    assert timeline["ORACLE fold 1"] == ["44.26", "1", "45.50", "1"]
    assert timeline["ORACLE fold 2"] == ["0.00", "3", "0.00", "3"]
    # Baselines are those of the last epoch, whose labels of fold 1 have half of the faults.
    assert timeline["baseline: predicted label everywhere, pooled"][0] == "38.93"


def test_all_that_was_chosen_on_the_test_set_is_called_an_oracle(tmp_path: Path) -> None:
    pattern = write_two_oracle_folds(tmp_path)
    text = _report(_read(pattern, ("1", "2", "3"), protocol="paper", allow_missing=True))
    assert text.startswith("# RESULTS (ORACLE)\n\nORACLE: every epoch was scored on the test set")
    for table in _tables(text)[1:]:
        header, *names = table
        assert header in ("system", "timeline")
        unmarked = [name for name in names if not name.startswith("ORACLE")]
        assert all(re.match("last epoch, |baseline: |fold 3: MISSING$", name) for name in unmarked)
        assert "ORACLE pooled (INCOMPLETE: 2 of 3)" in names
        assert "last epoch, pooled" in names
    # No interval, and no word of one; no confusion matrix, which has no epoch.
    assert not re.search(r"\d \[", text)
    assert "CI]" not in text
    assert "No intervals are given" in text
    assert "bootstrap" not in text
    assert "Confusion" not in text


def test_one_oracle_run_without_folds(tmp_path: Path) -> None:
    write_epochs(tmp_path / "ent", "1", [("text",), ("utt2emo",)])
    utterance = _tables(_report(_read(str(tmp_path / "ent"), (), protocol="paper")))[1]
    best, last = utterance["ORACLE best epochs"], utterance["last epoch"]
    assert (best[:2], best[6:8]) == (["0.00", "1"], ["100.00", "2"])
    assert (last[:2], last[6:8]) == (["50.00", "-"], ["100.00", "-"])
    assert "fold" not in " ".join(utterance)


def test_an_epoch_without_scores_is_an_error(tmp_path: Path) -> None:
    pattern = write_two_oracle_folds(tmp_path)
    shutil.rmtree(tmp_path / "exp" / "fold2" / "ent" / "decode" / "2epoch")
    with pytest.raises(
        ScoringError, match=r"fold2/ent/decode: epochs of set test are not .* 1 to 3; got nothing of 2;"
    ):
        _read(pattern, protocol="paper", allow_missing=True)


def test_counts_of_other_results_of_an_epoch_are_refused(tmp_path: Path) -> None:
    pattern = write_two_oracle_folds(tmp_path)
    score = tmp_path / "exp" / "fold1" / "ent" / "decode" / "2epoch" / "test" / "score"
    _break_results(score, "recognition", "wer", "rate", value=0.5)
    with pytest.raises(ScoringError, match=r"2epoch/test/score/counts.json: file does not fit results.json"):
        _read(pattern, protocol="paper")


def _write_seeds(root: Path, folds: Sequence[str]) -> str:
    """Two seeds: of fold s, seed s recognises everything; returns the pattern."""
    for seed in ("1", "2"):
        for fold in folds or ("",):
            right = EVERYTHING if seed == (fold or "1") else ()
            write_run(root / f"fold{fold}" / f"seed{seed}", fold, right, seed=int(seed))
    return str(root / "fold{fold}" / "seed{seed}") if folds else str(root / "fold" / "seed{seed}")


def test_seeds_have_their_own_table(tmp_path: Path) -> None:
    text = _report(_read(_write_seeds(tmp_path, ("1", "2")), seeds=("1", "2")))
    setting, over_seeds, _, first, _, second, *_ = _tables(text)
    assert setting["seeds"] == ["1 2"]
    names = [
        f"{kind}{what}" for kind in ("mean of folds", "pooled") for what in (", seed 1", ", seed 2", ": mean", ": sd")
    ]
    expected = [f"{name} over 2 seeds" if name.endswith(("mean", "sd")) else name for name in names]
    assert list(over_seeds) == ["system", *expected]
    means = [over_seeds[name] for name in expected[:4]]
    # Seed 1: 0 of 8 and 3 of 5 words wrong; seed 2: 4 of 8 and 0 of 5.
    assert [row[0] for row in means] == ["30.00", "25.00", "27.50", "3.54"]
    assert [row[3] for row in means] == ["100.00", "75.00", "87.50", "17.68"]
    pooled = [over_seeds[name] for name in expected[4:]]
    assert [row[0].split()[0] for row in pooled] == ["23.08", "30.77", "26.92", "5.44"]
    assert ["[" in row[0] for row in pooled] == [True, True, False, False]
    # Each seed has its folds, too.
    assert text.count("### test, seed 1\n") == text.count("### test, seed 2\n") == 2  # folds, and confusion matrix
    assert (first["fold 1"][0], first["fold 2"][0], first["pooled"]) == ("0.00", "60.00", pooled[0])
    assert (second["fold 1"][0], second["fold 2"][0], second["pooled"]) == ("50.00", "0.00", pooled[1])


def test_seeds_without_folds(tmp_path: Path) -> None:
    _, utterance, timeline, *confusions = _tables(_report(_read(_write_seeds(tmp_path, ()), (), seeds=("1", "2"))))
    assert "timeline" in timeline
    assert ["reference" in table for table in confusions] == [True, True]
    names = ["system, seed 1", "system, seed 2", "system: mean over 2 seeds", "system: sd over 2 seeds"]
    assert list(utterance) == ["system", *names, "baseline: majority class: mean over 2 seeds"]
    assert [utterance[name][0].split()[0] for name in names] == ["0.00", "50.00", "25.00", "35.36"]
    assert utterance["baseline: majority class: mean over 2 seeds"] == ["-", "-", "25.00", "33.33", "13.33"]


def test_seeds_of_an_oracle(tmp_path: Path) -> None:
    write_epochs(tmp_path / "seed1", "1", [("text",), ()])
    write_epochs(tmp_path / "seed2", "1", [(), ()])
    text = _report(_read(str(tmp_path / "seed{seed}"), (), seeds=("1", "2"), protocol="paper"))
    utterance = _tables(text)[1]
    rows = [utterance[f"ORACLE best epochs{end}"][:2] for end in (", seed 1", ", seed 2", ": mean over 2 seeds")]
    assert rows == [["0.00", "1"], ["50.00", "1"], ["25.00", "-"]]
    assert utterance["last epoch: mean over 2 seeds"][0] == "50.00"
    assert not re.search(r"\d \[", text)


def test_seeds_on_other_folds_have_no_common_figures(tmp_path: Path) -> None:
    pattern = _write_seeds(tmp_path, ("1", "2"))
    shutil.rmtree(tmp_path / "fold2" / "seed2")
    runs = _read(pattern, seeds=("1", "2"), allow_missing=True)
    assert not have_same_folds(runs.combinations("test"))
    text = _report(runs)
    assert "No figures over seeds: the seeds have different folds." in text
    assert "over 2 seeds" not in text
    first, second = _tables(text)[1], _tables(text)[3]
    assert first["pooled"][0] == "23.08 [0.0, 60.0]"
    assert second["pooled (INCOMPLETE: 1 of 2)"][0] == "50.00 [33.3, 60.0]"
    assert "over_seeds" not in combined_results(runs)["sets"]["test"]


def test_all_figures_as_values(tmp_path: Path) -> None:
    results = combined_results(_read(write_two_folds(tmp_path)))
    one = results["sets"]["test"]["seeds"]["-"]
    assert (results["protocol"], results["oracle"], results["folds"], results["missing"]) == (
        "honest",
        False,
        ["1", "2"],
        [],
    )
    assert [one["folds"][fold]["system"]["wer"] for fold in ("1", "2")] == [0.5, 0.0]
    assert one["mean_of_folds"]["system"]["wer"] == 0.25
    assert one["sd_over_folds"]["system"]["wer"] == pytest.approx(0.5 / 2**0.5)
    assert one["pooled"]["system"]["wer"] == pytest.approx(4 / 13)
    assert one["pooled"]["majority"]["wa"] == pytest.approx(1 / 3)
    assert one["pooled_intervals"]["wer"] == pytest.approx([0, 0.6])
    assert (one["num_utterances"], one["num_speakers"], one["is_same_set"]) == (6, 3, False)
    assert "last_epoch" not in one


def test_all_oracle_figures_as_values(tmp_path: Path) -> None:
    results = combined_results(_read(write_two_oracle_folds(tmp_path), protocol="paper"))
    one = results["sets"]["test"]["seeds"]["-"]
    assert results["oracle"] is True
    assert [one["best_epochs"][fold]["wer"] for fold in ("1", "2")] == [2, 1]
    assert one["pooled"]["system"]["wer"] == pytest.approx(3 / 13)
    assert one["pooled_intervals"] == {}
    assert one["last_epoch"]["pooled"]["system"]["wer"] == pytest.approx(7 / 13)


def test_figures_over_seeds_as_values(tmp_path: Path) -> None:
    results = combined_results(_read(_write_seeds(tmp_path, ("1", "2")), seeds=("1", "2")))
    one = results["sets"]["test"]
    assert list(one["seeds"]) == results["seeds"] == ["1", "2"]
    assert one["over_seeds"]["mean_of_folds"]["mean"]["system"]["wer"] == pytest.approx(0.275)
    assert one["over_seeds"]["pooled"]["mean"]["system"]["wer"] == pytest.approx((3 / 13 + 4 / 13) / 2)
    assert one["over_seeds"]["pooled"]["sd"]["system"]["wer"] == pytest.approx(1 / 13 / 2**0.5)


def _break_results(score: Path, *keys: str, value: Any) -> None:
    results = json.loads((score / "results.json").read_text())
    inner = results
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    (score / "results.json").write_text(json.dumps(results))


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("num_utterances",), 5),
        (("recognition", "wer", "rate"), 0.50001),
        (("recognition", "wer"), None),
        (("emotion", "wa"), 0.51),
        (("emotion", "ua"), None),
        (("emotion",), None),
        (("eder", "system", "utterance_mean", "eder"), 0.5),
        (("eder",), None),
    ],
)
def test_counts_of_other_results_are_refused(tmp_path: Path, keys: tuple[str, ...], value: Any) -> None:
    pattern = write_two_folds(tmp_path)
    score = tmp_path / "exp" / "fold1" / "ent" / "decode" / "test" / "score"
    _break_results(score, *keys, value=value)
    with pytest.raises(
        ScoringError, match=r"fold1/.*counts.json: file does not fit results.json; next: rerun stage 13"
    ):
        _read(pattern)


def test_counts_fit_results_of_speech_recognition_alone(tmp_path: Path) -> None:
    """What neither counts nor results hold is no difference."""
    write_run(tmp_path / "ent")
    score = tmp_path / "ent" / "decode" / "test" / "score"
    counts = json.loads((score / "counts.json").read_text())
    for speaker in counts["speakers"].values():
        speaker.update(confusions={}, timelines={})
    (score / "counts.json").write_text(json.dumps(counts))
    with pytest.raises(ScoringError, match=r"counts.json: file does not fit results.json"):
        _read(str(tmp_path / "ent"), ())
    _break_results(score, "eder", value=None)
    _break_results(score, "emotion", value=None)
    _, utterance, *others = _tables(_report(_read(str(tmp_path / "ent"), ())))
    assert utterance == {"system": ["50.00 [33.3, 60.0]", "48.39", "-", "-", "-"]}
    assert others == []


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("counts.json", "{", "counts.json: file is damaged; got .*; next: rerun stage 13"),
        ("results.json", "{", "results.json: file is damaged; got .*; next: rerun stage 13"),
        ("results.json", '{"recognition": null}', "results.json: file is damaged; got .*; next: rerun stage 13"),
        ("counts.json", None, "counts.json: file is missing; next: rerun stage 13"),
        ("results.json", None, "1 of 2 results are missing; got no set test of fold 2 in "),
    ],
)
def test_damaged_and_absent_files_are_one_line(tmp_path: Path, name: str, text: str | None, message: str) -> None:
    pattern = write_two_folds(tmp_path)
    path = tmp_path / "exp" / "fold2" / "ent" / "decode" / "test" / "score" / name
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(ScoringError, match=message) as caught:
        _read(pattern)
    assert "fold2" in str(caught.value) or "fold 2" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_run_without_configuration_is_refused(tmp_path: Path) -> None:
    pattern = write_two_folds(tmp_path)
    (tmp_path / "exp" / "fold2" / "ent" / "config.yaml").unlink()
    with pytest.raises(ConfigError, match=r"fold2/ent/config.yaml: training configuration is missing"):
        _read(pattern)


@pytest.mark.parametrize(
    ("pattern", "options", "message"),
    [
        ("exp/fold{fold}", {}, r"exp/fold{fold}: directories and folds do not fit .*; got --folds \(none\)"),
        ("exp/ent", {"folds": ("1", "2")}, "exp/ent: directories and folds do not fit .*; got --folds 1 2"),
        ("exp/seed{seed}", {}, r"exp/seed{seed}: directories and seeds do not fit .*; got --seeds \(none\)"),
        ("exp/ent", {"seeds": ("1",)}, "exp/ent: directories and seeds do not fit .*; got --seeds 1"),
        ("exp/seed{seed}", {"seeds": ("1", "2", "1")}, "a seed is given twice; got 1 2 1"),
        ("exp/fold{fold}", {"folds": ("3", "3")}, "a fold is given twice; got 3 3"),
        ("exp/ent", {"protocol": "best"}, r"unknown protocol; expected .*honest.*; got 'best'"),
    ],
)
def test_what_was_asked_for_must_fit_together(pattern: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        RunsToCombine(pattern, "decode", ("test",), **options)


def test_only_the_tables_that_have_figures() -> None:
    assert [columns.about for columns in tables_of(("wer", "cer"), is_oracle=False)] == ["system"]
    assert [columns.about for columns in tables_of(("eder",), is_oracle=True)] == ["timeline"]
    assert [columns.about for columns in tables_of(("ua", "eder"), is_oracle=True)] == ["system", "timeline"]


def test_what_is_absent_or_not_finite_is_a_dash() -> None:
    columns = Columns("system", {"wer": "WER", "ua": "UA"}, with_epochs=True)
    table = make_table(columns, [Row("a", {"wer": float("inf"), "ua": 0.5}, epochs={"ua": 3}), Row("b")])
    assert table.header == ("system", "WER", "epoch", "UA", "epoch")
    assert table.rows == (("a", "-", "-", "50.00", "3"), ("b", "-", "-", "-", "-"))
