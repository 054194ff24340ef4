"""A recipe that only writes scores, and plans for it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import yaml

from espnet_ent.bin.ent_sweep import main
from espnet_ent.report.sweep_plan import read_plan
from espnet_ent.report.sweep_scores import RunPlaces

# Figures come from the configuration: eder, wer and ua of the set, worse by one point for each seed above 1. As the
# real one, it leaves alone what it has trained and decoded. calls.txt has its calls, work.txt what it really did. A
# run that hold.txt names waits.
RUN = """
import json, os, pathlib, sys, time
options = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
with open("calls.txt", "a") as calls:
    print(json.dumps(options), file=calls)
if "--seeds" not in options:
    sys.exit(2 if options.get("--dumpdir") == "no dump" else 0)
text = pathlib.Path(options["--ent_config"]).read_text()
config = {key: json.loads(value) for key, _, value in (line.partition(": ") for line in text.splitlines())
          if value and not key.startswith(" ") and not value.startswith("conf")}
if config.get("fails") or pathlib.Path("fails").exists():
    print("run.sh: error: it fails")
    sys.exit(2)
run = options["--ent_tag"] + " " + options["--seeds"]
exp = pathlib.Path(options["--expdir"], "seed" + options["--seeds"], "ent_" + options["--ent_tag"])


def work(what):
    with open("work.txt", "a") as done:
        print(what, run, file=done)


if options["--stage"] == "11" and not (exp / "config.yaml").exists():
    hold = pathlib.Path("hold.txt")
    if hold.exists() and hold.read_text() == run:
        with open("work.txt", "a") as done:
            print("started", run, os.getpid(), file=done)
        time.sleep(60)
    exp.mkdir(parents=True, exist_ok=True)
    (exp / "config.yaml").write_text(text)
    work("trained")
checkpoint = options.get("--inference_ent_model")
worse = (int(options["--seeds"]) - 1 + (checkpoint == "last.pth") * config.get("last_is_worse", 3)) / 100
for name in options["--test_sets"].split() if checkpoint else ():
    folder = exp / options["--inference_tag"] / name / "score"
    if (folder / "results.json").exists():
        continue
    work("decoded " + name + " " + checkpoint)
    folder.mkdir(parents=True)
    parts = {"false_alarm": 0.05, "missed_emotion": 0.1, "confusion": 0.0}
    timelines = {"system": config["eder"] / 100 + worse, "all_neutral": 0.46, "predicted_label": 0.55}
    wer = config["wer"] + (checkpoint == "last.pth") * config.get("last_costs", 0)
    results = {
        "eder": {key: {"utterance_mean": {"eder": value, **parts}} for key, value in timelines.items()},
        "recognition": {"wer": {"rate": wer / 100}},
        "emotion": {"ua": config["ua"] / 100},
    }
    (folder / "results.json").write_text(json.dumps(results))
"""
SETTINGS = {
    "plain": {},
    "good": {"eder": 30},
    "late": {"eder": 33, "last_is_worse": -1},
    "deaf": {"eder": 20, "wer": 13},
    "blunt": {"eder": 25, "ua": 70},
    "ceiling": {"eder": 10, "is_supervised": True, "run_options": ["--dumpdir", "other dump"]},
}
PLAN = {"config": "conf/base.yaml", "baseline": "plain", "checkpoints": ["ave.pth", "last.pth"], "settings": SETTINGS}


def make_recipe(folder: Path) -> Path:
    """A recipe in a folder with a space in its name."""
    recipe = folder / "a recipe"
    (recipe / "conf").mkdir(parents=True)
    (recipe / "conf" / "base.yaml").write_text("eder: 46\nwer: 10\nua: 80\nmodel_conf: {a: 1, b: 2}\n")
    (recipe / "run.sh").write_text(f"#!{sys.executable} -IS{RUN}")
    (recipe / "run.sh").chmod(0o755)
    return recipe


def write_plan(folder: Path, settings: dict | None = None, **changes: object) -> Path:
    """A plan in a file; ``PLAN`` but for the changes."""
    path = folder / "plan.yaml"
    content = {**PLAN, **changes, "settings": SETTINGS if settings is None else settings}
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def sweep(recipe: Path, plan: Path, *options: str, seeds: tuple[str, ...] = ("1", "2")) -> int:
    """Run the command; its exit status."""
    return main([str(plan), "--recipe", str(recipe), "--seeds", *seeds, "--dev", "dev", *options])


def places(recipe: Path, plan: Path) -> RunPlaces:
    """Where :func:`sweep` puts its runs."""
    return RunPlaces(read_plan(plan), recipe, "exp", ("1", "2"))


def calls(recipe: Path) -> list[dict[str, str]]:
    """Options of each call of the recipe."""
    return [json.loads(line) for line in (recipe / "calls.txt").read_text().splitlines()]


def work(recipe: Path) -> list[str]:
    """What the recipe did."""
    return (recipe / "work.txt").read_text().splitlines()


def report(recipe: Path) -> str:
    """The report without its first line, which has the date."""
    return (recipe / "exp" / "sweep_plan.md").read_text().partition("\n")[2]


def cells(recipe: Path) -> dict[str, list[str]]:
    """The cells of development by the first one of their row."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in report(recipe).splitlines() if "|" in line
    ]
    return {row[0]: row[1:] for row in reversed(rows)}
