"""Stage 15 against a stand-in of the hub: what is uploaded is what people, ours and ESPnet's, download."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from espnet_ent.bin import ent_upload
from espnet_ent.errors import CheckpointError, ConfigError
from espnet_ent.inference import EmotionTranscriber
from espnet_ent.plugin import zoo_entry
from espnet_ent.publishing import PublishOptions, publish
from tests.hub_standin import TOKEN, Hub, run_hub
from tests.plugin.packed import PackedExperiment

# The hub's client uploads as its own HTTP library advises against.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
REPO = "user/ent_tiny"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The stand-in in place of the hub, an empty cache, no token, and no waiting for what fails."""
    with run_hub() as running:
        for name, value in {
            "ENDPOINT": running.url,
            "HUGGINGFACE_CO_URL_TEMPLATE": running.url + "/{repo_id}/resolve/{revision}/{filename}",
            "HF_HUB_CACHE": str(tmp_path / "cache"),
            "HF_HUB_DISABLE_XET": True,
            "HF_HUB_OFFLINE": False,
            "HF_TOKEN_PATH": str(tmp_path / "no token"),
            "HF_STORED_TOKENS_PATH": str(tmp_path / "no tokens"),
        }.items():
            monkeypatch.setattr(constants, name, value)
        for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.delenv(name, raising=False)
        yield running


def test_without_a_token_it_tells_what_would_be_uploaded(
    packed: PackedExperiment, hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ent_upload.main(["--pack", str(packed.pack), "--hf_repo", REPO, "--card", str(tmp_path / "README.md")])
    told = capsys.readouterr().out.splitlines()
    assert told[0] == f"{tmp_path}/README.md: the model card"
    assert told[1].startswith("dry run (no token: hf auth login): 14 files, ")
    assert {"README.md", "config.yaml", "valid.loss.ave.pth"} <= {line.split()[-1] for line in told}
    assert told[-1].startswith(
        f"row for table.csv of espnet_model_zoo: mini,ent,{REPO},https://huggingface.co/,16000,en,"
    )
    assert hub.requests == []
    assert (tmp_path / "README.md").read_text().startswith("---\n")


def test_no_repository_and_asked_for_are_dry_runs_with_a_token(
    packed: PackedExperiment, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    told: list[str] = []
    assert publish(packed.pack, PublishOptions(), told.append) is None
    assert publish(packed.pack, PublishOptions(REPO, dry_run=True), told.append) is None
    assert "dry run (no --hf_repo): 14 files" in told[0]
    assert "would go to user/ent_tiny" in told[0]
    assert any(line.startswith("dry run (asked for)") for line in told)
    assert hub.requests == []


def test_what_is_uploaded_is_downloaded_by_id_and_by_the_zoo_s_client(
    packed: PackedExperiment, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("espnet_model_zoo")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    told: list[str] = []
    url = publish(packed.pack, PublishOptions(REPO), told.append)
    assert url == f"{hub.url}/{REPO}"
    unpacked = packed.unpacked(tmp_path / "unpacked")
    expected = {path.relative_to(unpacked).as_posix(): path.read_bytes() for path in unpacked.rglob("*.*")}
    expected["emotion_list"] = (unpacked / "emotion_list").read_bytes()
    found = dict(hub.repos[REPO])
    assert found.pop("README.md").decode().startswith("---\n")
    assert found == expected
    assert {"valid.loss.ave.pth", "feats_stats.npz"} <= hub.lfs_paths
    assert told[-1] == f"ModelDownloader gives {REPO}: ent_model_file ent_train_config, the files that were uploaded"
    monkeypatch.delenv("HF_TOKEN")
    assert EmotionTranscriber.from_pretrained(REPO).emotions.names == ("hap", "ang", "sad", "neu")
    hub.requests.clear()
    publish_again = publish(packed.pack, PublishOptions(REPO, dry_run=True), told.append)
    assert publish_again is None
    assert hub.requests == []


def test_what_the_hub_refuses_is_one_line(packed: PackedExperiment, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "wrong")
    with pytest.raises(ConfigError, match=r"user/ent_tiny: the hub refuses the upload; got .*401.*next: hf") as raised:
        publish(packed.pack, PublishOptions(REPO), print)
    assert "\n" not in str(raised.value)
    assert "wrong" not in str(raised.value)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub.is_refusing = True
    with pytest.raises(ConfigError, match=r"the hub refuses the upload; got .*403"):
        publish(packed.pack, PublishOptions(REPO), print)
    with pytest.raises(ConfigError, match="user/other: the hub does not give this model"):
        EmotionTranscriber.from_pretrained("user/other")


def test_a_model_that_changed_on_the_hub_is_found(
    packed: PackedExperiment, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("espnet_model_zoo")
    files = packed.unpacked(tmp_path / "unpacked")
    names = [path for path in files.rglob("*") if path.is_file()]
    hub.repos[REPO] = {path.relative_to(files).as_posix(): path.read_bytes() for path in names}
    row = zoo_entry.zoo_row(REPO, {"fs": 16000})
    manifest = (files / "manifest.json").read_bytes()
    assert "the files that were uploaded" in zoo_entry.check_tag(row, manifest)
    with pytest.raises(CheckpointError, match="ModelDownloader gives another model; next: upload it again"):
        zoo_entry.check_tag(row, manifest + b" ")
    hub.repos[REPO]["valid.loss.ave.pth"] = b"other"
    with pytest.raises(CheckpointError, match="not the file that was packed"):
        zoo_entry.check_tag(row, manifest)
    with pytest.raises(ConfigError, match="user/none: ModelDownloader does not give the model; got "):
        zoo_entry.check_tag({**row, "name": "user/none"}, manifest)
    monkeypatch.setitem(__import__("sys").modules, "espnet_model_zoo.downloader", None)
    assert "is not checked: espnet_model_zoo is not installed" in zoo_entry.check_tag(row, manifest)


def test_a_row_has_the_columns_of_the_zoo_s_table() -> None:
    """Those of the table that its client brings."""
    downloader = pytest.importorskip("espnet_model_zoo")
    with open(Path(downloader.__file__).parent / "table.csv", newline="") as file:
        header = next(csv.reader(file))
    row = zoo_entry.zoo_row("user/a,b", {"fs": 16000, "language": "en", "corpora": ["iemocap", "zed"]})
    assert list(row) == header
    assert next(csv.reader(io.StringIO(zoo_entry.zoo_line(row)))) == list(row.values())
    assert (row["corpus"], row["valid"]) == ("iemocap+zed", "true")
