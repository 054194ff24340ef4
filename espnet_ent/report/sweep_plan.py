"""The plan of a sweep: settings of a training configuration, each trained with several seeds, for one table.

A plan is a YAML file::

    config: conf/train_ent_mini.yaml        # the configuration that all settings start from
    baseline: reference                     # the setting that WER and UA are held against
    checkpoints: [valid.loss.ave.pth]       # candidates: files of the experiment, such as latest.pth or 9epoch.pth
    start: speech                           # the setting whose models all others start from; may be left out
    after_start: {max_epoch: 4}             # changes for settings with a start
    settings:
      speech:                               # a start is trained with all seeds before the others, and not scored
        model_conf: {lattice_weight: 0}
      reference: {}
      mean:
        model_conf: {lattice_pooling: mean, neutral_term: none}
      fent_reference:
        config: conf/train_fent_mini.yaml   # another configuration
        start: null                         # trained from scratch
        baseline: fent_reference            # a baseline of its own kind; a baseline is held against itself
      fent_mean:
        config: conf/train_fent_mini.yaml
        start: null
        baseline: fent_reference
        model_conf: {lattice_pooling: mean, neutral_term: none}
      mixing:
        run_options: [--mixing, "true", --dumpdir, dump_mixing]   # options of run.sh
        is_supervised: true                 # a ceiling: never chosen

Setting and checkpoint are chosen by the emotion diarization error rate (EDER) of the development set, see
:mod:`espnet_ent.report.sweep_choice`; the test sets are decoded for the chosen setting, the baselines that it needs and
the supervised settings alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from espnet_ent.data.yaml_files import read_yaml
from espnet_ent.errors import ConfigError

_KEYS = ("config", "baseline", "checkpoints", "start", "after_start", "settings")
_OF_SETTING = ("config", "start", "baseline", "run_options", "is_supervised")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_EPOCH = re.compile(r"(\d+)epoch\.pth")


@dataclass(frozen=True)
class Setting:
    """One row of a sweep.

    Attributes:
        name: Its name, also in the names of directories.
        config: The configuration that it changes, relative to the recipe.
        changes: What it changes in the configuration, nested as there.
        baseline: Name of the setting that its WER and UA are held against; may be its own.
        start: Name of the setting whose model it starts from, with the same seed; None: from scratch.
        run_options: Options of ``run.sh``.
        is_supervised: Trained with more than utterance labels: shown as a ceiling, never chosen.
    """

    name: str
    config: str
    changes: Mapping[str, Any]
    baseline: str
    start: str | None = None
    run_options: tuple[str, ...] = ()
    is_supervised: bool = False


@dataclass(frozen=True)
class SweepPlan:
    """What to train.

    Attributes:
        name: Name of the plan's file without its ending.
        baseline: Name of the setting that others are held against unless they say otherwise.
        checkpoints: Names of the checkpoint files to choose from.
        settings: In the order of the file.
    """

    name: str
    baseline: str
    checkpoints: tuple[str, ...]
    settings: tuple[Setting, ...]

    @property
    def starts(self) -> tuple[Setting, ...]:
        """Settings that others start from."""
        names = {setting.start for setting in self.settings}
        return tuple(setting for setting in self.settings if setting.name in names)

    @property
    def scored(self) -> tuple[Setting, ...]:
        """All other settings."""
        return tuple(setting for setting in self.settings if setting not in self.starts)

    def tag(self, setting: Setting) -> str:
        """Name of the experiment of a setting, for ``--ent_tag``."""
        return f"{self.name}_{setting.name}"


def read_plan(path: str | Path) -> SweepPlan:
    """Read a plan.

    Raises:
        ConfigError: If it is missing, not YAML, or has unknown or missing parts.
    """
    path = Path(path)
    content = read_yaml(path)
    _check_keys(path, content, _KEYS)
    for key in ("config", "baseline", "settings"):
        if key not in content:
            raise ConfigError(f"{key} is missing", where=path, expected=" ".join(_KEYS))
    if not isinstance(content["settings"], dict):
        raise ConfigError("settings is not a mapping", where=path, got=repr(content["settings"]))
    for name, changes in content["settings"].items():
        if changes is not None and not isinstance(changes, dict):
            raise ConfigError("a setting is not a mapping", where=f"{path}: {name}", got=repr(changes))
    _check_lists(path, content)
    given = {name: dict(changes or {}) for name, changes in content["settings"].items()}
    starts = {changes.get("start", content.get("start")) for changes in given.values()} - {None}
    for start in starts - set(given):
        raise ConfigError("a start is none of the settings", where=path, got=start)
    for baseline in (content["baseline"], *(other["baseline"] for other in given.values() if "baseline" in other)):
        if baseline not in given:
            raise ConfigError("the baseline is none of the settings", where=path, got=baseline)
        if baseline in starts:
            raise ConfigError("the baseline is a start of others, which is not scored", where=path, got=baseline)
    settings = tuple(_setting(path, name, changes, content, starts) for name, changes in given.items())
    checkpoints = tuple(content.get("checkpoints") or ("valid.loss.ave.pth",))
    return SweepPlan(path.stem, content["baseline"], checkpoints, settings)


def _setting(path: Path, name: Any, given: Mapping[str, Any], plan: Mapping[str, Any], starts: set) -> Setting:
    if not _NAME.fullmatch(str(name)):
        raise ConfigError("a setting's name has odd characters", where=path, expected=_NAME.pattern, got=repr(name))
    changes = dict(given)
    own = {key: changes.pop(key) for key in _OF_SETTING if key in changes}
    start = None if name in starts else own.get("start", plan.get("start"))
    return Setting(
        name=str(name),
        config=own.get("config", plan["config"]),
        changes=merged(plan.get("after_start") or {}, changes) if start else changes,
        baseline=own.get("baseline", plan["baseline"]),
        start=start,
        run_options=tuple(map(str, own.get("run_options", ()))),
        is_supervised=bool(own.get("is_supervised", False)),
    )


def merged(config: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with changes: mappings are merged, anything else is replaced; null takes a key away.

    >>> merged({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"c": None, "e": 4}})
    {'a': {'b': 1, 'e': 4}, 'd': 3}
    """
    result = dict(config)
    for key, value in changes.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(result.get(key), Mapping):
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result


