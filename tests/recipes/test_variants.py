"""Variants of a system, with a recipe and a Python that only note what they are asked for."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.recipes.workspace import ROOT

_NOTE = '#!/usr/bin/env bash\nprintf "%s|" "$(basename "$0")" "$@" >>"{calls}"; echo >>"{calls}"\n'


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    folder = tmp_path / "ent1"
    folder.mkdir()
    (folder / "utils").symlink_to(ROOT / "egs2/TEMPLATE/ent1/utils")
    (folder / "path.sh").touch()
    (folder / "list.txt").write_text("# a comment\nplain\n\nwide --encoder_conf hidden_size=8\n")
    for program in ("run.sh", "python"):
        (folder / program).write_text(_NOTE.format(calls=folder / "calls"))
        (folder / program).chmod(0o755)
    return folder


def run(recipe: Path, *options: str) -> tuple[int, str]:
    environment = {**os.environ, "PATH": f"{recipe}:{os.environ['PATH']}"}
    command = ["utils/variants.sh", "list.txt", *options]
    ended = subprocess.run(command, cwd=recipe, env=environment, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stderr


def test_each_variant_is_run_and_all_are_told_in_one_table(recipe: Path) -> None:
    status, told = run(recipe, "--datadir", "data_words", "--expdir", "exp_words")
    assert status == 0, told
    calls = [line.rstrip("|").split("|") for line in (recipe / "calls").read_text().splitlines()]
    stages = ["run.sh", "--stage", "9", "--stop_stage", "13", "--ent_tag"]
    places = ["--datadir", "data_words", "--expdir", "exp_words"]
    assert calls[:2] == [
        [*stages, "list_plain", "--ent_args", "", *places],
        [*stages, "list_wide", "--ent_args", "--encoder_conf hidden_size=8", *places],
    ]
    (report,) = calls[2:]
    first = report.index("--exp")
    assert report[first + 1 : first + 3] == ["exp_words/ent_list_plain", "exp_words/ent_list_wide"]
    assert report[report.index("--difficulty") + 1] == "data_words/difficulty.json"
    assert report[report.index("--out") + 1] == "exp_words/RESULTS_list.md"


def test_the_table_is_made_by_the_interpreter_of_the_recipe(recipe: Path) -> None:
    (recipe / "python").rename(recipe / "my python")
    status, told = run(recipe, "--python", str(recipe / "my python"))
    assert status == 0, told
    assert (recipe / "calls").read_text().splitlines()[-1].startswith("my python|-m|espnet_ent.bin.ent_report_results|")


def test_a_last_line_without_an_end_is_a_variant(recipe: Path) -> None:
    (recipe / "list.txt").write_text("plain\nlast --seed 2")
    status, told = run(recipe)
    assert status == 0, told
    first, second, _ = (recipe / "calls").read_text().splitlines()
    assert "|list_plain|" in first
    assert "|list_last|--ent_args|--seed 2|" in second


@pytest.mark.parametrize("option", ["--ent_tag", "--ent-tag", "--stage"])
def test_what_it_sets_itself_is_refused(recipe: Path, option: str) -> None:
    status, told = run(recipe, option, "9")
    assert status == 2
    assert f"option {option.replace('-t', '_t')} is set by utils/variants.sh for each variant" in told
    assert not (recipe / "calls").exists()


@pytest.mark.parametrize("option", ["--folds", "--seeds", "--protocol"])
def test_runs_that_its_table_would_not_find_are_refused(recipe: Path, option: str) -> None:
    """Before anything is trained."""
    status, told = run(recipe, option, "1")
    assert status == 2
    assert f"option {option} is for one system" in told
    assert not (recipe / "calls").exists()


def test_the_demonstrations_refuse_what_they_set_themselves() -> None:
    command = [str(ROOT / "egs2/mini_ent/ent1/demo_system.sh"), "asr_fusion", "--expdir", "mine"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (2, f"demo_system.sh: error: option --expdir is set by {command[0]}\n")
