"""The reporting command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from espnet_ent.bin.ent_report_results import main
from espnet_ent.errors import ConfigError
from tests.bin.heavy_modules import heavy_modules
from tests.report.sample import DIFFICULTY, write_experiments


def test_writes_one_document_for_several_experiments(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ent, fent = map(str, write_experiments(tmp_path))
    out, difficulty = tmp_path / "RESULTS.md", tmp_path / "difficulty.json"
    difficulty.write_text(json.dumps(DIFFICULTY))
    options = ["--exp", ent, fent, "--command", "run ENT", "run FENT", "--out", str(out)]
    main([*options, "--difficulty", str(difficulty), "--print", "true"])
    text, printed = out.read_text(), capsys.readouterr().out
    assert "```sh\nrun ENT\nrun FENT\n```" in text
    assert "How hard is it?" in text
    assert "| fent " in text
    assert "How hard is it?" in printed
    assert printed.endswith(f"{out}: written\n")
    main([*options, "--difficulty", str(difficulty)])
    assert capsys.readouterr().out == f"{out}: unchanged\n"


def test_an_absent_difficulty_is_left_out(tmp_path: Path) -> None:
    ent, _ = map(str, write_experiments(tmp_path))
    out = tmp_path / "RESULTS.md"
    main(["--exp", ent, "--difficulty", str(tmp_path / "absent.json"), "--out", str(out)])
    assert "How hard" not in out.read_text()


def test_commands_must_fit_experiments(tmp_path: Path) -> None:
    ent, _ = map(str, write_experiments(tmp_path))
    with pytest.raises(ConfigError, match="--command does not fit --exp; expected 1 or 1; got 2"):
        main(["--exp", ent, "--command", "a", "b", "--out", str(tmp_path / "RESULTS.md")])


def test_reporting_and_help_do_without_torch(tmp_path: Path) -> None:
    ent, _ = map(str, write_experiments(tmp_path))
    module = "espnet_ent.bin.ent_report_results"
    assert heavy_modules(module, "--exp", ent, "--out", str(tmp_path / "RESULTS.md")) == []
    assert heavy_modules(module, "--help") == []