def config_of(setting: Setting, recipe: str | Path) -> str:
    """The configuration of a setting as YAML.

    Raises:
        ConfigError: If the configuration that it starts from is missing or not YAML.
    """
    return yaml.safe_dump(merged(read_yaml(Path(recipe) / setting.config), setting.changes), sort_keys=False)


def check_epochs(plan: SweepPlan, setting: Setting, recipe: str | Path) -> None:
    """Refuse epochs to choose from that a setting does not train or keep.

    Raises:
        ConfigError: On such an epoch among the plan's checkpoints, or if the configuration can't be read.
    """
    epochs = [int(match[1]) for match in map(_EPOCH.fullmatch, plan.checkpoints) if match]
    if not epochs:
        return
    config = yaml.safe_load(config_of(setting, recipe))
    last, kept = config.get("max_epoch", 0), config.get("keep_nbest_models", 0)
    if max(epochs) > last or kept < last:
        raise ConfigError(
            f"setting {setting.name} need not have all epochs to choose from",
            where=f"{plan.name}: checkpoints",
            expected=f"max_epoch of {max(epochs)} or more, and keep_nbest_models as large",
            got=f"max_epoch {last}, keep_nbest_models {kept}",
        )


def _check_lists(path: Path, content: Mapping[str, Any]) -> None:
    """Lists must be lists: a name alone would be taken for a list of letters."""
    lists = {"checkpoints": content.get("checkpoints")}
    for name, changes in content["settings"].items():
        lists[f"{name}: run_options"] = (changes or {}).get("run_options")
    for where, value in lists.items():
        if value is not None and not isinstance(value, list):
            raise ConfigError("not a list", where=f"{path}: {where}", got=repr(value))


def _check_keys(path: Path, content: Mapping[str, Any], known: Sequence[str]) -> None:
    for key in content:
        if key not in known:
            raise ConfigError(f"unknown key {key!r}", where=path, expected=f"one of {' '.join(known)}")
