"""What is packed: all that decoding needs, nothing of the machine, the same bytes from wherever it is."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from huggingface_hub import constants

from espnet_ent.bin import ent_pack
from espnet_ent.data.provenance import digest_files
from espnet_ent.errors import CheckpointError, ConfigError
from espnet_ent.inference import EmotionTranscriber, InferenceConfig
from espnet_ent.metrics.calibration import Calibration
from espnet_ent.plugin.builder import build_model
from espnet_ent.plugin.checkpoint_files import write_checkpoint
from espnet_ent.plugin.language_model import build_language_model
from espnet_ent.plugin.packing import PackOptions, pack_experiment
from espnet_ent.plugin.packs import open_pack
from tests.encoders.tiny_ssl import save_tiny
from tests.hub_cache import put_into_cache
from tests.plugin.asr_models import make_recogniser, pack_recogniser
from tests.plugin.packed import CHECKPOINT, PackedExperiment, make_experiment
from tests.plugin.tiny import TOKENS, tiny_config


def _names(pack: Path) -> list[str]:
    with zipfile.ZipFile(pack) as archive:
        return archive.namelist()


def _yaml(pack: Path, name: str) -> dict:
    with zipfile.ZipFile(pack) as archive:
        return yaml.safe_load(archive.read(name))


def test_everything_is_there_and_nothing_of_the_machine(packed: PackedExperiment) -> None:
    assert _names(packed.pack) == [
        "meta.yaml",
        "manifest.json",
        "config.yaml",
        "RESULTS.md",
        "calibration.json",
        "emotion_list",
        "feats_stats.npz",
        "images/valid_reliability.png",
        "inference.yaml",
        "results/valid.json",
        "tokens.txt",
        "train.yaml",
        CHECKPOINT,
    ]
    with zipfile.ZipFile(packed.pack) as archive:
        assert all(info.external_attr >> 16 == 0o644 and info.date_time[0] == 1980 for info in archive.infolist())
        whole = b"".join(archive.read(name) for name in archive.namelist() if not name.endswith((".pth", ".png")))
        report = archive.read("RESULTS.md").decode()
        assert archive.read("calibration.json") == (packed.experiment / "calibration.json").read_bytes()
        assert archive.read("tokens.txt").decode().split() == TOKENS
    assert str(packed.root).encode() not in whole
    assert b"/home/me" not in whole
    assert ", host " not in report
    assert "(images/valid_reliability.png)" in report
    assert "beam_size: 2" in yaml.safe_dump(_yaml(packed.pack, "inference.yaml"))
    assert _yaml(packed.pack, "train.yaml")["init_param"] == ["a.pth"]
    config = _yaml(packed.pack, "config.yaml")
    assert config["normalize_conf"] == {"stats_file": "feats_stats.npz"}
    assert not {"output_dir", "max_epoch", "init_param"} & config.keys()


def test_the_description_is_that_of_espnet(packed: PackedExperiment) -> None:
    meta = _yaml(packed.pack, "meta.yaml")
    assert meta["yaml_files"] == {"ent_train_config": "config.yaml"}
    assert meta["files"] == {"ent_model_file": CHECKPOINT}
    assert {"timestamp", "python", "torch", "espnet"} <= meta.keys()
    assert (meta["fs"], meta["language"], meta["corpora"], meta["tag"]) == (16000, "en", ["mini"], "ent_tiny")


def test_the_checkpoint_is_a_state_dict_that_loads_without_trust(packed: PackedExperiment, tmp_path: Path) -> None:
    state = torch.load(packed.unpacked(tmp_path / "p") / CHECKPOINT, weights_only=True)
    own = torch.load(packed.experiment / CHECKPOINT, weights_only=True)
    assert state.keys() == own.keys()
    assert all(torch.equal(state[key], own[key]) for key in own)


def test_the_same_bytes_wherever_the_experiment_lies(
    packed: PackedExperiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An absolute directory, one outside of the working directory, a link, a relative one."""
    options = PackOptions(decoded=(str(packed.decoded),), corpora=("mini",))
    monkeypatch.chdir(tmp_path)
    assert pack_experiment(packed.experiment, tmp_path / "a" / "absolute.zip", options)
    relative = os.path.relpath(packed.decoded), os.path.relpath(packed.experiment)
    assert pack_experiment(relative[1], "b.zip", PackOptions(decoded=(relative[0],), corpora=("mini",)))
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "ent_tiny").symlink_to(packed.experiment)
    assert pack_experiment(tmp_path / "linked" / "ent_tiny", "c.zip", options)
    found = {path.read_bytes() for path in (Path("a/absolute.zip"), Path("b.zip"), Path("c.zip"), packed.pack)}
    assert len(found) == 1
    before = os.stat("b.zip")
    assert not pack_experiment(packed.experiment, "b.zip", options)
    assert os.stat("b.zip").st_mtime_ns == before.st_mtime_ns
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b.zip", "c.zip", "linked"]
    capsys.readouterr()
    argv = ["--exp", str(packed.experiment), "--out", "b.zip", "--decoded", str(packed.decoded), "--corpora", "mini"]
    ent_pack.main(argv)
    assert capsys.readouterr().out == "b.zip: is there already\n"


