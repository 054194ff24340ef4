"""The recipe for one's own recordings: its options reach the command, and stage 1 makes sound data."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from espnet_ent.corpora.custom import read_custom
from espnet_ent.corpora.custom_options import make_config
from espnet_ent.corpora.manifest_columns import COLUMNS
from espnet_ent.data.datadir import read_data_dir
from tests.corpora.manifests import sound_rows, write_jsonl, write_tsv
from tests.corpora.trees import write_tone
from tests.recipes.workspace import ROOT, Workspace, make_workspace

_OPTIONS = "--columns audio=file,emotion=emotion4 --split_map valid=test --dev_share 0.2 --on_defects exclude"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_workspace(tmp_path_factory.mktemp("custom"), real=True)


def test_options_of_the_manifest_reach_the_command(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    ended = workspace.run("custom", "--stop_stage", "1", "--local_data_opts", f"--manifest my.tsv {_OPTIONS}")
    assert (ended.returncode, ended.stderr) == (0, "")
    preparing, _ = workspace.calls()
    assert preparing[:4] == ["-m", "espnet_ent.bin.ent_prepare_custom", "--out", "data"]
    words = ["--manifest", "my.tsv", *_OPTIONS.split()]
    for name, value in zip(words[::2], words[1::2], strict=True):
        assert preparing[preparing.index(name) + 1] == value
    assert "" not in preparing


def test_without_a_manifest_there_is_one_line(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    ended = workspace.run("custom", "--stop_stage", "1")
    assert ended.returncode == 2
    assert ended.stderr.startswith("data.sh: error: no manifest is given; next: --local_data_opts ")
    assert ended.stderr.count("\n") == 1
    assert workspace.calls() == []


def test_stage_1_makes_and_validates_three_sets(workspace: Workspace, tmp_path: Path) -> None:
    manifest = write_tsv(tmp_path / "m.tsv", sound_rows(tmp_path, 16))
    ended = workspace.run("custom", "--stop_stage", "1", "--local_data_opts", f"--manifest {manifest}")
    assert ended.returncode == 0, ended.stderr
    for part, num_utterances in (("train", 8), ("dev", 4), ("test", 4)):
        assert f"data/{part}: found {num_utterances}, used {num_utterances} " in ended.stdout
        assert f"data/{part}: no defects, no warnings" in ended.stdout
        assert len(read_data_dir(workspace.recipe("custom") / "data" / part)) == num_utterances


def test_a_relative_manifest_is_found_from_the_recipe(workspace: Workspace) -> None:
    corpus = workspace.recipe("custom") / "downloads"
    write_jsonl(corpus / "m.jsonl", sound_rows(corpus, 16))
    ended = workspace.run("custom", "--stop_stage", "1", "--local_data_opts", "--manifest downloads/m.jsonl")
    assert ended.returncode == 0, ended.stderr
    assert "data/test: no defects, no warnings" in ended.stdout


def test_a_faulty_manifest_stops_stage_1(workspace: Workspace, tmp_path: Path) -> None:
    rows = sound_rows(tmp_path, 16)
    rows[3]["audio"] = "lost.wav"
    manifest = write_tsv(tmp_path / "m.tsv", rows)
    ended = workspace.run("custom", "--stop_stage", "1", "--local_data_opts", f"--manifest {manifest}")
    assert ended.returncode == 2
    assert f"{manifest}:5: audio file is missing: {tmp_path}/lost.wav" in ended.stdout
    assert ended.stderr.startswith(f"ent_prepare_custom: error: {manifest}: 1 defect; nothing is written")


def _example(name: str) -> list[str]:
    """Indented lines after the file's name in the recipe's README."""
    text = (ROOT / "egs2/custom_ent/ent1/README.md").read_text()
    lines = iter(text.split(f"`{name}`")[1].splitlines()[1:])
    block = itertools.takewhile(lambda line: line.startswith("    "), itertools.dropwhile(lambda line: not line, lines))
    return [line.strip() for line in block]


def test_the_readme_names_the_columns_that_are_understood() -> None:
    text = (ROOT / "egs2/custom_ent/ent1/README.md").read_text()
    rows = [re.findall(r"[\w]+", cells) for cells in re.findall(r"^\| (`.*?\|.*?) \|", text, flags=re.MULTILINE)]
    assert {name for row in rows for name in row} == {name for names in COLUMNS.values() for name in names} | set(
        COLUMNS
    )


def test_the_examples_of_the_readme_are_sound(tmp_path: Path) -> None:
    table = [re.split(r"\s{2,}", line) for line in _example("emotions.tsv")]
    (tmp_path / "emotions.tsv").write_text("".join("\t".join(cells) + "\n" for cells in table))
    (tmp_path / "changes.jsonl").write_text("".join(line + "\n" for line in _example("changes.jsonl")))
    (tmp_path / "labels").write_text("bored -\n")
    for seed, (audio, *_) in enumerate(table[1:]):
        write_tone(tmp_path / audio, 1.0, seed=seed)
    write_tone(tmp_path / "call7.flac", 20.0)
    shares = {"dev_share": 0, "test_share": 0}
    reading = read_custom(make_config(tmp_path / "emotions.tsv", label_map=tmp_path / "labels", **shares))
    assert [entry.utterance.emotion for entry in reading.sets["train"].used] == ["ang", "neu"]
    assert [entry.reason for entry in reading.sets["train"].excluded] == ["label bored"]
    reading = read_custom(make_config(tmp_path / "changes.jsonl", **shares))
    assert [entry.utterance.emotion for entry in reading.sets["train"].used] == ["ang", "neu"]
    assert reading.num_blocking == 0
