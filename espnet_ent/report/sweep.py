"""A sweep: settings of a training configuration, each trained with several seeds, and one table of what came out.

A plan is a YAML file::

    config: conf/train_ent_mini.yaml        # the configuration that all settings start from
    baseline: reference                     # the setting that WER and UA are compared with
    checkpoints: [valid.loss.ave.pth]       # candidates; the one with the smallest mean EDER of development is taken
    start: speech                           # the setting whose models all others start from; may be left out
    after_start: {max_epoch: 4}             # changes for settings with a start
    settings:
      speech:                               # a start is trained with all seeds before the others, and not scored
        model_conf: {lattice_weight: 0}
      reference: {}
      mean:
        model_conf: {lattice_pooling: mean, neutral_term: none}
      fent:
        config: conf/train_fent_mini.yaml   # another configuration
        start: null                         # trained from scratch
      mixing:
        run_options: [--mixing, "true", --dumpdir, dump_mixing]   # options of run.sh
        is_supervised: true                 # a ceiling: never chosen

Everything is chosen by the emotion diarization error rate (EDER) of the development set; the test sets are decoded for
the chosen setting, the baseline and the supervised ones alone.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from espnet_ent.data.yaml_files import read_yaml
from espnet_ent.errors import ConfigError
from espnet_ent.report.document import Block, Heading, Paragraph, Table
from espnet_ent.report.experiment import read_json

_KEYS = ("config", "baseline", "checkpoints", "start", "after_start", "settings")
_OF_SETTING = ("config", "start", "run_options", "is_supervised")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_PARTS = ("false_alarm", "missed_emotion", "confusion")
_ALLOWED_LOSS = 2.0  # points of WER or UA that localising may cost


@dataclass(frozen=True)
class Setting:
    """One row of a sweep.

    Attributes:
        name: Its name, also in the names of directories.
        config: The configuration that it changes, relative to the recipe.
        changes: What it changes in the configuration, nested as there.
        start: Name of the setting whose model it starts from, with the same seed; None: from scratch.
        run_options: Options of ``run.sh``.
        is_supervised: Trained with more than utterance labels: shown as a ceiling, never chosen.
    """

    name: str
    config: str
    changes: Mapping[str, Any]
    start: str | None = None
    run_options: tuple[str, ...] = ()
    is_supervised: bool = False


@dataclass(frozen=True)
class SweepPlan:
    """What to train.

    Attributes:
        name: Name of the plan's file without its ending.
        baseline: Name of the setting to compare with.
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
    if not isinstance(content["settings"], dict) or content["baseline"] not in content["settings"]:
        raise ConfigError("the baseline is none of the settings", where=path, got=content["baseline"])
    for name, changes in content["settings"].items():
        if changes is not None and not isinstance(changes, dict):
            raise ConfigError("a setting is not a mapping", where=f"{path}: {name}", got=repr(changes))
    starts = {dict(changes or {}).get("start", content.get("start")) for changes in content["settings"].values()}
    for start in starts - {None, *content["settings"]}:
        raise ConfigError("a start is none of the settings", where=path, got=start)
    _check_types(path, content)
    settings = tuple(_setting(path, name, changes, content, starts) for name, changes in content["settings"].items())
    checkpoints = tuple(content.get("checkpoints") or ("valid.loss.ave.pth",))
    return SweepPlan(path.stem, content["baseline"], checkpoints, settings)


