"""Where a recogniser may come from, and what is refused: in one line, without running or writing anything."""

from __future__ import annotations

import shutil
import stat
import sys
import types
import zipfile
from pathlib import Path

import pytest
import torch
import yaml

from espnet_ent.errors import CheckpointError, ConfigError, EntError
from espnet_ent.plugin.asr_source import read_architecture, read_asr_source
from espnet_ent.plugin.builder import build_model
from tests.plugin.asr_models import CHECKPOINT, make_recogniser, pack_recogniser
from tests.plugin.tiny import tiny_config


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    root = tmp_path_factory.mktemp("packed")
    make_recogniser(root / "exp/asr")
    pack_recogniser(root, "exp/asr")
    return root


@pytest.fixture
def experiment(packed, tmp_path):
    shutil.copytree(packed / "exp/asr", tmp_path / "asr", symlinks=True)
    return tmp_path / "asr"


def same(one, other):
    equal = all(torch.equal(value, other.state[key]) for key, value in one.state.items())
    return one.architecture == other.architecture and one.state.keys() == other.state.keys() and equal


def rewrite(archive, target, change):
    """A copy of a zip; ``change(name, data)`` gives the name or ZipInfo and the data of each member, or None."""
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(target, "w") as copy:
        for name in source.namelist():
            changed = change(name, source.read(name))
            if changed is not None:
                copy.writestr(*changed)
    return target


def refused(source, message, error=EntError, **options):
    with pytest.raises(error, match=message) as raised:
        read_asr_source(str(source), **options)
    assert "\n" not in str(raised.value)
    assert str(source) in str(raised.value)


def test_directory_zip_and_unpacked_zip_hold_the_same(packed, tmp_path):
    from_directory = read_asr_source(str(packed / "exp/asr"))
    from_zip = read_asr_source(str(packed / "asr.zip"))
    assert {key.partition(".")[0] for key in from_zip.state} == {"frontend", "normalize", "encoder"}
    assert same(from_directory, from_zip)
    with zipfile.ZipFile(packed / "asr.zip") as archive:
        archive.extractall(tmp_path / "unpacked")
    assert same(from_zip, read_asr_source(str(tmp_path / "unpacked")))
    assert read_architecture(str(packed / "asr.zip")) == from_zip.architecture
    assert from_zip.architecture["fs"] == 16000
    assert "stats_file" not in from_zip.architecture["normalize_conf"]


