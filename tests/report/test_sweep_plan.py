"""The plan of a sweep."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from espnet_ent.errors import ConfigError
from espnet_ent.report.sweep_plan import check_epochs, config_of, merged, read_plan
from tests.report.sweep_sample import make_recipe, write_plan

ROOT = Path(__file__).parents[2]


def test_changes_are_merged_into_the_configuration(tmp_path) -> None:
    recipe = make_recipe(tmp_path)
    plan = read_plan(write_plan(recipe, settings={"plain": {"model_conf": {"b": None, "c": 3}}}))
    made = yaml.safe_load(config_of(plan.settings[0], recipe))
    assert made == {"eder": 46, "wer": 10, "ua": 80, "model_conf": {"a": 1, "c": 3}}
    assert merged({"a": 1}, {"a": {"b": 2}}) == {"a": {"b": 2}}


def test_each_setting_has_the_baseline_of_the_plan_or_its_own(tmp_path) -> None:
    settings = {"plain": {}, "a": None, "other": {"baseline": "other"}, "b": {"baseline": "other"}}
    plan = read_plan(write_plan(tmp_path, settings=settings))
    assert [setting.baseline for setting in plan.settings] == ["plain", "plain", "other", "other"]
    assert all("baseline" not in setting.changes for setting in plan.settings)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"start": "nobody"}, "a start is none of the settings.*got nobody"),
        ({"baseline": "none"}, "the baseline is none of the settings"),
        ({"settings": {"plain": {}, "a": {"baseline": "none"}}}, "the baseline is none of the settings.*got none"),
        ({"setings": {}}, "unknown key 'setings'"),
        ({"settings": ["plain"]}, "settings is not a mapping"),
        ({"settings": {"plain": {}, "a b": {}}}, "a setting's name has odd characters"),
        ({"settings": {"plain": {}, "a": 5}}, "a setting is not a mapping; got 5"),
        ({"settings": {"plain": {}, "a": {"run_options": "--mixing true"}}}, "a: run_options: not a list"),
        ({"checkpoints": "valid.loss.ave.pth"}, "checkpoints: not a list"),
        ({"start": "plain"}, "the baseline is a start of others"),
        ({"settings": {"plain": {}, "s": {}, "a": {"start": "s", "baseline": "s"}}}, "a start of others.*got s"),
    ],
)
def test_a_wrong_plan_is_one_line(tmp_path, changes, message) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        read_plan(write_plan(tmp_path, **changes))
    assert "\n" not in str(caught.value)


def test_a_plan_that_can_not_be_read(tmp_path) -> None:
    with pytest.raises(ConfigError, match="configuration is missing"):
        read_plan(tmp_path / "nowhere.yaml")
    (tmp_path / "plan.yaml").write_text("a: [")
    with pytest.raises(ConfigError, match="configuration is not YAML"):
        read_plan(tmp_path / "plan.yaml")


@pytest.mark.parametrize(
    ("epochs", "kept", "is_refused"),
    [(3, 3, False), (4, 4, False), (2, 3, True), (3, 2, True), (None, None, True)],
)
def test_single_epochs_to_choose_from_must_be_trained_and_kept(tmp_path, epochs, kept, is_refused) -> None:
    recipe = make_recipe(tmp_path)
    settings = {"plain": {"max_epoch": epochs, "keep_nbest_models": kept}}
    plan = read_plan(write_plan(recipe, settings=settings, checkpoints=["ave.pth", "3epoch.pth", "1epoch.pth"]))
    if is_refused:
        with pytest.raises(ConfigError, match="setting plain need not have all epochs to choose from"):
            check_epochs(plan, plan.settings[0], recipe)
    else:
        check_epochs(plan, plan.settings[0], recipe)
    others = read_plan(write_plan(recipe, settings=settings))  # averages and the like are always there
    check_epochs(others, others.settings[0], recipe)


def test_the_plans_of_this_project_can_be_read() -> None:
    plans = sorted((ROOT / "conf" / "sweeps").glob("*.yaml"))
    assert plans
    for path in plans:
        for setting in read_plan(path).settings:
            assert "encoder" in yaml.safe_load(config_of(setting, ROOT / "egs2" / "mini_ent" / "ent1"))


def test_settings_of_this_project_are_held_against_their_own_kind() -> None:
    """A factorized transducer against one, a plain one against a plain one."""
    for path in (ROOT / "conf" / "sweeps").glob("*.yaml"):
        plan = read_plan(path)
        kinds = {
            setting.name: yaml.safe_load(config_of(setting, ROOT / "egs2" / "mini_ent" / "ent1"))["transducer"]
            for setting in plan.settings
        }
        for setting in plan.scored:
            assert kinds[setting.name] == kinds[setting.baseline], setting.name
