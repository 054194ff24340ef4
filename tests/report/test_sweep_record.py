"""Settings that were edited after they had been trained."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from espnet_ent.errors import ConfigError
from tests.report.sweep_sample import cells, make_recipe, report, sweep, work, write_plan

SETTINGS = {"plain": {}, "good": {"eder": 30}, "speech": {}, "late": {"start": "speech", "eder": 33}}
EDITS = {
    "another value": ("good", {"good": {"eder": 31}}),
    "a key less": ("good", {"good": {}}),
    "options of run.sh": ("good", {"good": {"eder": 30, "run_options": ["--dumpdir", "other"]}}),
    "another start": ("late", {"late": {"eder": 33}}),
    "a start with another value": ("speech late", {"speech": {"wer": 11}}),
}
BEYOND_CONFIGURATIONS = ("options of run.sh", "another start")
ONE = ["ave.pth"]


@pytest.fixture(scope="module")
def once(tmp_path_factory) -> Path:
    recipe = make_recipe(tmp_path_factory.mktemp("record"))
    assert sweep(recipe, write_plan(recipe, settings=SETTINGS, checkpoints=ONE)) == 0
    return recipe


@pytest.fixture
def swept(once: Path, tmp_path: Path) -> Path:
    return shutil.copytree(once, tmp_path / once.name)


@pytest.mark.parametrize(
    ("edit", "has_records"),
    [*((edit, True) for edit in EDITS), *((edit, False) for edit in EDITS if edit not in BEYOND_CONFIGURATIONS)],
)
def test_a_setting_that_was_edited_is_refused(swept, edit, has_records) -> None:
    """One line, with nothing run or written; of a sweep without records, configurations alone are known."""
    names, changes = EDITS[edit]
    before, done = report(swept), work(swept)
    if not has_records:
        for path in swept.glob("exp/sweep_plan/*.json"):
            path.unlink()
    plan = write_plan(swept, settings={**SETTINGS, **changes})
    with pytest.raises(ConfigError, match=f"no longer what they were trained with; got {names};.*remove exp/") as told:
        sweep(swept, plan)
    assert "\n" not in str(told.value)
    assert (report(swept), work(swept)) == (before, done)


def test_the_configuration_that_settings_change_may_be_what_was_edited(swept) -> None:
    base = swept / "conf" / "base.yaml"
    base.write_text("# in other words\n" + base.read_text())
    assert sweep(swept, write_plan(swept, settings=SETTINGS, checkpoints=ONE)) == 0
    base.write_text(base.read_text().replace("wer: 10", "wer: 9"))
    with pytest.raises(ConfigError, match="got speech plain good late"):
        sweep(swept, write_plan(swept, settings=SETTINGS, checkpoints=ONE))


def test_scores_of_an_edited_setting_are_left_out_where_others_are_run(swept) -> None:
    plan = write_plan(swept, settings={**SETTINGS, "good": {"eder": 20}}, checkpoints=ONE)
    assert sweep(swept, plan, "--only", "plain", "late") == 0
    assert "Not what they were trained with any more, left out: good." in report(swept)
    assert set(cells(swept)) & {"good", "good <- chosen"} == set()
    assert "late <- chosen" in cells(swept)


def test_once_its_experiments_are_gone_it_is_trained_anew(swept) -> None:
    plan = write_plan(swept, settings={**SETTINGS, "good": {"eder": 20}}, checkpoints=ONE)
    shutil.rmtree(swept / "exp" / "seed1" / "ent_plan_good")
    with pytest.raises(ConfigError, match="got good"):  # the other seed's is there
        sweep(swept, plan)
    shutil.rmtree(swept / "exp" / "seed2" / "ent_plan_good")
    assert sweep(swept, plan) == 0
    assert cells(swept)["good <- chosen"][2] == "20.50 +- 0.71"


def test_what_does_not_change_the_training_may_be_edited(swept) -> None:
    """Baselines, order, more settings and more checkpoints."""
    settings = dict(reversed([*SETTINGS.items(), ("more", {"eder": 29, "baseline": "good"})]))
    done = work(swept)
    assert sweep(swept, write_plan(swept, settings=settings, checkpoints=["last.pth", "ave.pth", "best.pth"])) == 0
    assert not [line for line in work(swept)[len(done) :] if line.startswith("trained") and "more" not in line]
    assert "more <- chosen" in cells(swept)


def test_a_sweep_without_records_goes_on_and_has_them_then(swept) -> None:
    records = sorted(swept.glob("exp/sweep_plan/*.json"))
    contents = [path.read_text() for path in records]
    for path in records:
        path.unlink()
    done = work(swept)
    assert sweep(swept, write_plan(swept, settings=SETTINGS, checkpoints=ONE)) == 0
    assert work(swept) == done
    assert [path.read_text() for path in records] == contents
    shutil.rmtree(swept / "exp" / "sweep_plan")  # nothing tells what was trained
    with pytest.raises(ConfigError, match="got speech plain good late"):
        sweep(swept, write_plan(swept, settings=SETTINGS, checkpoints=ONE))
