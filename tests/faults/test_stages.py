"""Commands of the stages killed at any moment: what they write is whole or absent."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from espnet_ent.bin import ent_decode, ent_format, ent_pack, ent_score
from tests.amounts import amount
from tests.faults import trials
from tests.plugin.experiment import make_set
from tests.plugin.packed import PackedExperiment

pytestmark = pytest.mark.fault
_MOST_TRIES = 40


def _content(path: Path) -> dict[str, bytes] | bytes:
    """What is there, without the name of the place, which tables of audio hold."""
    if path.is_file():
        return path.read_bytes()
    files = [file for file in path.rglob("*") if file.is_file()]
    return {file.relative_to(path).as_posix(): file.read_bytes().replace(bytes(path), b"") for file in files}


def _is_whole(out: Path, whole: Path) -> bool:
    """Whether what is there is as it should be: all at once, or, of scores, file by file with results.json last."""
    found, expected = _content(out), _content(whole)
    if not isinstance(found, dict) or "results.json" not in expected:
        return found == expected
    kept = {name: content for name, content in found.items() if ".tmp." not in name}
    return kept.items() <= expected.items() and ("results.json" not in kept or kept == expected)


def _kill_all_the_way(main: Callable, argv: Callable[[Path], list[str]], root: Path, name: str, kills: int) -> int:
    """Kill a command ``kills`` times; how often it had a half-written output."""
    whole = root / "whole" / name
    begin = time.monotonic()
    assert trials.finish(trials.start(argv(whole), root / "log", main)) == 0, (root / "log").read_text()
    seconds, draw, done, half = time.monotonic() - begin, random.Random(4), 0, 0
    for number in range(_MOST_TRIES * kills):
        if done == kills:
            break
        out = root / str(number) / name
        pid = trials.start(argv(out), root / "log", main)
        if number % 2:
            trials.wait_for(trials.saves_begin(out.parent, 1), pid)
            trials.wait_randomly(draw, 0.01, pid)
        else:
            trials.wait_randomly(draw, seconds, pid)
        if not trials.kill(pid):
            continue
        done, half = done + 1, half + bool(out.parent.is_dir() and trials.stale(out.parent))
        assert not out.exists() or _is_whole(out, whole)
        assert trials.finish(trials.start(argv(out), root / "log", main)) == 0, (root / "log").read_text()
        assert _content(out) == _content(whole)
        assert trials.stale(out.parent) == []
    assert done == kills
    return half


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_set(tmp_path_factory.mktemp("set") / "test", 40)


def test_decoding(packed: PackedExperiment, data: Path, tmp_path: Path, figures) -> None:
    def argv(out: Path) -> list[str]:
        return ["--exp", str(packed.experiment), "--data", str(data), "--out", str(out)]

    half = _kill_all_the_way(ent_decode.main, argv, tmp_path, "test", amount(30, 3))
    promise = "kill -9 while a set is decoded: what is there is whole, and decoding again gives the same bytes"
    figures("Decoding", promise, kills=amount(30, 3), with_a_half_written_file=half)


def test_other_commands(packed: PackedExperiment, data: Path, tmp_path: Path, figures) -> None:
    scored = ["--ref", str(packed.data), "--hyp", str(packed.decoded), "--emotion_list"]
    scored += [str(packed.root / "emotion_list")]
    packing = ["--exp", str(packed.experiment), "--decoded", str(packed.decoded), "--corpora", "mini"]
    commands = {
        "format": (ent_format.main, ["--data", str(data), "--fs", "16000", "--audio_format", "flac.ark"], "set"),
        "score": (ent_score.main, scored, "score"),
        "pack": (ent_pack.main, packing, "model.zip"),
    }
    for name, (main, options, output) in commands.items():
        root = tmp_path / name
        root.mkdir()
        half = _kill_all_the_way(
            main, lambda out, options=options: [*options, "--out", str(out)], root, output, amount(10, 2)
        )
        promise = "kill -9 of the commands that format, score and pack: what is there is whole, and the same again"
        figures("Decoding", promise, kills=amount(10, 2), with_a_half_written_file=half)
