"""Put together decoded directories, each of which holds a share of the utterances of a set."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import kaldiio

from espnet_ent.data.atomic import atomic_directory
from espnet_ent.data.datadir import read_table
from espnet_ent.data.provenance import PROVENANCE, write_provenance
from espnet_ent.data.shares import all_shares, remove_shares
from espnet_ent.errors import DataError
from espnet_ent.export.decoded import ARK, SCP

_NOT_BY_UTTERANCE = ("emotion_list", "frame_grid", PROVENANCE, ARK, SCP)
_DECODE = "rerun stage 12 (--stage 12)"


def merge_decoded(out: str | Path, num_shares: int) -> int | None:
    """Write ``out`` as if one process had decoded the whole set, byte for byte, and remove the shares.

    Args:
        out: Directory to write.
        num_shares: How many shares there are.

    Returns:
        The number of utterances; None if there are no shares and ``out`` is there already.

    Raises:
        DataError: If a share is missing, or they were not made from the same.
    """
    folders = [share.folder(out) for share in all_shares(num_shares)]
    if not any(folder.is_dir() for folder in folders) and Path(out, PROVENANCE).is_file():
        return None
    made_from = _common_origin(folders)
    names = {path.relative_to(folder).as_posix() for folder in folders for path in folder.rglob("*") if path.is_file()}
    with atomic_directory(out) as root:
        for name in sorted(names - {*_NOT_BY_UTTERANCE}):
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_text("".join(_merged(folder / name for folder in folders)), encoding="utf-8")
        if SCP in names:
            _merge_arks(folders, root)
        for name in names & {"emotion_list", "frame_grid"}:
            shutil.copyfile(folders[0] / name, root / name)
        write_provenance(root, made_from)
        num_utterances = len(read_table(root / "utt2duration"))
    remove_shares(out)
    return num_utterances


def _common_origin(folders: Sequence[Path]) -> dict[str, Any]:
    """What the whole is made from."""
    origins = []
    for folder in folders:
        path = folder / PROVENANCE
        if not path.is_file():
            raise DataError("a share of the decoding is missing", where=folder, next_step=_DECODE)
        origin = json.loads(path.read_text(encoding="utf-8"))
        origins.append({key: value for key, value in origin.items() if key not in ("holds", "share")})
    if any(origin != origins[0] for origin in origins):
        raise DataError("shares of the decoding are of different data or models", where=folders[0], next_step=_DECODE)
    return origins[0]


def _merged(paths: Iterable[Path]) -> list[str]:
    """Lines by utterance; those of one utterance stay in order."""
    lines = [line for path in paths if path.is_file() for line in path.read_text(encoding="utf-8").splitlines(True)]
    return sorted(lines, key=lambda line: line.split(maxsplit=1)[0])


def _merge_arks(folders: Sequence[Path], root: Path) -> None:
    places = {}
    for folder in folders:
        if (folder / SCP).is_file():
            for utt_id, place in read_table(folder / SCP).items():
                places[utt_id] = f"{folder}/{place}"
    lines = []
    with (root / ARK).open("wb") as ark:
        for utt_id in sorted(places):
            lines.append(f"{utt_id} {ARK}:{ark.tell() + len(f'{utt_id} '.encode())}\n")
            kaldiio.save_ark(ark, {utt_id: kaldiio.load_mat(places[utt_id])})
    (root / SCP).write_text("".join(lines), encoding="utf-8")