def _setting(path: Path, name: Any, given: Mapping[str, Any] | None, plan: Mapping[str, Any], starts: set) -> Setting:
    if not _NAME.fullmatch(str(name)):
        raise ConfigError("a setting's name has odd characters", where=path, expected=_NAME.pattern, got=repr(name))
    changes = dict(given or {})
    own = {key: changes.pop(key) for key in _OF_SETTING if key in changes}
    start = None if name in starts else own.get("start", plan.get("start"))
    return Setting(
        name=str(name),
        config=own.get("config", plan["config"]),
        changes=merged(plan.get("after_start") or {}, changes) if start else changes,
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


@dataclass(frozen=True)
class Scores:
    """Scores of one run on one set, in per cent; NaN where the set has no such reference.

    Attributes:
        eder: Emotion diarization error rate, mean over utterances.
        parts: False alarm, missed emotion, confusion.
        all_neutral: EDER of the all-neutral timeline.
        predicted_label: EDER of the predicted utterance label everywhere.
        wer: Word error rate.
        ua: Unweighted accuracy of the utterance's emotion.
    """

    eder: float
    parts: tuple[float, ...]
    all_neutral: float
    predicted_label: float
    wer: float
    ua: float

    @classmethod
    def read(cls, path: str | Path) -> Scores:
        """Read a ``results.json``.

        Raises:
            ScoringError: If it is missing or damaged.
        """
        results = read_json(path, "rerun the sweep")
        eder, nan = results.get("eder"), float("nan")
        system = eder["system"]["utterance_mean"] if eder else {}
        return cls(
            eder=100 * system.get("eder", nan),
            parts=tuple(100 * system.get(part, nan) for part in _PARTS),
            all_neutral=100 * eder["all_neutral"]["utterance_mean"]["eder"] if eder else nan,
            predicted_label=100 * eder["predicted_label"]["utterance_mean"]["eder"] if eder else nan,
            wer=100 * results["recognition"]["wer"]["rate"],
            ua=100 * results["emotion"]["ua"],
        )


@dataclass(frozen=True)
class Row:
    """What is known of a setting.

    Attributes:
        setting: The setting.
        checkpoint: The checkpoint that was taken.
        scores: Set -> scores of the seeds that are there.
    """

    setting: Setting
    checkpoint: str
    scores: Mapping[str, tuple[Scores, ...]]

    def mean(self, set_name: str, what: str) -> float:
        """Mean over the seeds of a score."""
        return statistics.fmean(getattr(scores, what) for scores in self.scores[set_name])


def read_rows(
    plan: SweepPlan, recipe: str | Path, expdir: str, inference_tag: str, seeds: Sequence[str], sets: Sequence[str]
) -> list[Row]:
    """Rows of the settings that have been scored, in the order of the plan, each with its best checkpoint.

    Args:
        plan: The plan.
        recipe: Directory of the recipe.
        expdir: ``--expdir`` of the runs.
        inference_tag: Name of a decoding directory up to the checkpoint's name.
        seeds: Seeds.
        sets: Scored sets; the first one chooses.
    """
    rows = []
    for setting in plan.scored:
        candidates = []
        for checkpoint in plan.checkpoints:
            scores = {}
            for name in sets:
                paths = [
                    Path(recipe, expdir, f"seed{seed}", f"ent_{plan.tag(setting)}")
                    / f"{inference_tag}_{checkpoint.removesuffix('.pth')}"
                    / name
                    / "score"
                    / "results.json"
                    for seed in seeds
                ]
                found = tuple(Scores.read(path) for path in paths if path.is_file())
                if found:
                    scores[name] = found
            if sets[0] in scores:
                candidates.append(Row(setting, checkpoint, scores))
        if candidates:
            rows.append(min(candidates, key=lambda row: row.mean(sets[0], "eder")))
    return rows


def chosen(rows: Sequence[Row], plan: SweepPlan, dev: str) -> Row | None:
    """The row with the smallest EDER of development that costs at most 2 points of WER and UA; None if there is none.

    Supervised rows are left out, and rows with fewer seeds than the baseline, whose means do not compare.
    """
    baseline = next((row for row in rows if row.setting.name == plan.baseline), None)
    if baseline is None:
        return None
    allowed = [
        row
        for row in rows
        if not row.setting.is_supervised
        and len(row.scores[dev]) >= len(baseline.scores[dev])
        and math.isfinite(row.mean(dev, "eder"))
        and row.mean(dev, "wer") <= baseline.mean(dev, "wer") + _ALLOWED_LOSS
        and row.mean(dev, "ua") >= baseline.mean(dev, "ua") - _ALLOWED_LOSS
    ]
    return min(allowed, key=lambda row: row.mean(dev, "eder"), default=None)


def sweep_blocks(
    rows: Sequence[Row], plan: SweepPlan, dev: str, tests: Sequence[str], command: str | None = None
) -> list[Block]:
    """The report: a table of development, and one of each test set for the rows that have it."""
    best = chosen(rows, plan, dev)
    blocks: list[Block] = [Heading(f"Sweep {plan.name}", level=1)]
    if command:
        blocks.append(Paragraph(f"`{command}`"))
    blocks.append(Heading(f"Development set {dev}"))
    if rows:
        blocks += [_table(rows, dev, best), Paragraph(_trivial(rows, dev))]
    missing = [setting.name for setting in plan.scored if setting not in [row.setting for row in rows]]
    if missing:
        blocks.append(Paragraph(f"Without scores, not run or failed: {', '.join(missing)}."))
    if best is not None:
        blocks.append(
            Paragraph(
                f"Chosen: {best.setting.name} with {best.checkpoint}, the smallest mean EDER among the settings that "
                f"cost at most {_ALLOWED_LOSS:g} points of WER and of UA against {plan.baseline} and have as many "
                "seeds as it. Settings marked (supervised) know more than one label an utterance and are never chosen."
            )
        )
    for name in tests:
        tested = [row for row in rows if name in row.scores]
        if tested:
            blocks += [Heading(f"Test set {name}"), _table(tested, name, best), Paragraph(_trivial(tested, name))]
    return blocks


def _table(rows: Sequence[Row], name: str, best: Row | None) -> Table:
    header = ("setting", "checkpoint", "seeds", "EDER", "FA", "missed", "conf.", "WER", "UA")
    cells = []
    for row in rows:
        scores = row.scores[name]
        title = row.setting.name + (" (supervised)" if row.setting.is_supervised else "")
        title += " <- chosen" if row is best else ""
        parts = (f"{statistics.fmean(s.parts[i] for s in scores):.2f}" for i in range(len(_PARTS)))
        figures = (_spread([getattr(s, what) for s in scores]) for what in ("wer", "ua"))
        eder = _spread([s.eder for s in scores])
        cells.append((title, row.checkpoint.removesuffix(".pth"), str(len(scores)), eder, *parts, *figures))
    return Table(header, tuple(cells))


def _spread(values: Sequence[float]) -> str:
    mean = statistics.fmean(values)
    return f"{mean:.2f}" if len(values) == 1 else f"{mean:.2f} +- {statistics.stdev(values):.2f}"


def _trivial(rows: Sequence[Row], name: str) -> str:
    labels = [row.mean(name, "predicted_label") for row in rows]
    return (
        f"In %, mean +- standard deviation over the seeds. All neutral: EDER {rows[0].mean(name, 'all_neutral'):.2f}; "
        f"each system's own utterance label everywhere: {min(labels):.2f} to {max(labels):.2f}."
    )


def _check_types(path: Path, content: Mapping[str, Any]) -> None:
    """Lists must be lists: a name alone would be taken for a list of letters."""
    lists = {"checkpoints": content.get("checkpoints")}
    for name, changes in content["settings"].items():
        lists[f"{name}: run_options"] = (changes or {}).get("run_options")
    for where, value in lists.items():
        if value is not None and not isinstance(value, list):
            raise ConfigError("not a list", where=f"{path}: {where}", got=repr(value))
    if content["baseline"] in {
        (changes or {}).get("start", content.get("start")) for changes in content["settings"].values()
    }:
        raise ConfigError("the baseline is a start of others, which is not scored", where=path, got=content["baseline"])


def _check_keys(path: Path, content: Mapping[str, Any], known: Sequence[str]) -> None:
    for key in content:
        if key not in known:
            raise ConfigError(f"unknown key {key!r}", where=path, expected=f"one of {' '.join(known)}")
