"""A tiny model, really trained, decoded, scored and packed by the commands of the stages."""

from __future__ import annotations

import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from espnet_ent.bin import ent_calibrate, ent_decode, ent_pack, ent_report_results, ent_score, ent_train
from tests.plugin.experiment import make_data, statistics_options, training_options

CHECKPOINT = "valid.loss.ave.pth"
Change = Callable[[str, bytes], "tuple[str, bytes] | None"]


@dataclass(frozen=True)
class PackedExperiment:
    """Where things lie.

    Attributes:
        root: Folder of everything.
        pack: The zip file.
        experiment: The training's output.
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


def make_packed(root: Path) -> PackedExperiment:
    """Train, decode, calibrate, score, report, pack."""
    data = make_data(root)
    stats, experiment = root / "stats", root / "exp" / "ent_tiny"
    ent_train.main(statistics_options(data, stats))
    ent_train.main(training_options(data, stats, experiment))
    decoded = experiment / "decode" / "valid"
    ent_decode.main(["--exp", str(experiment), "--data", str(data / "valid"), "--out", str(decoded), "--beam_size", "2"])
    temperatures = experiment / "calibration.json"
    ent_calibrate.main(["--ref", str(data / "valid"), "--hyp", str(decoded), "--out", str(temperatures)])
    scoring = ["--ref", str(data / "valid"), "--hyp", str(decoded), "--emotion_list", str(data / "emotion_list")]
    ent_score.main([*scoring, "--calibration", str(temperatures), "--out", str(decoded / "score")])
    ent_report_results.main(["--exp", str(experiment), "--out", str(experiment / "RESULTS.md")])
    pack = root / "exp" / "ent_tiny.zip"
    options = ["--exp", str(experiment), "--out", str(pack), "--decoded", str(decoded), "--corpora", "mini"]
    ent_pack.main(options)
    return PackedExperiment(root, pack, experiment, data / "valid", decoded)


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
    import io

    kind = {".gz": "gz", ".tgz": "gz", ".bz2": "bz2", ".xz": "xz"}.get(target.suffix, "")
    with zipfile.ZipFile(pack) as source, tarfile.open(target, f"w:{kind}") as copy:
        members = [(tarfile.TarInfo(name), source.read(name)) for name in source.namelist()]
        for info, data in [*members, *extra]:
            info.size = info.size or len(data)
            copy.addfile(info, io.BytesIO(data))
    return target


def repacked(directory: Path, target: Path) -> Path:
    """A zip of a directory whose manifest is made anew: what somebody hostile would do."""
    from espnet_ent.plugin.pack_manifest import write_manifest

    write_manifest(directory)
    made = shutil.make_archive(str(target.with_suffix("")), "zip", directory)
    os.replace(made, target)
    return target
