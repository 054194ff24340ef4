"""Models from wherever they are; those of somebody hostile are refused in one line."""

from __future__ import annotations

import json
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from espnet2.main_funcs.pack_funcs import unpack as espnet_unpack
from huggingface_hub import constants

from espnet_ent.data.audio import read_audio
from espnet_ent.encoders.ssl_checkpoint import describe
from espnet_ent.errors import CheckpointError, ConfigError, EntError
from espnet_ent.inference import EmotionTranscriber, InferenceConfig
from espnet_ent.plugin.packs import DEFAULT_CHECKPOINT, copy_pack, open_pack, unpack
from tests.encoders.tiny_ssl import save_tiny
from tests.hub_cache import put_into_cache
from tests.plugin.packed import PackedExperiment, as_tar, repacked, rewrite


@pytest.fixture(scope="module")
def speech(packed: PackedExperiment) -> np.ndarray:
    return read_audio(str(sorted((packed.data / "audio").iterdir())[0]), 16000)


@pytest.fixture(scope="module")
def told(packed: PackedExperiment, speech: np.ndarray) -> list[float]:
    """Posteriors of the experiment itself, with the options of decoding that were packed."""
    config = InferenceConfig(beam_size=2)
    return EmotionTranscriber.from_pretrained(packed.experiment, config=config)(speech).posteriors.tolist()


def _says(source: object, speech: np.ndarray) -> list[float]:
    transcriber = EmotionTranscriber.from_pretrained(source)
    assert transcriber.config == InferenceConfig(beam_size=2)
    assert transcriber.calibration.fitted_on == "valid"
    return transcriber(speech).posteriors.tolist()