@pytest.mark.parametrize(
    ("fault", "error", "complaint"),
    [
        (lambda exp: (exp / "1epoch.pth").unlink(), CheckpointError, "checkpoint is missing; next: rerun stage 11"),
        (
            lambda exp: write_checkpoint(exp / "1epoch.pth", {"epoch": 3}),
            CheckpointError,
            "not a model's parameters; next: pack an averaged checkpoint",
        ),
        (lambda exp: (exp / "1epoch.pth").write_bytes(b"x"), CheckpointError, "checkpoint"),
        (lambda exp: (exp / "config.yaml").unlink(), ConfigError, "configuration is missing"),
        (lambda exp: (exp.parent / "feats_stats.npz").unlink(), ConfigError, "feature statistics are missing"),
        (lambda exp: (exp / "meta.yaml").touch(), ConfigError, "is a packed model already"),
    ],
)
def test_what_is_missing_is_one_line_and_nothing_is_written(tmp_path, fault, error, complaint) -> None:
    experiment = make_experiment(tmp_path / "exp" / "tiny")
    fault(experiment)
    with pytest.raises(error, match=complaint) as raised:
        pack_experiment(experiment, tmp_path / "a.zip", PackOptions())
    assert "\n" not in str(raised.value)
    assert [path.name for path in tmp_path.iterdir()] == ["exp"]


def test_sets_that_were_decoded_otherwise_are_refused(packed: PackedExperiment, tmp_path: Path) -> None:
    def options(**changes: object) -> PackOptions:
        other = tmp_path / "decoded"
        shutil.rmtree(other, ignore_errors=True)
        shutil.copytree(packed.decoded, other)
        record = json.loads((other / "made_from.json").read_text())
        (other / "made_from.json").write_text(json.dumps({**record, **changes}))
        return PackOptions(decoded=(str(packed.decoded), str(other)))

    with pytest.raises(ConfigError, match=r"decoded with another checkpoint, language model or given texts; .*next"):
        pack_experiment(packed.experiment, tmp_path / "a.zip", options(checkpoint="0"))
    for key in ("lm", "emotion_text"):
        with pytest.raises(ConfigError, match="decoded with another checkpoint, language model or given texts"):
            pack_experiment(packed.experiment, tmp_path / "a.zip", options(**{key: "0"}))
    with pytest.raises(ConfigError, match="sets were decoded with different options"):
        pack_experiment(packed.experiment, tmp_path / "a.zip", options(config={"beam_size": 1}))
    (tmp_path / "decoded" / "made_from.json").unlink()
    with pytest.raises(ConfigError, match="decoding does not tell how it was made"):
        pack_experiment(packed.experiment, tmp_path / "a.zip", PackOptions(decoded=(str(tmp_path / "decoded"),)))
    with pytest.raises(ConfigError, match=r"not a name for a pack; expected a name that ends in \.zip"):
        pack_experiment(packed.experiment, tmp_path / "a.tar", PackOptions())


