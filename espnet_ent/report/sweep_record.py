"""What the settings of a sweep were trained with: an edited setting must not take the scores of its former self."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import yaml

from espnet_ent.data.atomic import atomic_write_text
from espnet_ent.errors import ConfigError
from espnet_ent.report.sweep_plan import Setting, config_of
from espnet_ent.report.sweep_scores import RunPlaces


def write_records(places: RunPlaces, settings: Sequence[Setting]) -> None:
    """Write each setting's configuration, for training, and beside it all that the setting says.

    Raises:
        ConfigError: If some of them have been trained with something else; nothing is written then.
    """
    changed = [setting for setting in settings if is_changed(places, setting)]
    if changed:
        raise ConfigError(
            "settings are no longer what they were trained with",
            where=f"sweep {places.plan.name}",
            got=" ".join(setting.name for setting in changed),
            next_step="give them new names in the plan, or remove "
            + " ".join(f"{places.expdir}/seed*/ent_{places.plan.tag(setting)}" for setting in changed),
        )
    for setting in settings:
        config = places.folder / f"{setting.name}.yaml"
        record = _to_text(_record(places, setting))
        for path, text in ((config, config_of(setting, places.recipe)), (config.with_suffix(".json"), record)):
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                atomic_write_text(path, text)


def is_changed(places: RunPlaces, setting: Setting) -> bool:
    """Whether a setting, or the one that it starts from, has been trained with something else than the plan says.

    Of a sweep that kept no records, the configurations alone are known.
    """
    if not any((places.recipe / places.expdir).glob(f"seed*/ent_{places.plan.tag(setting)}/config.yaml")):
        return False
    record, path = _record(places, setting), places.folder / f"{setting.name}.json"
    if path.is_file():
        return path.read_text(encoding="utf-8") != _to_text(record)
    return not _has_config(places, record)


def _record(places: RunPlaces, setting: Setting) -> dict[str, Any]:
    """All that decides what a setting's training gives, but for data, seed and version."""
    start = next((other for other in places.plan.settings if other.name == setting.start), None)
    return {
        "name": setting.name,
        "config": yaml.safe_load(config_of(setting, places.recipe)),
        "run_options": list(setting.run_options),
        "start": None if start is None else _record(places, start),
    }


def _to_text(record: dict[str, Any]) -> str:
    return json.dumps(record, indent=2) + "\n"


def _has_config(places: RunPlaces, record: dict[str, Any] | None) -> bool:
    if record is None:
        return True
    path = places.folder / f"{record['name']}.yaml"
    is_same = path.is_file() and yaml.safe_load(path.read_text(encoding="utf-8")) == record["config"]
    return is_same and _has_config(places, record["start"])
