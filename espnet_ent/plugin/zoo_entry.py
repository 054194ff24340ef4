"""The entry of a model in ESPnet's model zoo: its row in the table, and what the zoo's client makes of it."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from espnet_ent.errors import CheckpointError, ConfigError
from espnet_ent.plugin.pack_manifest import MANIFEST
from espnet_ent.plugin.packs import CONFIG_KEY, open_pack
from espnet_ent.plugin.zoo import find_downloader

TASK = "ent"
_HUB_URL = "https://huggingface.co/"  # the client's word for "on the hub, under this name"
_COLUMNS = ("corpus", "task", "name", "url", "fs", "lang", "gender", "pytorch", "espnet", "commit", "valid")
_LONGEST_REASON = 200


def zoo_row(repo: str, meta: Mapping[str, Any]) -> dict[str, str]:
    """The row of a packed model on the hub in the zoo's ``table.csv``, by column.

    Args:
        repo: ``user/name`` on the hub.
        meta: Content of its ``meta.yaml``.
    """
    told = {
        "corpus": "+".join(meta.get("corpora") or ()),
        "task": TASK,
        "name": repo,
        "url": _HUB_URL,
        "fs": meta.get("fs", ""),
        "lang": meta.get("language", ""),
        "pytorch": meta.get("torch", ""),
        "espnet": meta.get("espnet", ""),
        "valid": "true",
    }
    return {column: str(told.get(column, "")) for column in _COLUMNS}


def zoo_line(row: Mapping[str, str]) -> str:
    """A row as it stands in the file."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([row[column] for column in _COLUMNS])
    return line.getvalue()


def check_tag(row: Mapping[str, str], manifest: bytes) -> str:
    """Fetch a model by its tag as people of ESPnet do, and look whether it is the one that was uploaded.

    Args:
        row: Its row, with which the zoo's table is replaced.
        manifest: Content of the manifest that was uploaded.

    Returns:
        What was found, in words.

    Raises:
        ConfigError: If the client does not give it.
        CheckpointError: If it is another model, or damaged.
    """
    try:
        import pandas

        downloader = find_downloader()
    except ImportError:
        return "ModelDownloader is not checked: espnet_model_zoo is not installed (pip install espnet_model_zoo)"
    tag = row["name"]
    with tempfile.TemporaryDirectory(prefix="ent_zoo_") as folder:
        try:
            client = downloader(folder)
            client.data_frame = pandas.DataFrame([row])
            files = client.download_and_unpack(tag)
        except Exception as error:  # as above
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:_LONGEST_REASON]
            raise ConfigError("ModelDownloader does not give the model", where=tag, got=reason) from error
        with open_pack(Path(files[CONFIG_KEY]).parent) as packed:
            if (packed.directory / MANIFEST).read_bytes() != manifest:
                raise CheckpointError("ModelDownloader gives another model", where=tag, next_step="upload it again")
    return f"ModelDownloader gives {tag}: {' '.join(sorted(files))}, the files that were uploaded"
