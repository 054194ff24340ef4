"""Sweeps: the plan, what is chosen, and the report, with a recipe that only writes scores."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from espnet_ent.bin.ent_sweep import main
from espnet_ent.errors import ConfigError
from espnet_ent.report.sweep import chosen, config_of, merged, read_plan, read_rows

# Figures come from the configuration: eder, wer and ua of the set, worse by one point for each seed above 1.
RUN = """#!/usr/bin/env python3
import json, sys, pathlib, yaml
options = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
with open("calls.txt", "a") as calls:
    print(json.dumps(options), file=calls)
if "--seeds" not in options:
    sys.exit(0)
config = yaml.safe_load(open(options["--ent_config"]))
if config.get("fails"):
    print("run.sh: error: it fails")
    sys.exit(2)
exp = pathlib.Path(options["--expdir"], "seed" + options["--seeds"], "ent_" + options["--ent_tag"])
checkpoint = options["--inference_ent_model"]
worse = (int(options["--seeds"]) - 1 + (checkpoint == "last.pth") * config.get("last_is_worse", 3)) / 100
for name in options["--test_sets"].split():
    folder = exp / options["--inference_tag"] / name / "score"
    folder.mkdir(parents=True, exist_ok=True)
    parts = {"false_alarm": 0.05, "missed_emotion": 0.1, "confusion": 0.0}
    timelines = {"system": config["eder"] / 100 + worse, "all_neutral": 0.46, "predicted_label": 0.55}
    results = {
        "eder": {key: {"utterance_mean": {"eder": value, **parts}} for key, value in timelines.items()},
        "recognition": {"wer": {"rate": config["wer"] / 100}},
        "emotion": {"ua": config["ua"] / 100},
    }
    (folder / "results.json").write_text(json.dumps(results))
