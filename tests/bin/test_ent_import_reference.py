"""The command that imports checkpoints of the public ENT code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from espnet_ent.bin.ent_import_reference import main
from espnet_ent.plugin.reference_import import ReferenceOptions, import_reference
from tests.plugin.reference_standin import TinySsl, reference_state, stand_in


def test_command_equals_function(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ssl = TinySsl()
    stand_in(monkeypatch, ssl)
    torch.save(reference_state("fent", ssl, num_tokens=5, num_emotions=2), tmp_path / "model.pth")
    (tmp_path / "emotions").write_text("sad emotion\nneu neutral\n")
    (tmp_path / "tokens").write_text("<blank>\n<unk>\n<space>\nA\n<sos/eos>\n")
    lists = {"emotion_list": str(tmp_path / "emotions"), "token_list": str(tmp_path / "tokens")}
    options = ["--emotion_list", lists["emotion_list"], "--token_list", lists["token_list"], "--ssl", "some/model"]
    main([str(tmp_path / "model.pth"), "--type", "fent", "--out", str(tmp_path / "a"), *options])
    import_reference(tmp_path / "model.pth", tmp_path / "b", ReferenceOptions("fent", ssl="some/model", **lists))
    names = ["config.yaml", "imported_tensors.txt", "valid.loss.ave.pth"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == names
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert "model: some/model" in (tmp_path / "a" / "config.yaml").read_text()
    told = capsys.readouterr().out
    assert told == f"{tmp_path / 'a'}: 52 tensors taken, 10 not needed; imported_tensors.txt tells which and why\n"


def test_a_user_error_is_one_line_and_status_2(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(1)}, tmp_path / "model.pth")
    command = [sys.executable, "-m", "espnet_ent.bin.ent_import_reference", str(tmp_path / "model.pth")]
    command += ["--type", "ent", "--out", str(tmp_path / "out")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert ended.stderr.startswith("ent_import_reference: error: ")
    assert "1 unknown (weight)" in ended.stderr
    assert not (tmp_path / "out").exists()