def test_temperatures_of_another_checkpoint_stay_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    experiment = make_experiment(tmp_path / "exp" / "tiny")
    Calibration(2.0, None, 1, 0, "dev", "another").write(experiment / "calibration.json")
    pack_experiment(experiment, tmp_path / "a.zip", PackOptions())
    assert "calibration.json" not in _names(tmp_path / "a.zip")
    assert "not the temperatures of valid.loss.ave.pth" in caplog.text
    right = digest_files([experiment / CHECKPOINT])
    Calibration(2.0, None, 1, 0, "dev", right).write(experiment / "calibration.json")
    pack_experiment(experiment, tmp_path / "a.zip", PackOptions())
    assert EmotionTranscriber.from_pretrained(tmp_path / "a.zip").calibration.utterance_temperature == 2


def test_a_language_model_comes_along_and_is_used(tmp_path: Path) -> None:
    experiment = make_experiment(tmp_path / "exp" / "tiny")
    config = {"token_list": TOKENS, "token_type": "char", "lm": "seq_rnn", "lm_conf": {"unit": 8, "nlayers": 1}}
    (tmp_path / "lm").mkdir()
    (tmp_path / "lm" / "config.yaml").write_text(yaml.safe_dump({**config, "output_dir": "/home/me/lm"}))
    write_checkpoint(tmp_path / "lm" / CHECKPOINT, build_language_model(config).state_dict())
    pack_experiment(experiment, tmp_path / "a.zip", PackOptions(lm=(str(tmp_path / "lm"), CHECKPOINT)))
    with open_pack(tmp_path / "a.zip") as found:
        assert found.lm == (str(found.directory / "packed_lm"), CHECKPOINT)
        assert "output_dir" not in yaml.safe_load((found.directory / "packed_lm/config.yaml").read_text())
    assert EmotionTranscriber.from_pretrained(tmp_path / "a.zip").lm is None  # greedy search has no use for it
    beam = EmotionTranscriber.from_pretrained(tmp_path / "a.zip", config=InferenceConfig(beam_size=2))
    assert beam.lm is not None


def _speech() -> np.ndarray:
    return 0.1 * np.random.default_rng(0).standard_normal(8000).astype(np.float32)


def _ssl_experiment(root: Path, model: str, **conf: object) -> Path:
    options = {"model": model, "top": "linear", "top_conf": {"output_size": 16}, **conf}
    config = tiny_config(encoder="ssl", encoder_conf=options, normalize=None, frontend_conf=None)
    torch.manual_seed(1)
    built = build_model(config)
    config["encoder_conf"] = {**options, "stored": built.encoder.description.to_config()}
    experiment = root / "exp"
    experiment.mkdir()
    (experiment / "config.yaml").write_text(yaml.safe_dump(config))
    write_checkpoint(experiment / CHECKPOINT, built.state_dict())
    return experiment


def _same(experiment: Path, pack: Path) -> bool:
    found = [EmotionTranscriber.from_pretrained(source)(_speech()).posteriors for source in (experiment, pack)]
    return np.array_equal(*found)


def test_a_frozen_encoder_in_a_directory_comes_along(tmp_path: Path) -> None:
    model = save_tiny(tmp_path / "model", "wavlm-base")
    experiment = _ssl_experiment(tmp_path, str(model))
    with pytest.raises(
        ConfigError, match=r"the encoder lies here alone, .* next: --pack_encoder true, or train with a"
    ):
        pack_experiment(experiment, tmp_path / "a.zip", PackOptions(pack_encoder="false"))
    with pytest.raises(ConfigError, match=r"unknown choice; expected auto \| true \| false; got yes"):
        pack_experiment(experiment, tmp_path / "a.zip", PackOptions(pack_encoder="yes"))
    pack_experiment(experiment, tmp_path / "a.zip", PackOptions())
    expected = EmotionTranscriber.from_pretrained(experiment)(_speech()).posteriors
    shutil.rmtree(model)
    assert np.array_equal(EmotionTranscriber.from_pretrained(tmp_path / "a.zip")(_speech()).posteriors, expected)
    inside = [name for name in _names(tmp_path / "a.zip") if name.startswith("packed_encoder/")]
    assert inside == [
        f"packed_encoder/{name}" for name in ("config.json", "model.safetensors", "preprocessor_config.json")
    ]
    told = _yaml(tmp_path / "a.zip", "meta.yaml")["encoder"]
    assert (told["name"], told["where"], len(told["sha256"])) == ("model", "pack", 64)


