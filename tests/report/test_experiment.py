"""Finding scores on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from espnet_ent.errors import ConfigError, ScoringError
from espnet_ent.report.experiment import read_experiment, read_json
from tests.metrics.oracles import write_lines
from tests.report.sample import write_experiments


def test_reads_setting_and_scores_in_order(tmp_path: Path) -> None:
    _, fent = write_experiments(tmp_path)
    experiment = read_experiment(fent, "make demo")
    assert (experiment.tag, experiment.config, experiment.seed) == ("fent", "conf/train_fent.yaml", 7)
    assert experiment.command == "make demo"
    assert [(scored.inference_tag, scored.set_name) for scored in experiment.scored] == [
        ("decode_greedy", "test"),
        ("decode_greedy", "test2"),
    ]
    assert experiment.scored[0].results["checkpoint"] == "valid.loss.ave.pth"


def test_decoding_is_told_where_there_are_several(tmp_path: Path) -> None:
    ent, _ = write_experiments(tmp_path)
    (one,) = read_experiment(ent).scored
    assert read_experiment(ent).title(one) == "ent"
    content = (ent / "decode_greedy/test/score/results.json").read_text()
    write_lines(ent / "decode_beam/test/score/results.json", content)
    experiment = read_experiment(ent)
    assert [experiment.title(scored) for scored in experiment.scored] == [
        "ent / decode_beam",
        "ent / decode_greedy",
    ]


def test_leftovers_of_a_killed_decoding_are_no_scores(tmp_path: Path) -> None:
    ent, _ = write_experiments(tmp_path)
    write_lines(ent / "decode_greedy" / ".test.old.17" / "score" / "results.json", "{}")
    assert len(read_experiment(ent).scored) == 1


def test_faults_are_named(tmp_path: Path) -> None:
    ent, fent = write_experiments(tmp_path)
    write_lines(ent / "decode_greedy/test/score/results.json", "{")
    with pytest.raises(ScoringError, match=r"results\.json: file is damaged; .*stage 13"):
        read_experiment(ent)
    with pytest.raises(ConfigError, match=r"config\.yaml: training configuration is missing"):
        read_experiment(tmp_path / "work")
    write_lines(fent / "config.yaml", "a: [")
    with pytest.raises(ConfigError, match="not YAML"):
        read_experiment(fent)
    write_lines(fent / "config.yaml", "- a")
    with pytest.raises(ConfigError, match="not a mapping; got list"):
        read_experiment(fent)
    write_lines(tmp_path / "empty" / "config.yaml", "seed: 1")
    with pytest.raises(ScoringError, match="no scores found; next: rerun stage 13"):
        read_experiment(tmp_path / "empty")


def test_json_that_is_no_object_is_damaged(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.json", "[]")
    with pytest.raises(ScoringError, match="expected a JSON object; next: mend it"):
        read_json(tmp_path / "a.json", "mend it")
    with pytest.raises(ScoringError, match="file is missing"):
        read_json(tmp_path / "b.json", "mend it")
