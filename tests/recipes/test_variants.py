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


def test_what_it_sets_itself_is_refused(recipe: Path) -> None:
    status, told = run(recipe, "--ent_tag", "mine")
    assert status != 0
    assert "option --ent_tag is set by utils/variants.sh for each variant" in told
    assert not (recipe / "calls").exists()