def test_nothing_is_written(packed, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    before = sorted(packed.rglob("*"))
    read_asr_source(str(packed / "asr.zip"))
    assert list(tmp_path.iterdir()) == []
    assert sorted(packed.rglob("*")) == before


def test_the_checkpoint_of_an_experiment_may_be_named(experiment):
    changed = {key: value + 1 for key, value in torch.load(experiment / CHECKPOINT).items()}
    torch.save(changed, experiment / "3epoch.pth")
    assert not same(read_asr_source(str(experiment)), read_asr_source(str(experiment), "3epoch.pth"))


def test_an_experiment_without_the_usual_checkpoints_tells_what_there_is(experiment):
    (experiment / CHECKPOINT).unlink()
    refused(experiment, r"valid\.acc\.ave\.pth or .*got valid\.acc\.ave_2best\.pth; next: name one with encoder_conf\.")
    (experiment / "valid.acc.ave_2best.pth").unlink()
    refused(experiment, r"got no \*\.pth; next: train the recogniser")


def test_a_checkpoint_can_not_be_named_in_a_packed_model(packed):
    with pytest.raises(ConfigError, match="a packed model has one checkpoint"):
        read_asr_source(str(packed / "asr.zip"), "3epoch.pth")


@pytest.mark.parametrize("name", ["config.yaml", "valid.acc.ave_2best.pth"])
def test_a_missing_file_is_named(experiment, name):
    (experiment / name).unlink()
    refused(experiment, r"config\.yaml: file of the source is missing|checkpoint", CheckpointError)


@pytest.mark.parametrize("name", ["meta.yaml", "exp/asr/config.yaml", "exp/asr/valid.acc.ave_2best.pth"])
def test_a_missing_member_is_named(packed, tmp_path, name):
    archive = rewrite(
        packed / "asr.zip", tmp_path / "a.zip", lambda member, data: None if member == name else (member, data)
    )
    refused(archive, f"a.zip: {name}: file of the source is missing", CheckpointError)


@pytest.mark.parametrize("name", ["../evil.pth", "exp/../../evil", "/tmp/evil", "C:evil", "exp\\..\\evil"])
def test_a_zip_whose_names_lead_out_of_it_is_refused(packed, tmp_path, name):
    archive = tmp_path / "a.zip"
    shutil.copy(packed / "asr.zip", archive)
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr(name, "evil")
    refused(archive, "a file's name leads out of its directory", CheckpointError)


def test_a_zip_with_a_link_is_refused(packed, tmp_path):
    archive = tmp_path / "a.zip"
    shutil.copy(packed / "asr.zip", archive)
    link = zipfile.ZipInfo("exp/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr(link, "/etc")
    refused(archive, "packed model holds a link; got exp/link", CheckpointError)


@pytest.mark.parametrize("as_zip", [True, False])
def test_a_description_that_points_out_of_the_source_is_refused(packed, tmp_path, as_zip):
    def change(name, data):
        if name == "meta.yaml":
            meta = yaml.safe_load(data)
            meta["files"]["asr_model_file"] = "../../etc/passwd"
            data = yaml.safe_dump(meta)
        return name, data

    source = rewrite(packed / "asr.zip", tmp_path / "a.zip", change)
    if not as_zip:
        source = tmp_path / "unpacked"
        with zipfile.ZipFile(tmp_path / "a.zip") as archive:
            archive.extractall(source)
    refused(source, "leads out of its directory; got '../../etc/passwd'", CheckpointError)


def test_a_model_of_another_task_is_refused(packed, tmp_path):
    def change(name, data):
        return name, data.replace(b"asr_model_file", b"tts_model_file") if name == "meta.yaml" else data

    refused(
        rewrite(packed / "asr.zip", tmp_path / "a.zip", change), "not a packed ASR model; expected files.asr_model_file"
    )


def test_damage_is_found(packed, tmp_path):
    whole = (packed / "asr.zip").read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    refused(tmp_path / "cut.zip", "not a packed model, or a damaged one", CheckpointError)
    with zipfile.ZipFile(packed / "asr.zip") as archive:
        members = {info.filename: info.header_offset for info in archive.infolist()}
    for name, offset in members.items():
        if name.endswith((".pth", "config.yaml")):
            flipped = bytearray(whole)
            flipped[offset + 1000] ^= 1
            (tmp_path / "flipped.zip").write_bytes(flipped)
            refused(tmp_path / "flipped.zip", "packed model is damaged; got Bad CRC-32", CheckpointError)
    (tmp_path / "text.zip").write_text("text")
    refused(tmp_path / "text.zip", "not a packed model", CheckpointError)


def test_a_checkpoint_that_runs_code_is_refused_and_does_not_run(experiment, tmp_path):
    class Evil:
        def __reduce__(self):
            return Path.touch, (tmp_path / "run",)

    torch.save({"encoder.x": Evil()}, experiment / "valid.acc.ave_2best.pth")
    refused(experiment, "checkpoint holds more than plain data and tensors; got getattr", CheckpointError)
    (tmp_path / "exp").mkdir()
    experiment.rename(tmp_path / "exp/asr")
    refused(pack_recogniser(tmp_path, "exp/asr"), r"asr\.zip: .*2best\.pth: checkpoint holds more", CheckpointError)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder_conf": {"output_sise": 4}}, "asr: encoder_conf: unknown option 'output_sise'; did you mean 'output"),
        ({"encoder_conf": {"attention_heads": 3}}, "asr: encoder_conf: conformer refuses its options"),
        ({"encoder": "whisper"}, "asr: encoder: unknown encoder; expected one of conformer"),
        ({"encoder": "espnet_asr"}, "asr: encoder: unknown encoder"),
        ({"encoder": None}, "the source has no encoder"),
        ({"frontend": "s3prl"}, "asr: frontend: unknown frontend; expected one of default"),
        ({"preencoder": "nothing"}, "asr: preencoder: unknown preencoder"),
        ({"input_size": 80}, "the source reads features, not audio"),
        ({"frontend_conf": {"fs": "many"}}, "not a sample rate; got 'many'"),
        ({"frontend_conf": [1]}, "frontend_conf: options are not a mapping"),
        ({"model_conf": {}, "encoder_conf": {"interctc_use_conditioning": True}}, "reads CTC output is not supported"),
        (
            {"encoder_conf": {"output_size": 8, "attention_heads": 2}},
            "does not fit its own configuration; got .* shape",
        ),
        ({"normalize": "utterance_mvn", "normalize_conf": {}}, "own configuration; got 2 unexpected"),
    ],
)
def test_a_configuration_that_is_of_no_use_is_one_line(experiment, changes, message):
    config = yaml.safe_load((experiment / "config.yaml").read_text())
    (experiment / "config.yaml").write_text(yaml.safe_dump({**config, **changes}))
    with pytest.raises(EntError, match=message) as raised:
        build_model(tiny_config(encoder="espnet_asr", encoder_conf={"source": str(experiment)}, frontend_conf=None))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", ["a: [", "- 1\n", "", "a: !!python/object/apply:os.getcwd []\n"])
def test_a_configuration_that_is_no_mapping_of_plain_data_is_refused(experiment, text):
    (experiment / "config.yaml").write_text(text)
    refused(experiment, r"config\.yaml: not YAML|config\.yaml: not a mapping", CheckpointError)


def test_a_checkpoint_without_an_encoder_is_refused(experiment):
    torch.save({"decoder.weight": torch.zeros(2)}, experiment / CHECKPOINT)
    refused(experiment, r"no parameter of an encoder; expected names that begin with encoder\.", CheckpointError)
    torch.save({"epoch": 3}, experiment / CHECKPOINT)
    refused(experiment, "not a model's parameters", CheckpointError)


class Client:
    """ESPnet's model zoo as far as it is used."""

    url = "https://zenodo.org/asr.zip"
    answers: dict = {}  # noqa: RUF012 (set by the tests)

    def get_url(self, name):
        return self.url

    def download(self, name):
        return self._answer("download", name)

    def huggingface_download(self, name):
        return self._answer("huggingface_download", name)

    def _answer(self, method, name):
        answer = self.answers[method, name]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def zoo(monkeypatch):
    module = types.ModuleType("espnet_model_zoo.downloader")
    module.ModelDownloader = type("Client", (Client,), {})
    monkeypatch.setitem(sys.modules, "espnet_model_zoo", types.ModuleType("espnet_model_zoo"))
    monkeypatch.setitem(sys.modules, "espnet_model_zoo.downloader", module)
    return module.ModelDownloader


def test_a_tag_is_downloaded_by_the_zoos_client(packed, zoo, tmp_path):
    expected = read_asr_source(str(packed / "asr.zip"))
    zoo.answers = {("download", "user/asr"): str(packed / "asr.zip")}
    assert same(read_asr_source("user/asr"), expected)
    with zipfile.ZipFile(packed / "asr.zip") as archive:
        archive.extractall(tmp_path / "snapshot")
    zoo.url = "huggingface.co"
    zoo.answers = {("huggingface_download", "user/asr"): str(tmp_path / "snapshot")}
    assert same(read_asr_source("user/asr"), expected)


def test_a_zoo_that_can_not_be_reached_is_one_line(zoo):
    zoo.answers = {("download", "user/asr"): ConnectionError("no route\nto host")}
    refused("user/asr", r"model zoo does not give it; got 'user/asr' \(ConnectionError: no route\); next", ConfigError)


def test_without_the_zoos_client_a_tag_is_one_line(monkeypatch):
    for module in ("espnet_model_zoo", "espnet_model_zoo.downloader"):
        monkeypatch.setitem(sys.modules, module, None)
    refused("user/asr", "espnet_model_zoo is not installed to look it up as a tag; got 'user/asr'; next: ", ConfigError)