"""
PLAN = {
    "config": "conf/base.yaml",
    "baseline": "plain",
    "checkpoints": ["ave.pth", "last.pth"],
    "settings": {
        "plain": {},
        "good": {"eder": 30},
        "late": {"eder": 33, "last_is_worse": -1},
        "deaf": {"eder": 20, "wer": 13},
        "blunt": {"eder": 25, "ua": 70},
        "ceiling": {"eder": 10, "is_supervised": True, "run_options": ["--dumpdir", "other dump"]},
    },
}


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    folder = tmp_path / "a recipe"
    (folder / "conf").mkdir(parents=True)
    (folder / "conf" / "base.yaml").write_text("eder: 46\nwer: 10\nua: 80\nmodel_conf: {a: 1, b: 2}\n")
    (folder / "run.sh").write_text(RUN)
    (folder / "run.sh").chmod(0o755)
    return folder


def write_plan(folder: Path, plan: dict = PLAN, **changes) -> Path:
    path = folder / "plan.yaml"
    path.write_text(yaml.safe_dump({**plan, **changes}, sort_keys=False))
    return path


def calls(recipe: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (recipe / "calls.txt").read_text().splitlines()]


def sweep(recipe: Path, plan: Path, *options: str) -> int:
    return main([str(plan), "--recipe", str(recipe), "--seeds", "1", "2", "--dev", "dev", *options])


def test_a_sweep_trains_chooses_and_tests(recipe, capsys) -> None:
    assert sweep(recipe, write_plan(recipe), "--tests", "test") == 0
    done = calls(recipe)
    first = done[0]
    assert first["--stop_stage"] == "10"
    assert first["--dumpdir"] == "other dump"  # data of the ceiling's own
    trained = [call for call in done if call.get("--stage") == "11"]
    assert [call["--seeds"] for call in trained] == ["1"] * 6 + ["2"] * 6
    tested = {(call["--ent_tag"], call["--inference_ent_model"]) for call in done if call.get("--test_sets") == "test"}
    assert tested == {("plan_good", "ave.pth"), ("plan_ceiling", "ave.pth"), ("plan_plain", "ave.pth")}
    report = (recipe / "exp" / "sweep_plan.md").read_text()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in report.splitlines() if "|" in line]
    cells = {row[0]: row[1:] for row in reversed(rows)}  # those of development
    assert cells["good <- chosen"] == [
        "ave",
        "2",
        "30.50 +- 0.71",
        "5.00",
        "10.00",
        "0.00",
        "10.00 +- 0.00",
        "80.00 +- 0.00",
    ]
    assert cells["late"][0] == "last"
    assert "ceiling (supervised)" in cells
    assert "All neutral: EDER 46.00" in report
    assert report.count("| good <- chosen") == 2
    assert report.count("| late ") == 1
    assert "Chosen: good with ave.pth" in " ".join(capsys.readouterr().out.split())


def test_what_costs_too_much_is_not_chosen(recipe) -> None:
    """`deaf` has 3 points more WER, `blunt` 10 points less UA, `ceiling` is supervised."""
    path = write_plan(recipe)
    sweep(recipe, path)
    plan = read_plan(path)
    rows = read_rows(plan, recipe, "exp", "decode_greedy", ["1", "2"], ["dev"])
    assert [row.setting.name for row in rows] == list(PLAN["settings"])
    assert chosen(rows, plan, "dev").setting.name == "good"
    assert chosen([row for row in rows if row.setting.name != "plain"], plan, "dev") is None


def test_decodings_are_read_where_they_are_written(recipe) -> None:
    assert sweep(recipe, write_plan(recipe), "--inference_tag", "beam") == 0
    assert (recipe / "exp" / "seed1" / "ent_plan_good" / "beam_ave" / "dev").is_dir()
    assert "good <- chosen" in (recipe / "exp" / "sweep_plan.md").read_text()


def test_a_setting_with_fewer_seeds_than_the_baseline_is_not_chosen(recipe) -> None:
    plan = write_plan(recipe)
    sweep(recipe, plan)
    for path in (recipe / "exp" / "seed2" / "ent_plan_good").rglob("results.json"):
        path.unlink()
    rows = read_rows(read_plan(plan), recipe, "exp", "decode_greedy", ["1", "2"], ["dev"])
    assert {row.setting.name: len(row.scores["dev"]) for row in rows}["good"] == 1
    assert chosen(rows, read_plan(plan), "dev").setting.name == "late"


def test_test_sets_are_not_read_before_all_is_done(recipe, capsys) -> None:
    with pytest.raises(ConfigError, match="the test set is read when all settings are done"):
        sweep(recipe, write_plan(recipe), "--only", "plain", "--tests", "test")
    settings = {**PLAN["settings"], "bad": {"fails": True}}
    assert sweep(recipe, write_plan(recipe, settings=settings), "--tests", "test") == 1
    assert "test sets are not read: runs failed" in capsys.readouterr().out
    assert not [call for call in calls(recipe) if call.get("--test_sets") == "test"]


def test_a_run_that_fails_is_told_and_the_others_go_on(recipe, capfd) -> None:
    settings = {"plain": {}, "broken": {"fails": True}, "good": {"eder": 30}}
    assert sweep(recipe, write_plan(recipe, settings=settings)) == 1
    told = capfd.readouterr()
    assert "run.sh: error: it fails" in told.err
    assert "2 runs failed" in told.out
    report = (recipe / "exp" / "sweep_plan.md").read_text()
    assert "good <- chosen" in report
    assert "Without scores, not run or failed: broken." in report


def test_only_some_settings(recipe) -> None:
    sweep(recipe, write_plan(recipe), "--only", "plain", "good")
    assert {call["--ent_tag"] for call in calls(recipe)} == {"plan_plain", "plan_good"}
    with pytest.raises(ConfigError, match="unknown setting"):
        sweep(recipe, write_plan(recipe), "--only", "best")


def test_changes_are_merged_into_the_configuration(recipe) -> None:
    plan = read_plan(write_plan(recipe, settings={"plain": {"model_conf": {"b": None, "c": 3}}}))
    made = yaml.safe_load(config_of(plan.settings[0], recipe))
    assert made == {"eder": 46, "wer": 10, "ua": 80, "model_conf": {"a": 1, "c": 3}}
    assert merged({"a": 1}, {"a": {"b": 2}}) == {"a": {"b": 2}}


def test_settings_start_from_the_model_of_another_one(recipe) -> None:
    """It is trained first, changed by nobody, not scored; `alone` starts from scratch."""
    settings = {"plain": {}, "speech": {"model_conf": {"b": 0}}, "alone": {"start": None}}
    path = write_plan(recipe, settings=settings, start="speech", after_start={"max_epoch": 4}, checkpoints=["ave.pth"])
    sweep(recipe, path)
    done = calls(recipe)
    assert [(call["--ent_tag"], call["--stop_stage"]) for call in done[:2]] == [("plan_speech", "11")] * 2
    started = {call["--ent_tag"]: call.get("--ent_args") for call in done if call["--seeds"] == "2"}
    assert started == {
        "plan_speech": None,
        "plan_plain": "--init_param exp/seed2/ent_plan_speech/valid.loss.ave.pth",
        "plan_alone": None,
    }
    made = {name: (recipe / "exp" / "sweep_plan" / f"{name}.yaml").read_text() for name in settings}
    assert ["max_epoch: 4" in made[name] for name in ("plain", "speech", "alone")] == [True, False, False]
    assert "speech" not in (recipe / "exp" / "sweep_plan.md").read_text()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"start": "nobody"}, "a start is none of the settings.*got nobody"),
        ({"baseline": "none"}, "the baseline is none of the settings"),
        ({"setings": {}}, "unknown key 'setings'"),
        ({"settings": {"plain": {}, "a b": {}}}, "a setting's name has odd characters"),
        ({"settings": {"plain": {}, "a": 5}}, "a setting is not a mapping; got 5"),
        ({"settings": {"plain": {}, "a": {"run_options": "--mixing true"}}}, "a: run_options: not a list"),
        ({"checkpoints": "valid.loss.ave.pth"}, "checkpoints: not a list"),
        ({"start": "plain"}, "the baseline is a start of others"),
    ],
)
def test_a_wrong_plan_is_one_line(recipe, changes, message) -> None:
    with pytest.raises(ConfigError, match=message):
        read_plan(write_plan(recipe, **changes))
    with pytest.raises(ConfigError, match="configuration is missing"):
        read_plan(recipe / "nowhere.yaml")
    (recipe / "plan.yaml").write_text("a: [")
    with pytest.raises(ConfigError, match="configuration is not YAML"):
        read_plan(recipe / "plan.yaml")


def test_the_plans_of_this_project_can_be_read() -> None:
    root = Path(__file__).parents[2]
    plans = sorted((root / "conf" / "sweeps").glob("*.yaml"))
    assert plans
    for path in plans:
        for setting in read_plan(path).settings:
            assert "encoder" in yaml.safe_load(config_of(setting, root / "egs2" / "mini_ent" / "ent1"))
