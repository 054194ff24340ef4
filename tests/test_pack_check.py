"""Stage 16: a pack decodes as the experiment did, in a process of its own, or it is told what differs."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from espnet_ent import pack_check
from espnet_ent.bin import ent_check_pack
from espnet_ent.errors import CheckpointError, ConfigError
from tests.plugin.packed import PackedExperiment


def test_the_pack_decodes_byte_for_byte(
    packed: PackedExperiment,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """From a directory that is neither the experiment's nor the data's, with relative names of both."""
    monkeypatch.chdir(packed.root)
    before = sorted(packed.root.rglob("*"))
    pack, data, decoded = (str(path.relative_to(packed.root)) for path in (packed.pack, packed.data, packed.decoded))
    ent_check_pack.main(["--pack", pack, "--data", data, "--decoded", decoded])
    told = capsys.readouterr().out
    assert told.startswith(f"{pack}: decodes {data} as {decoded}, byte for byte: emo_segments emotion_list ")
    assert " text " in told
    assert "frame_posteriors.ark" in told
    assert sorted(packed.root.rglob("*")) == before


@pytest.fixture
def decoding(packed: PackedExperiment, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The process that decodes gives what stage 12 gave; options of its command."""
    seen: list[str] = []

    def decode(source: str, root: Path, options: list[str]) -> None:
        seen.extend([source, *options])
        shutil.copytree(packed.decoded, root / "decoded", ignore=shutil.ignore_patterns("score"))

    monkeypatch.setattr(pack_check, "_decode", decode)
    return seen


def test_the_batches_are_those_of_stage_12(packed: PackedExperiment, decoding: list[str]) -> None:
    found = pack_check.check_pack(packed.pack, packed.data, packed.decoded, nj=3, device="cuda")
    assert decoding == [str(packed.pack), "--batch_size", "8", "--nj", "3", "--device", "cuda"]
    assert "made_from.json" not in found


@pytest.mark.parametrize("fault", ["changed", "missing", "more"])
def test_what_differs_is_named(packed: PackedExperiment, decoding: list[str], tmp_path: Path, fault: str) -> None:
    decoded = tmp_path / "decoded"
    shutil.copytree(packed.decoded, decoded)
    if fault == "changed":
        (decoded / "utt2emo").write_bytes((decoded / "utt2emo").read_bytes() + b" ")
    elif fault == "missing":
        (decoded / "utt2emo").unlink()
    else:
        record = json.loads((decoded / "made_from.json").read_text())
        record["holds"].remove("utt2emo")
        (decoded / "made_from.json").write_text(json.dumps(record))
    with pytest.raises(
        CheckpointError, match=r"the pack decodes otherwise than stage 12; got differences in utt2emo \("
    ):
        pack_check.check_pack(packed.pack, packed.data, decoded)


def test_other_options_of_decoding_are_no_fault_of_the_pack(
    packed: PackedExperiment, decoding: list[str], tmp_path: Path
) -> None:
    shutil.copytree(packed.decoded, tmp_path / "decoded")
    record = json.loads((packed.decoded / "made_from.json").read_text())
    record["config"]["beam_size"] = 1
    (tmp_path / "decoded" / "made_from.json").write_text(json.dumps(record))
    with pytest.raises(ConfigError, match="the pack decodes with other options than stage 12 did; next: decode with"):
        pack_check.check_pack(packed.pack, packed.data, tmp_path / "decoded")


def test_what_is_not_there_is_one_line(packed: PackedExperiment, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no decoding to compare with; next: rerun stage 12"):
        pack_check.check_pack(packed.pack, packed.data, tmp_path)


def test_a_pack_that_does_not_decode_is_told_in_its_own_words(
    packed: PackedExperiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, object] = {}

    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        seen.update(options, command=command)
        return subprocess.CompletedProcess(command, 2, "", "a warning\nent_decode: error: a.zip: damaged\n")

    monkeypatch.setattr(pack_check.subprocess, "run", run)
    with pytest.raises(ConfigError, match=r"the pack does not decode; got ent_decode: error: a\.zip: damaged"):
        pack_check.check_pack("user/name", packed.data, packed.decoded)
    assert seen["command"][seen["command"].index("--exp") + 1] == "user/name"  # a hub id is no path
