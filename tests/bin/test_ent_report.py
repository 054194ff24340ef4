"""ent-report on a decoding of a tiny model: the command, and the emotion lattices that it computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from espnet_ent.bin.ent_report import main
from espnet_ent.data.datadir import read_table
from espnet_ent.data.words import group_words
from espnet_ent.decoding import decode_data_dir
from espnet_ent.errors import CheckpointError, ConfigError, ScoringError
from espnet_ent.inference import InferenceConfig
from espnet_ent.metrics.scoring import score_directories, to_json
from espnet_ent.plugin.builder import build_model
from espnet_ent.report.html import lattices
from espnet_ent.report.html.quantised import restored
from tests.data.dirs import make_data_dir
from tests.metrics.oracles import write_lines
from tests.plugin.tiny import tiny_config
from tests.report.html.sample import Page


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``exp`` and ``dump/data`` of a tiny model that has learned nothing."""
    root = tmp_path_factory.mktemp("recipe")
    make_data_dir(root / "dump")
    torch.manual_seed(1)
    (root / "exp").mkdir()
    torch.save(build_model(tiny_config()).state_dict(), root / "exp" / "valid.loss.ave.pth")
    (root / "exp" / "config.yaml").write_text(yaml.safe_dump(tiny_config()))
    decoded = root / "exp" / "decode_greedy" / "data"
    decode_data_dir(root / "dump" / "data", root / "exp", "valid.loss.ave.pth", decoded, InferenceConfig())
    lists = (decoded / "emotion_list", None, "valid.loss.ave.pth")
    scores = to_json(score_directories(root / "dump" / "data", decoded, *lists))
    write_lines(decoded / "score" / "results.json", scores.rstrip("\n"))
    return root


def _command(recipe: Path, *more: str) -> None:
    main(["--exp", str(recipe / "exp"), "--data", str(recipe / "dump"), *more])


def test_the_command_writes_a_page_once_and_tells_what_it_holds(
    recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _command(recipe, "--lattices", "2")
    told = capsys.readouterr().out
    assert told.startswith(f"{recipe}/exp/report.html: written, 0.4 MB, 5 utterances, 5 in detail, 5 with audio, ")
    assert told.endswith("2 with the emotion lattice\n")
    _command(recipe, "--lattices", "2")
    assert "report.html: unchanged, " in capsys.readouterr().out


def test_lattices_are_of_the_worst_utterances_and_of_the_decoded_text(recipe: Path, tmp_path: Path) -> None:
    _command(recipe, "--lattices", "2", "--out", str(tmp_path / "page.html"), "--audio", "none")
    found = Page((tmp_path / "page.html").read_text())
    texts = read_table(recipe / "exp" / "decode_greedy" / "data" / "text")
    (one,) = found.data["data"]["sets"]
    with_lattice = [row for row in one["utterances"] if row["lattice"]]
    assert sorted(row["worst"] for row in with_lattice) == [0, 1]
    for row in with_lattice:
        detail = found.data[row["detail"]]
        lattice, frames = detail["lattice"], detail["frames"]
        words = group_words(lattice["tokens"], range(len(lattice["tokens"])))
        assert " ".join(word.word for word in words) == texts[row["id"]]
        shape = (frames["count"], len(lattice["tokens"]) + 1, 4)
        path = restored(lattice["values"]).reshape(shape)[np.arange(frames["count"]), lattice["nodes"]]
        np.testing.assert_allclose(path.ravel(), restored(frames["values"]), atol=2 / 255)


def test_lattices_that_are_too_large_are_left_out_and_counted(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lattices, "MOST_NODES", 0)
    _command(recipe, "--lattices", "2", "--out", str(tmp_path / "page.html"), "--audio", "none")
    assert "0 of 2 emotion lattices are given: the others are too large" in capsys.readouterr().out


def test_elsewhere_than_in_a_recipe_it_tells_where_to_go(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"^exp/ent: no such experiment; next: run it in the recipe's folder"):
        main(["--exp", "exp/ent"])
    with pytest.raises(ConfigError, match=r"^dump/raw: no such folder of .* data; next: run it in the recipe's folder"):
        main(["--model", str(recipe / "exp")])


def test_errors_name_the_next_step(recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("seed: 1\n")
    with pytest.raises(ScoringError, match=r"no scores found; next: rerun stage 13"):
        main(["--exp", str(tmp_path)])
    checkpoint = recipe / "exp" / "valid.loss.ave.pth"
    before = checkpoint.read_bytes()
    checkpoint.write_bytes(before + b"x")
    with pytest.raises(CheckpointError, match=r"not the checkpoint that was decoded; next: .*--lattices 0"):
        _command(recipe, "--lattices", "1", "--out", str(tmp_path / "page.html"))
    checkpoint.write_bytes(before)
