"""Stages 14 to 16 of ent.sh: packing, upload, check."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.recipes.stage_calls import DECODED, EXP, options_of, run_stage, touch
from tests.recipes.workspace import Workspace, make_workspace

_PACK = f"{EXP}/ent_train_ent_mini_raw_char_valid.loss.ave.zip"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path)


def _decoded(workspace: Workspace, *sets: str) -> None:
    touch(workspace, f"{EXP}/config.yaml", *(f"{DECODED}/{name}/made_from.json" for name in sets))


def test_stage_14_packs_the_model_with_all_test_sets(workspace: Workspace) -> None:
    _decoded(workspace, "test", "zed_test")
    options = options_of(run_stage(workspace, 14, "--test_sets", "test zed_test", "--corpora", "a b")[0])
    assert options["--exp"] == [EXP]
    assert options["--out"] == [_PACK]
    assert options["--decoded"] == [f"{DECODED}/test", f"{DECODED}/zed_test"]
    assert (options["--corpora"], options["--lang"], options["--pack_encoder"]) == (["a", "b"], ["en"], ["auto"])
    assert "--lm_exp" not in options


def test_stage_14_wants_decoded_sets_unless_they_are_skipped(workspace: Workspace) -> None:
    _decoded(workspace, "test")
    refused = workspace.run("mini", "--stage", "14", "--stop_stage", "14", "--test_sets", "test zed_test")
    assert refused.stderr.endswith("zed_test/made_from.json is missing; next: rerun stage 12 (--stage 12)\n")
    (call,) = run_stage(workspace, 14, "--test_sets", "test zed_test", "--skip_eval", "true")
    assert options_of(call)["--decoded"] == [f"{DECODED}/test"]


def test_stage_14_packs_the_language_model_that_was_decoded_with(workspace: Workspace) -> None:
    tag = "decode_greedy_valid.loss.ave_lm_train_lm_mini_char"
    touch(workspace, f"{EXP}/config.yaml", f"{EXP}/{tag}/test/made_from.json")
    (call,) = run_stage(workspace, 14, "--test_sets", "test", "--use_lm", "true")
    assert options_of(call)["--lm_exp"] == ["exp/lm_train_lm_mini_char"]


def test_stages_15_and_16_work_on_the_pack(workspace: Workspace) -> None:
    refused = workspace.run("mini", "--stage", "15", "--stop_stage", "15")
    assert refused.stderr.endswith("ave.zip is missing; next: rerun stage 14 (--stage 14)\n")
    _decoded(workspace, "test")
    touch(workspace, _PACK)
    (call,) = run_stage(workspace, 15, "--hf_repo", "user/name", "--hf_license", "cc-by-4.0")
    options = options_of(call)
    assert (options["--pack"], options["--hf_repo"], options["--license"]) == ([_PACK], ["user/name"], ["cc-by-4.0"])
    *_, call = run_stage(workspace, 16, "--test_sets", "test zed_test", "--inference_nj", "3")
    options = options_of(call)
    assert call[1] == "espnet_ent.bin.ent_check_pack"
    assert (options["--data"], options["--decoded"]) == (["dump/raw/test"], [f"{DECODED}/test"])
    assert (options["--nj"], "--device" in options) == (["3"], False)


def test_packing_and_upload_can_be_skipped(workspace: Workspace) -> None:
    ended = workspace.run("mini", "--stage", "14", "--stop_stage", "16", "--skip_packing", "true")
    assert (ended.returncode, workspace.calls()) == (0, [])
    touch(workspace, _PACK)
    ended = workspace.run("mini", "--stage", "15", "--stop_stage", "15", "--skip_upload_hf", "true")
    assert (ended.returncode, workspace.calls()) == (0, [])


def test_a_downloaded_model_takes_the_place_of_training(workspace: Workspace) -> None:
    """The stand-in prints no checkpoint's name; what is called is all that counts."""
    touch(workspace, "data/test/wav.scp", "dump/raw/test/wav.scp", "exp/a_model/config.yaml")
    given = ("--download_model", "user/a_model", "--test_sets", "test", "--calibrate", "false")
    ended = workspace.run("mini", "--stage", "3", "--stop_stage", "12", *given)
    assert ended.returncode == 0, ended.stderr
    unpacking, formatting, decoding, its_options = workspace.calls()  # cut in two by the name that is empty
    assert unpacking == ["-m", "espnet_ent.bin.ent_unpack", "user/a_model", "--out", "exp/a_model"]
    assert formatting[1] == "espnet_ent.bin.ent_format"
    assert decoding[1] == "espnet_ent.bin.ent_decode"
    assert its_options[:2] == ["--exp", "exp/a_model"]
    workspace.calls_file.unlink()
    ended = workspace.run("mini", "--stage", "14", "--stop_stage", "15", *given)
    assert ended.returncode == 0, ended.stderr
    assert workspace.calls() == [unpacking]  # it is packed already
