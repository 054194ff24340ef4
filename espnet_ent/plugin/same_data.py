"""A directory holds the run of one data set: a run that goes on must go on with the data that it began with."""

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


def check_same_data(args: argparse.Namespace) -> None:
    """Refuse to resume on other data, e.g. another fold, whose test set the run may have been trained on.

    The first call in a directory records the data; the caller holds the directory's lock.

    Raises:
        ConfigError: If the directory holds a run on other data.
    """
    record = Path(args.output_dir, RECORD)
    text = json.dumps(_describe(args), indent=2, sort_keys=True) + "\n"
    if not Path(args.output_dir, RESUME).exists():
        atomic_write_text(record, text)
    elif record.is_file() and record.read_text(encoding="utf-8") != text:
        raise ConfigError(
            "the directory holds a run on other data",
            where=args.output_dir,
            next_step="choose another --ent_tag or --expdir (--output_dir of ent_train), or remove the directory",
        )


def _describe(args: argparse.Namespace) -> dict[str, object]:
    """Digests of the tables of each set, with what the dump says of its audio; the tokens and the emotions."""
    described: dict[str, object] = {
        "tokens": TokenList.from_config(args.token_list).tokens,
        "emotions": EmotionInventory.from_config(args.emotion_list).to_lines(),
    }
    for phase in ("train", "valid"):
        files = {Path(path) for path, _, _ in getattr(args, f"{phase}_data_path_and_name_and_type")}
        described[phase] = digest_files(files | {file.parent / PROVENANCE for file in files})
    return described
