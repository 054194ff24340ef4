"""Load a packed model where nothing else is, decode a set with it, and compare (stage 16)."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import espnet_ent
from espnet_ent.data.datadir import read_data_dir, write_data_dir
from espnet_ent.data.provenance import PROVENANCE
from espnet_ent.errors import CheckpointError, ConfigError

_MOST_NAMED = 5


def check_pack(pack: str | Path, data: str | Path, decoded: str | Path, nj: int = 1, device: str = "cpu") -> list[str]:
    """Decode a set again, in a process of its own and an empty directory, and compare each file byte for byte.

    What tells how a decoding was made (``made_from.json``) is not compared: it names other files.

    Args:
        pack: A packed model, or a hub id.
        data: The set's data directory.
        decoded: What stage 12 made of it.
        nj: Parallel processes on the CPU.
        device: Where to compute: what the decoding was made on.

    Returns:
        Names of the files that are the same.

    Raises:
        ConfigError: If there is no decoding, it was made with other options, or the pack can't be loaded.
        CheckpointError: If a file differs.
    """
    decoded = Path(decoded)
    try:
        batch_size = int(json.loads((decoded / PROVENANCE).read_text(encoding="utf-8"))["batch_size"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError("no decoding to compare with", where=decoded, next_step="rerun stage 12") from error
    with tempfile.TemporaryDirectory(prefix="ent_check_") as folder:
        root = Path(folder)
        utterances = [
            dataclasses.replace(utterance, audio=os.path.abspath(utterance.audio)) for utterance in read_data_dir(data)
        ]
        write_data_dir(root / "data", utterances)
        (root / "empty").mkdir()
        source = os.path.abspath(pack) if Path(pack).exists() else str(pack)
        _decode(source, root, ["--batch_size", str(batch_size), "--nj", str(nj), "--device", device])
        if list((root / "empty").iterdir()):
            raise CheckpointError("loading the pack left files behind", where=pack)
        return _compare(root / "decoded", decoded, pack)


def _decode(source: str, root: Path, options: list[str]) -> None:
    command = [sys.executable, "-m", "espnet_ent.bin.ent_decode", "--exp", source]
    command += ["--data", str(root / "data"), "--out", str(root / "decoded"), *options]
    places = [str(Path(espnet_ent.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))}
    ended = subprocess.run(
        command,
        cwd=root / "empty",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if ended.returncode:
        said = ended.stderr.strip().splitlines() or [f"status {ended.returncode}"]
        raise ConfigError("the pack does not decode", where=source, got=said[-1])


def _compare(found: Path, expected: Path, pack: str | Path) -> list[str]:
    names = {path.relative_to(found).as_posix() for path in found.rglob("*") if path.is_file()} - {PROVENANCE}
    done, asked = (json.loads((root / PROVENANCE).read_text(encoding="utf-8")) for root in (found, expected))
    if done.get("config") != asked.get("config"):
        raise ConfigError(
            "the pack decodes with other options than stage 12 did",
            where=expected,
            next_step="decode with those of the pack (--inference_config with its inference.yaml)",
        )
    wanted = asked.get("holds") or []
    differing = sorted(names.symmetric_difference(wanted))
    differing += [
        name
        for name in sorted(names.intersection(wanted))
        if not (expected / name).is_file() or (found / name).read_bytes() != (expected / name).read_bytes()
    ]
    if differing:
        raise CheckpointError(
            "the pack decodes otherwise than stage 12",
            where=expected,
            got=f"differences in {' '.join(differing[:_MOST_NAMED])} ({pack})",
            next_step="rerun stages 12 and 14",
        )
    return sorted(names)
