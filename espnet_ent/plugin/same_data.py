"""A directory holds one run: a run that goes on must go on with the data and options that it began with."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from espnet_ent.data.atomic import atomic_write_text
from espnet_ent.data.provenance import PROVENANCE, digest_files
from espnet_ent.data.tokens import TokenList
from espnet_ent.errors import ConfigError
from espnet_ent.labels import EmotionInventory
from espnet_ent.plugin.checkpoints import RESUME

RECORD = "trained_on.json"
_OPTIONS = (
    "accum_grad",
    "batch_bins",
    "batch_size",
    "batch_type",
    "emotion_branch",
    "emotion_branch_conf",
    "emotion_joint",
    "emotion_joint_conf",
    "encoder",
    "encoder_conf",
    "freeze_param",
    "frontend",
    "frontend_conf",
    "grad_clip",
    "init_param",
    "lm",
    "lm_conf",
    "model_conf",
    "optim",
    "optim_conf",
    "scheduler",
    "scheduler_conf",
    "seed",
    "specaug",
    "specaug_conf",
    "transducer",
    "transducer_conf",
    "utterance_head",
    "utterance_head_conf",
)
"""Options that the trained parameters depend on; how long to train may be changed."""


def check_same_data(args: argparse.Namespace) -> None:
    """Refuse to resume on other data or with other options.

    Another fold's test set may be what the run was trained on; and a finished run would take no notice of a new option
    that its report then names. The first call in a directory records both; the caller holds the directory's lock.

    Raises:
        ConfigError: If the directory holds another run.
    """
    record = Path(args.output_dir, RECORD)
    text = json.dumps(_describe(args), indent=2, sort_keys=True) + "\n"
    if not Path(args.output_dir, RESUME).exists():
        atomic_write_text(record, text)
    elif record.is_file() and record.read_text(encoding="utf-8") != text:
        raise ConfigError(
            "the directory holds a run on other data or with other options",
            where=args.output_dir,
            got=f"changed: {_changes(json.loads(record.read_text(encoding='utf-8')), json.loads(text))}",
            next_step="choose another --ent_tag or --expdir (--output_dir of ent_train), or remove the directory",
        )


def _changes(before: dict[str, object], now: dict[str, object]) -> str:
    flat_before, flat_now = ({**part, **dict(part.get("options") or {})} for part in (before, now))
    names = {key for key in flat_before.keys() | flat_now.keys() if flat_before.get(key) != flat_now.get(key)}
    return " ".join(sorted(names - {"options"}))


def _given(value: object) -> object:
    """An option without what training itself adds to it."""
    return {key: entry for key, entry in value.items() if key != "stored"} if isinstance(value, dict) else value


def _describe(args: argparse.Namespace) -> dict[str, object]:
    """Digests of the tables of each set, with what the dump says of its audio; tokens, emotions and options."""
    described: dict[str, object] = {
        "tokens": TokenList.from_config(args.token_list).tokens,
        "options": {name: _given(getattr(args, name)) for name in _OPTIONS if hasattr(args, name)},
    }
    if hasattr(args, "emotion_list"):
        described["emotions"] = EmotionInventory.from_config(args.emotion_list).to_lines()
    for phase in ("train", "valid"):
        files = {Path(path) for path, _, _ in getattr(args, f"{phase}_data_path_and_name_and_type")}
        described[phase] = digest_files(files | {file.parent / PROVENANCE for file in files})
    return described
