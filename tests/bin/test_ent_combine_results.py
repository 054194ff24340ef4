"""The command that reports over folds and seeds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from espnet_ent.bin.ent_combine_results import main
from espnet_ent.errors import ConfigError, ScoringError
from espnet_ent.metrics.scoring import to_json
from espnet_ent.report.document import render_markdown, render_terminal
from espnet_ent.report.fold_results import combined_results
from espnet_ent.report.fold_runs import RunsToCombine, read_fold_runs
from espnet_ent.report.folds import fold_blocks
from tests.bin.heavy_modules import heavy_modules
from tests.report.fold_sample import write_run, write_two_folds, write_two_oracle_folds


def _options(root: Path, pattern: str, *more: str) -> list[str]:
    outputs = ["--out", str(root / "RESULTS.md"), "--json", str(root / "results.json")]
    return ["--exp", pattern, "--inference_tag", "decode", "--sets", "test", "--folds", "1", "2", *outputs, *more]


def test_command_equals_functions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pattern = write_two_folds(tmp_path)
    capsys.readouterr()
    main(_options(tmp_path, pattern, "--command", "run FOLDS", "--print", "true"))
    runs = read_fold_runs(RunsToCombine(pattern, "decode", ("test",), ("1", "2")))
    blocks = fold_blocks(runs, "run FOLDS")
    first, _, rest = (tmp_path / "RESULTS.md").read_text().partition("\n")
    assert first.startswith("*20")
    assert rest == "\n" + render_markdown(blocks)
    assert "```sh\nrun FOLDS\n```" in rest
    assert (tmp_path / "results.json").read_text() == to_json(combined_results(runs))
    assert capsys.readouterr().out == f"{render_terminal(blocks)}\n{tmp_path / 'RESULTS.md'}: written\n"


def test_a_second_run_leaves_the_files_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = _options(tmp_path, write_two_folds(tmp_path))
    paths = [tmp_path / "RESULTS.md", tmp_path / "results.json"]
    main(options)
    before = [(path.stat().st_mtime_ns, path.stat().st_ino) for path in paths]
    capsys.readouterr()
    main(options)
    assert [(path.stat().st_mtime_ns, path.stat().st_ino) for path in paths] == before
    assert capsys.readouterr().out == f"{paths[0]}: unchanged\n"


def test_protocol_paper(tmp_path: Path) -> None:
    main(_options(tmp_path, write_two_oracle_folds(tmp_path), "--protocol", "paper"))
    assert "# RESULTS (ORACLE)" in (tmp_path / "RESULTS.md").read_text()
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["oracle"] is True
    assert results["sets"]["test"]["seeds"]["-"]["best_epochs"]["1"]["wer"] == 2


def test_missing_results_are_reported_only_if_that_is_wanted(tmp_path: Path) -> None:
    options = _options(tmp_path, write_two_folds(tmp_path))
    options.insert(options.index("2") + 1, "3")
    with pytest.raises(ScoringError, match="1 of 3 results are missing"):
        main(options)
    assert not (tmp_path / "RESULTS.md").exists()
    main([*options, "--allow_missing", "true"])
    assert "fold 3: MISSING" in (tmp_path / "RESULTS.md").read_text()
    assert len(json.loads((tmp_path / "results.json").read_text())["missing"]) == 1


def test_one_run_without_folds_and_without_json(tmp_path: Path) -> None:
    write_run(tmp_path / "ent", sets=("test", "test2"))
    out = tmp_path / "RESULTS.md"
    sets = ["--sets", "test", "test2", "test"]
    main(["--exp", str(tmp_path / "ent"), "--inference_tag", "decode", *sets, "--out", str(out)])
    headings = [line for line in out.read_text().splitlines() if line.startswith("## Set ")]
    assert [heading.split(":")[0] for heading in headings] == ["## Set test", "## Set test2"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["RESULTS.md", "ent"]
    with pytest.raises(ScoringError, match="1 of 1 results are missing"):
        main(["--exp", str(tmp_path / "ent"), "--inference_tag", "decode", "--sets", "x", "x", "--out", str(out)])


def test_options_that_do_not_fit_together(tmp_path: Path) -> None:
    options = _options(tmp_path, "exp/fold{fold}/seed{seed}")
    with pytest.raises(ConfigError, match="directories and seeds do not fit together"):
        main(options)
    with pytest.raises(ConfigError, match="a seed is given twice; got 1 1"):
        main([*options, "--seeds", "1", "1"])


def test_combining_and_help_do_without_torch(tmp_path: Path) -> None:
    module = "espnet_ent.bin.ent_combine_results"
    assert heavy_modules(module, *_options(tmp_path, write_two_folds(tmp_path))) == []
    assert heavy_modules(module, "--help") == []


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("results.json", "1 of 2 results are missing; got no set test of fold 2 in "),
        ("counts.json", "counts.json: file is missing; next: rerun stage 13 (scoring)"),
        (None, "a seed is given twice; got 1 1"),
    ],
)
def test_a_user_error_is_one_line_and_status_2(tmp_path: Path, damage: str | None, message: str) -> None:
    options = _options(tmp_path, write_two_folds(tmp_path))
    if damage:
        (tmp_path / "exp" / "fold2" / "ent" / "decode" / "test" / "score" / damage).unlink()
    else:
        options[1] += "{seed}"
        options += ["--seeds", "1", "1"]
    command = [sys.executable, "-m", "espnet_ent.bin.ent_combine_results", *options]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.startswith("ent_combine_results: error: ")
    assert message in ended.stderr
    assert ended.stdout == ""
    assert not (tmp_path / "RESULTS.md").exists()
