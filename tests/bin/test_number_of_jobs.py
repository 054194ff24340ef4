"""What stages make does not depend on the number of jobs: 1, 4, 10, 12; tests of 2, 3 and 9 stand by theirs."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

from espnet_ent.data.shares import Share
from espnet_ent.errors import ConfigError, DataError
from tests.data.dirs import make_data_dir, read_tree
from tests.plugin.experiment import make_data, options
from tests.plugin.packed import PackedExperiment


def run(command: str, *arguments: object) -> None:
    """Call a command's main function."""
    importlib.import_module(f"espnet_ent.bin.ent_{command}").main([str(argument) for argument in arguments])


def test_validation_finds_the_same_defects_in_the_same_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = make_data_dir(tmp_path)
    wavs = [line.split(maxsplit=1)[1] for line in (data / "wav.scp").read_text().splitlines()]
    Path(wavs[1]).write_bytes(b"RIFF no audio")
    Path(wavs[3]).unlink()
    told = []
    for nj in (1, 3):
        with pytest.raises(DataError, match="2 defects"):
            run("validate", data, "--fs", 16000, "--nj", nj)
        told.append(capsys.readouterr().out)
    assert told[0] == told[1]
    assert wavs[1] in told[0]


def test_leaks_are_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = []
    for name in ("train", "dev"):
        (tmp_path / name).mkdir()
        make_data_dir(tmp_path / name)
    sets = [next((tmp_path / name).rglob("wav.scp")).parent for name in ("train", "dev")]
    for nj in (1, 3):
        with pytest.raises(DataError) as caught:
            run("check_leakage", "--train", sets[0], "--dev", sets[1], "--test", "--nj", nj)
        told.append((str(caught.value), capsys.readouterr().out))
    assert told[0] == told[1]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("statistics"))


def test_statistics_are_the_same_to_the_rounding_and_shapes_exactly(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for nj in (1, 3):
        run("collect_stats", "--nj", nj, *options(data, tmp_path / f"by{nj}"))
    arguments = options(data, tmp_path / "by shares")
    for number in (3, 1, 2):
        run("collect_stats", "--share", f"{number}/3", *arguments)
    capsys.readouterr()
    run("collect_stats", "--share", "2/3", *arguments)
    run("collect_stats", "--merge", 3, *arguments)
    for again in (("--merge", 3), ("--share", "2/3"), ("--nj", 2)):
        run("collect_stats", *again, *arguments)
    assert capsys.readouterr().out.count("is there already") == 4
    expected = read_tree(tmp_path / "by1")
    assert {"train/speech_shape", "valid/text_shape", "train/feats_stats.npz"} <= expected.keys()
    for other in ("by3", "by shares"):
        found = read_tree(tmp_path / other)
        assert found.keys() == expected.keys()
        assert [name for name in found if name.endswith("shape") and found[name] != expected[name]] == []
        for name in (name for name in found if name.endswith(".npz")):
            one, several = np.load(tmp_path / "by1" / name), np.load(tmp_path / other / name)
            assert one["count"] == several["count"]
            for key in ("sum", "sum_square"):
                np.testing.assert_allclose(several[key], one[key], rtol=1e-6)
    assert not list(tmp_path.glob(".*"))


def test_a_missing_share_of_statistics_is_said(data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"1of2: a share of the statistics is missing; next: rerun stage 10"):
        run("collect_stats", "--merge", 2, *options(data, tmp_path / "stats"))


def test_a_decoding_is_the_same_to_the_byte(
    packed: PackedExperiment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    decoding = ["--exp", packed.experiment, "--data", packed.data, "--batch_size", 2, "--beam_size", 2, "--nbest", 2]
    for nj in (1, 3):
        run("decode", *decoding, "--nj", nj, "--out", tmp_path / f"by{nj}")
    out = tmp_path / "by shares"
    for number in range(1, 6):  # one more than there are batches
        run("decode", *decoding, "--share", f"{number}/5", "--out", out)
    run("decode", *decoding, "--share", "2/5", "--out", out)
    assert not out.exists()
    run("merge_decoded", "--out", out, "--shares", 5)
    run("merge_decoded", "--out", out, "--shares", 5)
    run("decode", *decoding, "--share", "2/5", "--out", out)
    run("decode", *decoding, "--out", out)
    assert capsys.readouterr().out.count("decoded already") == 4
    expected = read_tree(tmp_path / "by1")
    assert {"text", "utt2emo", "2best_recog/score", "frame_posteriors.ark", "made_from.json"} <= expected.keys()
    assert read_tree(tmp_path / "by3") == expected
    assert read_tree(out) == expected
    assert not list(tmp_path.glob(".*"))


def test_shares_of_another_decoding_are_refused(packed: PackedExperiment, tmp_path: Path) -> None:
    decoding = ["--exp", packed.experiment, "--data", packed.data, "--out", tmp_path / "out"]
    run("decode", *decoding, "--share", "1/2")
    with pytest.raises(DataError, match="2of2: a share of the decoding is missing; next: rerun stage 12"):
        run("merge_decoded", "--out", tmp_path / "out", "--shares", 2)
    run("decode", *decoding, "--share", "2/2", "--batch_size", 3)
    with pytest.raises(DataError, match="shares of the decoding are of different data or models"):
        run("merge_decoded", "--out", tmp_path / "out", "--shares", 2)


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "a/b", "1/0"])
def test_what_is_not_a_share_is_said(text: str) -> None:
    with pytest.raises(ConfigError, match=f"--share: not a share; expected 1/n to n/n; got {text}"):
        Share.parse(text)
