"""A tiny model, decoded, scored and packed by the commands of the stages."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from espnet_ent.bin import ent_calibrate, ent_decode, ent_pack, ent_report_results, ent_score
from espnet_ent.errors import EntError
from espnet_ent.labels import FOUR_EMOTIONS
from espnet_ent.plugin.builder import build_model
from espnet_ent.plugin.checkpoint_files import write_checkpoint
from espnet_ent.plugin.pack_manifest import digest_of_file
from tests.plugin.experiment import make_set
from tests.plugin.tiny import tiny_config

CHECKPOINT = "valid.loss.ave.pth"
Change = Callable[[str, bytes], "tuple[str, bytes] | None"]


@dataclass(frozen=True)
class PackedExperiment:
    """Where things lie.

    Attributes:
        root: Folder of everything.
        pack: The zip file.
        experiment: What training leaves.
        data: The decoded set.
        decoded: Its decoding, with scores.
    """

    root: Path
    pack: Path
    experiment: Path
    data: Path
    decoded: Path

    def unpacked(self, target: Path) -> Path:
        """The pack's files in a directory."""
        with zipfile.ZipFile(self.pack) as archive:
            archive.extractall(target)
        return target


def make_experiment(directory: Path, seed: int = 1, **changes: Any) -> Path:
    """What training leaves of a model with random weights: configuration, statistics, checkpoint."""
    directory.mkdir(parents=True)
    stats = directory.parent / "feats_stats.npz"
    np.savez(stats, count=np.int64(10), sum=np.ones(20, np.float32), sum_square=20 * np.ones(20, np.float32))
    config = tiny_config(normalize="global_mvn", normalize_conf={"stats_file": str(stats)}, **changes)
    torch.manual_seed(seed)
    model = build_model(config)
    machine = {"output_dir": str(directory), "max_epoch": 2, "token_type": "char", "init_param": ["/home/me/a.pth"]}
    (directory / "config.yaml").write_text(yaml.safe_dump({**machine, **config}))
    write_checkpoint(directory / "1epoch.pth", model.state_dict())
    (directory / CHECKPOINT).symlink_to("1epoch.pth")
    return directory


def make_packed(root: Path) -> PackedExperiment:
    """Decode, calibrate, score, report, pack."""
    data, experiment = make_set(root / "valid", 8), make_experiment(root / "exp" / "ent_tiny")
    (data / "utt2spk").write_text("".join(f"u{number:02d} s{number % 2}\n" for number in range(8)))
    FOUR_EMOTIONS.write(root / "emotion_list")
    decoded = experiment / "decode" / "valid"
    ent_decode.main(["--exp", str(experiment), "--data", str(data), "--out", str(decoded), "--beam_size", "2"])
    temperatures = experiment / "calibration.json"
    ent_calibrate.main(["--ref", str(data), "--hyp", str(decoded), "--out", str(temperatures)])
    scoring = ["--ref", str(data), "--hyp", str(decoded), "--emotion_list", str(root / "emotion_list")]
    ent_score.main([*scoring, "--calibration", str(temperatures), "--out", str(decoded / "score")])
    ent_report_results.main(["--exp", str(experiment), "--out", str(experiment / "RESULTS.md")])
    pack = root / "exp" / "ent_tiny.zip"
    options = ["--exp", str(experiment), "--out", str(pack), "--decoded", str(decoded), "--corpora", "mini"]
    ent_pack.main(options)
    return PackedExperiment(root, pack, experiment, data, decoded)


def rewrite(pack: Path, target: Path, change: Change = lambda name, data: (name, data)) -> Path:
    """A copy of a zip, each member changed or, where None comes back, left out."""
    with zipfile.ZipFile(pack) as source, zipfile.ZipFile(target, "w") as copy:
        for info in source.infolist():
            changed = change(info.filename, source.read(info))
            if changed is not None:
                copy.writestr(*changed)
    return target


def as_tar(pack: Path, target: Path, extra: Iterable[tuple[tarfile.TarInfo, bytes]] = ()) -> Path:
    """The members of a zip as a tar file, compressed as its name says, and some more."""
    kind = {".gz": "gz", ".tgz": "gz", ".bz2": "bz2", ".xz": "xz"}.get(target.suffix, "")
    with zipfile.ZipFile(pack) as source, tarfile.open(target, f"w:{kind}") as copy:
        members = [(tarfile.TarInfo(name), source.read(name)) for name in source.namelist()]
        for info, data in [*members, *extra]:
            info.size = info.size or len(data)
            copy.addfile(info, io.BytesIO(data))
    return target


def repacked(directory: Path, target: Path) -> Path:
    """A zip of a directory whose manifest is made anew, as somebody hostile would do it."""
    names = [path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()]
    digests = {}
    for name in names:
        with contextlib.suppress(EntError):
            digests[name] = digest_of_file(directory, name, names)
        digests.setdefault(name, "a file that is refused before")
    del digests["manifest.json"]
    (directory / "manifest.json").write_text(json.dumps({"version": 1, "files": digests}))
    made = shutil.make_archive(str(target.with_suffix("")), "zip", directory)
    os.replace(made, target)
    return target