def test_a_fine_tuned_encoder_is_in_the_checkpoint(tmp_path: Path) -> None:
    model = save_tiny(tmp_path / "my model", "wav2vec2-base")
    experiment = _ssl_experiment(tmp_path, str(model), frozen=False)
    pack_experiment(experiment, tmp_path / "a.zip", PackOptions(pack_encoder="true"))
    shutil.rmtree(model)
    assert _same(experiment, tmp_path / "a.zip")
    assert _yaml(tmp_path / "a.zip", "config.yaml")["encoder_conf"]["model"] == "my_model"
    assert _yaml(tmp_path / "a.zip", "meta.yaml")["encoder"]["where"] == "checkpoint"


def test_an_encoder_of_the_hub_is_named_with_its_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit of the hub's cache; the newest there may be another by the time that the pack is loaded."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    revision = put_into_cache(tmp_path / "cache", "user/wavlm", save_tiny(tmp_path / "model", "wavlm-base"))
    experiment = _ssl_experiment(tmp_path, "user/wavlm", local_files_only=True)
    pack_experiment(experiment, tmp_path / "a.zip", PackOptions())
    config, meta = (_yaml(tmp_path / "a.zip", name) for name in ("config.yaml", "meta.yaml"))
    assert config["encoder_conf"]["model"] == f"user/wavlm@{revision}"
    assert not [name for name in _names(tmp_path / "a.zip") if name.startswith("packed_encoder/")]
    assert (meta["encoder"]["name"], meta["encoder"]["revision"]) == ("user/wavlm", revision)
    expected = EmotionTranscriber.from_pretrained(experiment)(_speech()).posteriors
    for name in ("user/wavlm", f"user/wavlm@{revision}"):  # not that of the hub, though of the same name
        save_tiny(tmp_path / "here" / name, "wavlm-base", seed=1)
    with monkeypatch.context() as here:
        here.chdir(tmp_path / "here")
        assert np.array_equal(EmotionTranscriber.from_pretrained(tmp_path / "a.zip")(_speech()).posteriors, expected)
    pack_experiment(experiment, tmp_path / "b.zip", PackOptions(pack_encoder="true"))
    shutil.rmtree(tmp_path / "cache")
    EmotionTranscriber.from_pretrained(tmp_path / "b.zip")(_speech())
    with pytest.raises(ConfigError, match="pretrained model can't be had from the hub"):
        EmotionTranscriber.from_pretrained(tmp_path / "a.zip")


@pytest.mark.parametrize("as_zip", [True, False])
def test_the_encoder_of_a_recogniser_comes_along(tmp_path: Path, as_zip: bool) -> None:
    make_recogniser(tmp_path / "exp/asr")
    source = pack_recogniser(tmp_path, "exp/asr") if as_zip else tmp_path / "exp/asr"
    config = tiny_config(encoder="espnet_asr", encoder_conf={"source": str(source)}, normalize=None, frontend_conf=None)
    torch.manual_seed(1)
    experiment = tmp_path / "exp/ent"
    experiment.mkdir()
    (experiment / "config.yaml").write_text(yaml.safe_dump(config))
    write_checkpoint(experiment / CHECKPOINT, build_model(config).state_dict())
    pack_experiment(experiment, tmp_path / "a.zip", PackOptions())
    expected = EmotionTranscriber.from_pretrained(experiment)(_speech()).posteriors
    shutil.rmtree(tmp_path / "exp")
    (tmp_path / "asr.zip").unlink(missing_ok=True)
    assert np.array_equal(EmotionTranscriber.from_pretrained(tmp_path / "a.zip")(_speech()).posteriors, expected)
    assert len(_yaml(tmp_path / "a.zip", "meta.yaml")["encoder"]["sha256"]) == 64
