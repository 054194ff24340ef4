"""Pack a trained model (stage 14) into a zip file of ESPnet's form, with all that decoding needs and nothing else.

``meta.yaml`` (as ESPnet's: ``yaml_files``, ``files``, versions, timestamp) · ``config.yaml`` (what the model is made
of) · ``train.yaml`` (the training run's options, for people) · the checkpoint, a state dict · ``tokens.txt`` ·
``emotion_list`` · ``bpe.model`` · ``feats_stats.npz`` · ``calibration.json`` · ``inference.yaml`` (options of stage
12) · ``RESULTS.md``, ``results/``, ``images/`` · ``packed_lm/``, ``packed_encoder/`` where there are such ·
``manifest.json`` (SHA-256 of all). The same experiment gives the same bytes, wherever it lies.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from espnet2.utils.yaml_no_alias_safe_dump import yaml_no_alias_safe_dump

import espnet_ent
from espnet_ent.data.atomic import remove_stale, temporary_sibling
from espnet_ent.data.provenance import GIVEN_TEXT, PROVENANCE, digest_files
from espnet_ent.data.yaml_files import read_yaml
from espnet_ent.errors import CheckpointError, ConfigError
from espnet_ent.metrics.calibration import CALIBRATION, read_calibration_of
from espnet_ent.plugin.checkpoint_files import is_model_state, read_checkpoint
from espnet_ent.plugin.pack_config import BPE_MODEL, STATISTICS, check_config, model_config
from espnet_ent.plugin.pack_manifest import MANIFEST, write_manifest
from espnet_ent.plugin.packed_encoder import PackedEncoder, pack_encoder
from espnet_ent.plugin.packs import (
    CHECKPOINT_KEY,
    CONFIG,
    CONFIG_KEY,
    DEFAULT_CHECKPOINT,
    INFERENCE,
    LM_CHECKPOINT_KEY,
    LM_CONFIG_KEY,
    LM_FOLDER,
    META,
)

_DATE = (1980, 1, 1, 0, 0, 0)  # that of every member: the first day that a zip file knows
_IMAGE_LINK = re.compile(r"\]\((?P<path>[^)#:]+\.png)\)")
_HOST = re.compile(r", host [^,*\n]+")


@dataclass(frozen=True)
class PackOptions:
    """What goes into a pack besides the model.

    Attributes:
        checkpoint: File name of the checkpoint.
        decoded: Directories of decoded sets (stage 12), whose options of decoding and scores are packed.
        lm: Directory of a language model's training and its checkpoint's name.
        pack_encoder: ``auto | true | false``: whether a frozen pretrained encoder is brought along.
        language: Language of the speech, e.g. ``en``.
        corpora: Names of the corpora that it was trained and tested on.
    """

    checkpoint: str = DEFAULT_CHECKPOINT
    decoded: tuple[str, ...] = ()
    lm: tuple[str, str] | None = None
    pack_encoder: str = "auto"
    language: str = "en"
    corpora: tuple[str, ...] = ()


def pack_experiment(experiment: str | Path, out: str | Path, options: PackOptions) -> bool:
    """Pack a trained model.

    Args:
        experiment: Output of training.
        out: Zip file to write.
        options: What goes into it.

    Returns:
        Whether the file was written; it is left where it is as it should be.

    Raises:
        ConfigError: If the configuration is missing or of no use elsewhere, or sets were decoded otherwise.
        CheckpointError: If the checkpoint is missing, damaged or not a state dict.
    """
    experiment, out = Path(experiment), Path(out)
    if out.suffix != ".zip":
        raise ConfigError("not a name for a pack", where=out, expected="a name that ends in .zip")
    if not (experiment / options.checkpoint).is_file():
        raise CheckpointError(
            "checkpoint is missing", where=experiment / options.checkpoint, next_step="rerun stage 11"
        )
    if (experiment / META).is_file():
        raise ConfigError("is a packed model already", where=experiment)
    training = read_yaml(experiment / CONFIG)
    with tempfile.TemporaryDirectory(prefix="ent_pack_") as folder:
        directory = Path(folder)
        encoder = _write_model(experiment, training, directory, options)
        _write_texts(training, directory)
        if options.lm is not None:
            _write_language_model(*options.lm, directory)
        _write_decoding(experiment, directory, options)
        _write_results(experiment, directory, options)
        meta = _meta(experiment, training, encoder, options)
        (directory / META).write_text(yaml.safe_dump(meta, allow_unicode=True), encoding="utf-8")
        write_manifest(directory)
        return _write_zip(directory, out)


def _write_model(
    experiment: Path, training: Mapping[str, Any], directory: Path, options: PackOptions
) -> PackedEncoder | None:
    """Configuration, checkpoint, statistics, temperatures and pretrained encoder."""
    checkpoint = experiment / options.checkpoint
    state = read_checkpoint(checkpoint)
    if not is_model_state(state):
        raise CheckpointError("not a model's parameters", where=checkpoint, next_step="pack an averaged checkpoint")
    config = model_config(training)
    encoder = pack_encoder(training, state, directory, options.pack_encoder)
    if encoder is not None:
        config["encoder_conf"] = encoder.conf
    check_config(config, experiment / CONFIG)
    _write_yaml(directory / CONFIG, config)
    _write_yaml(directory / "train.yaml", _without_places(training))
    shutil.copyfile(checkpoint, directory / options.checkpoint)
    statistics = (training.get("normalize_conf") or {}).get("stats_file")
    if statistics:
        if not Path(statistics).is_file():
            raise ConfigError("feature statistics are missing", where=statistics, next_step="rerun stage 10")
        shutil.copyfile(statistics, directory / STATISTICS)
    temperatures = read_calibration_of(experiment, options.checkpoint)
    if temperatures.checkpoint:
        (directory / CALIBRATION).write_text(temperatures.to_json(), encoding="utf-8")
    return encoder


def _write_texts(training: Mapping[str, Any], directory: Path) -> None:
    for name, key in (("tokens.txt", "token_list"), ("emotion_list", "emotion_list")):
        (directory / name).write_text("".join(f"{entry}\n" for entry in training[key]), encoding="utf-8")
    if training.get("bpemodel"):
        if not Path(training["bpemodel"]).is_file():
            raise ConfigError("BPE model is missing", where=training["bpemodel"], next_step="rerun stage 5")
        shutil.copyfile(training["bpemodel"], directory / BPE_MODEL)


def _write_language_model(lm_exp: str, checkpoint: str, directory: Path) -> None:
    from espnet_ent.plugin.language_model import load_language_model

    load_language_model(lm_exp, checkpoint)
    (directory / LM_FOLDER).mkdir()
    _write_yaml(directory / LM_FOLDER / CONFIG, model_config(read_yaml(Path(lm_exp, CONFIG)), is_lm=True))
    shutil.copyfile(Path(lm_exp, checkpoint), directory / LM_FOLDER / checkpoint)


def _write_decoding(experiment: Path, directory: Path, options: PackOptions) -> None:
    """The options that the sets were decoded with."""
    expected = {"checkpoint": digest_files([experiment / options.checkpoint])}
    if options.lm is not None:
        expected["lm"] = digest_files([Path(*options.lm), Path(options.lm[0], CONFIG)])
    found = None
    for decoded in options.decoded:
        record = _read_json(Path(decoded, PROVENANCE))
        if {key: record[key] for key in ("checkpoint", "lm", GIVEN_TEXT) if key in record} != expected:
            raise ConfigError(
                "decoded with another checkpoint, language model or given texts",
                where=decoded,
                expected=options.checkpoint,
                next_step="rerun stage 12 (decoding)",
            )
        if found is not None and record.get("config") != found:
            raise ConfigError("sets were decoded with different options", where=decoded, next_step="rerun stage 12")
        found = record.get("config")
    if found is not None:
        _write_yaml(directory / INFERENCE, found)


def _write_results(experiment: Path, directory: Path, options: PackOptions) -> None:
    """Scores of the sets, the report, and the pictures that it shows."""
    for decoded in options.decoded:
        scores = Path(decoded, "score", "results.json")
        if scores.is_file():
            (directory / "results").mkdir(exist_ok=True)
            shutil.copyfile(scores, directory / "results" / f"{Path(decoded).name}.json")
    report = experiment / "RESULTS.md"
    if not report.is_file():
        return
    text = report.read_text(encoding="utf-8")
    head, line, rest = text.partition("\n")

    def packed(link: re.Match[str]) -> str:
        picture = experiment / link["path"]
        if not picture.is_file():
            return link[0]
        (directory / "images").mkdir(exist_ok=True)
        name = "_".join(part for part in Path(link["path"]).parts[-3:] if part not in ("score", ".."))
        shutil.copyfile(picture, directory / "images" / name)
        return f"](images/{name})"

    text = _HOST.sub("", head) + line + _IMAGE_LINK.sub(packed, rest)
    (directory / "RESULTS.md").write_text(text, encoding="utf-8")


def _meta(
    experiment: Path, training: Mapping[str, Any], encoder: PackedEncoder | None, options: PackOptions
) -> dict[str, Any]:
    yaml_files, files = {CONFIG_KEY: CONFIG}, {CHECKPOINT_KEY: options.checkpoint}
    if options.lm is not None:
        yaml_files[LM_CONFIG_KEY] = f"{LM_FOLDER}/{CONFIG}"
        files[LM_CHECKPOINT_KEY] = f"{LM_FOLDER}/{options.lm[1]}"
    meta: dict[str, Any] = {
        "yaml_files": yaml_files,
        "files": files,
        "timestamp": (experiment / options.checkpoint).stat().st_mtime,
        "espnet": importlib.metadata.version("espnet"),
        "espnet_ent": espnet_ent.__version__,
        "python": sys.version,
        "torch": str(torch.__version__),
        "tag": experiment.name,
        "fs": int(training.get("fs") or 16000),
        "language": options.language,
        "corpora": list(options.corpora),
    }
    return meta if encoder is None else {**meta, "encoder": encoder.described}


def _without_places(value: Any) -> Any:
    """Options with absolute paths cut down to their last part: what they lead to is on one machine alone."""
    if isinstance(value, dict):
        return {key: _without_places(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_places(entry) for entry in value]
    return Path(value).name if isinstance(value, str) and value.startswith("/") and len(value) > 1 else value


def _write_yaml(path: Path, values: Mapping[str, Any]) -> None:
    path.write_text(yaml_no_alias_safe_dump(dict(values), indent=4, sort_keys=False), encoding="utf-8")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError("decoding does not tell how it was made", where=path, next_step="rerun stage 12") from error


def _write_zip(directory: Path, out: Path) -> bool:
    """Write all files, those that describe the pack first; the file appears when it is whole."""
    first = [META, MANIFEST, CONFIG]
    names = sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())
    out.parent.mkdir(parents=True, exist_ok=True)
    remove_stale(out)
    temporary = temporary_sibling(out)
    try:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            for name in [*first, *(name for name in names if name not in first)]:
                member = zipfile.ZipInfo(name, _DATE)
                member.external_attr = 0o644 << 16
                member.create_system = 3
                member.file_size = (directory / name).stat().st_size
                with archive.open(member, "w") as target, (directory / name).open("rb") as source:
                    shutil.copyfileobj(source, target, 1 << 20)
        if out.is_file() and _digest_of(out) == _digest_of(temporary):
            return False
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, out)
    finally:
        temporary.unlink(missing_ok=True)
    return True


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