def test_a_zip_a_tar_and_unpacked_ones_tell_what_the_experiment_tells(
    packed: PackedExperiment, speech: np.ndarray, told: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _says(packed.pack, speech) == told
    for name in ("pack.tar", "pack.tar.gz", "pack.tgz"):
        assert _says(as_tar(packed.pack, tmp_path / name), speech) == told
    monkeypatch.chdir(tmp_path)
    assert _says(packed.unpacked(tmp_path / "unpacked"), speech) == told
    # ESPnet writes the YAML files again, with the folder before the names of packed files.
    files = espnet_unpack(packed.pack, tmp_path / "by_espnet")
    assert files["ent_model_file"] == str(tmp_path / "by_espnet" / DEFAULT_CHECKPOINT)
    written = yaml.safe_load(Path(files["ent_train_config"]).read_text())
    assert written["normalize_conf"]["stats_file"] == str(tmp_path / "by_espnet/feats_stats.npz")
    assert _says(tmp_path / "by_espnet", speech) == told
    (tmp_path / "by_espnet").rename(tmp_path / "moved")
    assert _says(tmp_path / "moved", speech) == told
    files = espnet_unpack(packed.pack, "relative")
    assert _says("relative", speech) == told


def test_the_temporary_directory_is_gone_and_nothing_else_is_written(
    packed: PackedExperiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = sorted(packed.root.rglob("*"))
    with open_pack(packed.pack) as found:
        assert found.directory.parent == tmp_path
        assert found.checkpoint.is_file()
        assert found.meta["files"] == {"ent_model_file": DEFAULT_CHECKPOINT}
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(KeyError), open_pack(packed.pack):
        raise KeyError
    assert list(tmp_path.iterdir()) == []
    assert sorted(packed.root.rglob("*")) == before


def test_a_hub_id_is_found_in_the_cache_without_a_network(
    packed: PackedExperiment,
    speech: np.ndarray,
    told: list[float],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    revision = put_into_cache(tmp_path, "user/ent_tiny", packed.unpacked(tmp_path / "files"))
    assert _says("user/ent_tiny", speech) == told
    assert _says(f"user/ent_tiny@{revision}", speech) == told
    for name in ("user/other", f"user/ent_tiny@{'0' * 40}"):
        with pytest.raises(ConfigError, match="the hub does not give this model; got ") as raised:
            EmotionTranscriber.from_pretrained(name)
        assert "\n" not in str(raised.value)


def test_an_unpacked_directory_of_the_hub_without_a_description_is_not_taken_for_an_experiment(
    packed: PackedExperiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    (tmp_path / "files").mkdir()
    for name in ("config.yaml", DEFAULT_CHECKPOINT):
        shutil.copy(packed.experiment / name, tmp_path / "files" / name)
    put_into_cache(tmp_path / "cache", "user/plain", tmp_path / "files")
    with pytest.raises(CheckpointError, match=r"packed model without a manifest; next: pack it again"):
        EmotionTranscriber.from_pretrained("user/plain")


@pytest.mark.parametrize("source", ["no/such/model/here", "/no/such", "../x", "user/..", "x.zip", ""])
def test_what_is_not_there_is_one_line(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"no such model; expected an experiment|configuration is missing"):
        EmotionTranscriber.from_pretrained(source)


def test_a_pack_has_one_checkpoint(packed: PackedExperiment) -> None:
    with pytest.raises(ConfigError, match=r"a packed model has one checkpoint; got 2epoch\.pth"):
        EmotionTranscriber.from_pretrained(packed.pack, "2epoch.pth")
    assert EmotionTranscriber.from_pretrained(packed.pack, DEFAULT_CHECKPOINT).emotions.names


@pytest.mark.parametrize("name", ["config.yaml", "inference.yaml", "calibration.json", DEFAULT_CHECKPOINT])
def test_a_file_that_is_not_the_packed_one_is_refused(packed: PackedExperiment, tmp_path: Path, name: str) -> None:
    def change(member: str, data: bytes) -> tuple[str, bytes]:
        return member, data.replace(b"1", b"2", 1) if member == name else data

    changed = rewrite(packed.pack, tmp_path / "a.zip", change)
    with pytest.raises(CheckpointError, match=f"{name}: not the file that was packed; expected sha256 .*; got .*next"):
        open_pack(changed).__enter__()
    missing = rewrite(packed.pack, tmp_path / "b.zip", lambda member, data: None if member == name else (member, data))
    with pytest.raises(CheckpointError, match=f"{name}: file of the packed model is missing"):
        open_pack(missing).__enter__()


def test_a_file_beside_the_manifest_is_refused_in_an_archive_and_not_read_in_a_directory(
    packed: PackedExperiment, tmp_path: Path
) -> None:
    archive = rewrite(packed.pack, tmp_path / "a.zip")
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("README.md", "a card")
    open_pack(archive).__enter__()
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("more.json", "{}")
    with pytest.raises(CheckpointError, match=r"files that are not in the manifest; got more\.json"):
        open_pack(archive).__enter__()
    directory = packed.unpacked(tmp_path / "unpacked")
    (directory / ".gitattributes").touch()
    with open_pack(directory) as found:
        assert found.directory == directory


def test_an_unpacked_model_may_be_scored_again(packed: PackedExperiment, tmp_path: Path) -> None:
    directory = packed.unpacked(tmp_path / "unpacked")
    (directory / "RESULTS.md").write_text("of another set")
    shutil.rmtree(directory / "images")
    with open_pack(directory) as found:
        assert found.directory == directory
    assert copy_pack(directory, tmp_path / "copy") == DEFAULT_CHECKPOINT
    changed = rewrite(
        packed.pack, tmp_path / "a.zip", lambda name, data: (name, data[:-1] if name == "RESULTS.md" else data)
    )
    with pytest.raises(CheckpointError, match=r"RESULTS\.md: not the file that was packed"):
        open_pack(changed).__enter__()


class _Evil:
    """What a pickle runs when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable, tuple[Path]]:
        return Path.touch, (self.mark,)


def _yaml(**changes: object) -> Callable[[Path, Path], None]:
    def change(directory: Path, mark: Path) -> None:
        path = directory / "config.yaml"
        path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **changes}))

    return change


def _text(name: str, text: str) -> Callable[[Path, Path], None]:
    def change(directory: Path, mark: Path) -> None:
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text(text.replace("MARK", str(mark)))

    return change


def _pickle(directory: Path, mark: Path) -> None:
    torch.save({"weight": _Evil(mark)}, directory / DEFAULT_CHECKPOINT)


def _ssl(change: Callable[[dict[str, Any]], object], **conf: object) -> Callable[[Path, Path], None]:
    """A configuration whose ``stored`` is right but for a change."""

    def write(directory: Path, mark: Path) -> None:
        found = describe(str(save_tiny(mark.parent / "model", "wavlm-base"))).to_config()
        shutil.rmtree(mark.parent / "model")
        change(found)
        options = {"model": "nobody/model", "local_files_only": True, **conf, "stored": found}
        _yaml(encoder="ssl", emotion_branch=None, normalize=None, encoder_conf=options)(directory, mark)

    return write


def _old_pickle(directory: Path, mark: Path) -> None:
    (directory / DEFAULT_CHECKPOINT).write_bytes(pickle.dumps(_Evil(mark)))


def _meta(section: str, key: str, value: object) -> Callable[[Path, Path], None]:
    def change(directory: Path, mark: Path) -> None:
        meta = yaml.safe_load((directory / "meta.yaml").read_text())
        meta[section][key] = value
        (directory / "meta.yaml").write_text(yaml.safe_dump(meta))

    return change


_BOMB = "a: &a [x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdef", "bcdefg", strict=True)
)
_SSL = {"encoder": "ssl", "emotion_branch": None}
_OUTSIDE = "the encoder names a file outside of the pack"
HOSTILE: dict[str, tuple[Callable[[Path, Path], None], str]] = {
    "pickle": (_pickle, "checkpoint holds more than plain data and tensors"),
    "old pickle": (_old_pickle, "checkpoint holds more than plain data and tensors"),
    "yaml tag": (_text("config.yaml", "a: !!python/object/apply:os.system ['touch MARK']"), "not YAML of plain data"),
    "yaml aliases": (_text("config.yaml", _BOMB), "not YAML of plain data; got an alias"),
    "yaml depth": (_text("config.yaml", "a: " + "[" * 5000), "not YAML of plain data; got more than 50 levels"),
    "yaml number": (_text("config.yaml", "a: " + "1" * 5000), "not YAML of plain data"),
    "yaml date": (_text("config.yaml", "a: 2020-99-99"), "not YAML of plain data"),
    "yaml in meta": (_text("meta.yaml", "a: !!python/name:os.system"), "not YAML of plain data"),
    "unknown key": (_yaml(encodr="conformer"), "unknown option 'encodr'; did you mean 'encoder'?"),
    "unknown option": (_yaml(encoder_conf={"num_blocs": 1}), "unknown option 'num_blocs'; did you mean 'num_blocks'?"),
    "training option": (_yaml(init_param=["/etc/passwd"]), "unknown option 'init_param'"),
    "remote code": (_yaml(encoder_conf={"a": [{"trust_remote_code": True}]}), "trust_remote_code is refused"),
    "own code": (_yaml(encoder_conf={"stored": {"model": {"auto_map": {"a": "b"}}}}), "auto_map is refused"),
    "hub kernel": (
        _yaml(encoder_conf={"stored": {"model": {"attn_implementation": "user/kernel"}}}),
        "attn_implementation is refused",
    ),
    "packed kernel": (
        _text("packed_encoder/config.json", '{"_attn_implementation": {"": "user/kernel@main"}}'),
        "attn_implementation is refused",
    ),
    "another kind of model": (
        _yaml(
            **_SSL,
            encoder_conf={
                "model": "x",
                "stored": {"model": {"model_type": "bert"}, "features": {}, "weights_sha256": "0"},
            },
        ),
        "encoder_conf.stored.model.model_type: not a speech model that is known",
    ),
    "no strides": (
        _ssl(lambda s: s["model"].pop("conv_stride")),
        "stored.model.conv_stride: wrong value; expected a list",
    ),
    "text as strides": (
        _ssl(lambda s: s["model"].update(conv_stride="5,2"), frozen=False),
        "stored.model.conv_stride: ",
    ),
    "stride of nothing": (_ssl(lambda s: s["model"]["conv_stride"].__setitem__(0, 0)), "stored.model.conv_stride: "),
    "text as a probability": (_ssl(lambda s: s["model"].update(mask_time_prob="x")), "field 'mask_time_prob'"),
    "unknown activation": (_ssl(lambda s: s["model"].update(hidden_act="x"), frozen=False), "got KeyError: 'x'"),
    "text as a rate": (_ssl(lambda s: s["features"].update(sampling_rate="16k")), "stored.features.sampling_rate: "),
    "no digest": (_ssl(lambda s: s.update(weights_sha256="xyz")), "stored.weights_sha256: not a SHA-256; expected 64"),
    "number as settings": (_ssl(lambda s: s.update(model=5)), "encoder_conf.stored.model: not as training writes it"),
    "packed code": (_text("packed_encoder/config.json", '{"auto_map": {"A": "m.A"}}'), "auto_map is refused"),
    "program": (_text("packed_encoder/modeling.py", "x"), "a kind of file that no packed model has"),
    "other pickle": (_text("packed_encoder/pytorch_model.bin", "x"), "a kind of file that no packed model has"),
    "absolute encoder": (_yaml(**_SSL, encoder_conf={"model": "/etc/model"}), _OUTSIDE),
    "encoder above": (_yaml(**_SSL, encoder_conf={"model": "../model"}), _OUTSIDE),
    "encoder at home": (_yaml(**_SSL, encoder_conf={"model": "~/model"}), _OUTSIDE),
    "absolute source": (_yaml(encoder="espnet_asr", encoder_conf={"source": "/etc/asr.zip"}), _OUTSIDE),
    "url as source": (_yaml(encoder="espnet_asr", encoder_conf={"source": "http://x/a.zip"}), _OUTSIDE),
    "file as tokens": (_yaml(token_list="/etc/passwd"), "token_list is not a list of names"),
    "file as emotions": (_yaml(emotion_list="/etc/passwd"), "emotion_list is not a list of names"),
    "absolute checkpoint": (_meta("files", "ent_model_file", "/etc/passwd"), "leads out of its directory"),
    "checkpoint above": (_meta("files", "ent_model_file", "../x.pth"), "leads out of its directory"),
    "unlisted checkpoint": (_meta("files", "ent_model_file", "x.pth"), "names a file that is not in the manifest"),
    "no checkpoint": (_meta("files", "ent_model_file", None), "expected files.ent_model_file"),
    "sections": (_text("meta.yaml", "files: [1]\nyaml_files: 3"), "expected yaml_files.ent_train_config"),
    "deep temperatures": (_text("calibration.json", "[" * 100_000), "calibration.json: file is damaged"),
    "large text": (_text("config.yaml", "# " + "x" * (17 << 20)), "too large for a text"),
}


@pytest.mark.security
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_model_is_refused_by_name_and_runs_nothing(
    packed: PackedExperiment, tmp_path: Path, kind: str
) -> None:
    """Its manifest is in order: whoever writes the files writes the manifest, too."""
    change, complaint = HOSTILE[kind]
    directory = packed.unpacked(tmp_path / "unpacked")
    change(directory, tmp_path / "ran")
    archive = repacked(directory, tmp_path / "evil.zip")
    for source in (archive, directory):
        with pytest.raises(EntError) as raised:
            EmotionTranscriber.from_pretrained(source)
        assert complaint in str(raised.value)
        assert "\n" not in str(raised.value)
    assert not (tmp_path / "ran").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evil.zip", "unpacked"]


@pytest.mark.security
@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[" * 100_000, "manifest is damaged"),
        ('{"version": 1, "files": []}', "manifest is damaged; expected version 1"),
        ('{"version": 2, "files": {}}', "manifest is damaged; expected version 1"),
        ('{"version": 1, "files": {"../x": "0"}}', "leads out of its directory"),
        ('{"version": 1, "files": {"x.py": "0"}}', "a kind of file that no packed model has"),
        ('{"version": 1, "files": {}}', "expected meta.yaml in manifest.json"),
    ],
)
def test_a_hostile_manifest_is_refused(packed: PackedExperiment, tmp_path: Path, text: str, complaint: str) -> None:
    directory = packed.unpacked(tmp_path / "unpacked")
    (directory / "manifest.json").write_text(text)
    with pytest.raises(CheckpointError, match=complaint):
        open_pack(directory).__enter__()


@pytest.mark.security
def test_a_bomb_of_a_pack_is_refused_with_the_usual_limits(packed: PackedExperiment, tmp_path: Path) -> None:
    archive = rewrite(packed.pack, tmp_path / "bomb.zip")
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED) as file, file.open("zeros.pth", "w") as member:
        for _ in range(64):
            member.write(bytes(1 << 20))
    assert archive.stat().st_size < 1 << 20
    with pytest.raises(CheckpointError, match=r"packed model is a decompression bomb; got zeros\.pth: more than "):
        unpack(archive, tmp_path / "out")


def test_a_copy_is_a_model_of_its_own(packed: PackedExperiment, tmp_path: Path) -> None:
    target = tmp_path / "model"
    assert copy_pack(packed.pack, target) == DEFAULT_CHECKPOINT
    (target / "decoded").mkdir()
    assert copy_pack(packed.pack, target) == DEFAULT_CHECKPOINT
    assert (target / "decoded").is_dir()  # the same model: what was made with it stays
    manifest = json.loads((target / "manifest.json").read_text())
    (target / "manifest.json").write_text(json.dumps(manifest))
    copy_pack(packed.pack, target)
    assert not (target / "decoded").exists()
    with open_pack(target) as found:
        assert found.directory == target
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    with pytest.raises(ConfigError, match="holds something else than a packed model"):
        copy_pack(packed.pack, tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").exists()
    with pytest.raises(ConfigError, match="not a packed model; next: pack it"):
        copy_pack(packed.experiment, tmp_path / "other")
