"""What sets of a fold share is found: each kind alone, all at once, and nothing in clean sets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from espnet_ent.bin import ent_check_leakage
from espnet_ent.data.datadir import write_data_dir
from espnet_ent.data.leakage import KINDS, find_leaks
from espnet_ent.data.utterance import Utterance
from espnet_ent.errors import ConfigError, DataError


def make_set(root: Path, name: str, seed: int) -> list[Utterance]:
    """Three utterances of two speakers of one session, two dialogs."""
    rng = np.random.default_rng(seed)
    utterances = []
    for number in range(3):
        path = root / "audio" / f"{name}{number}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, (rng.standard_normal(800) * 3000).astype(np.int16), 16000)
        utterances.append(Utterance(f"{name}-{number}", f"{name}-s{number % 2}", str(path), "A", "neu"))
    return utterances


def write_set(root: Path, name: str, utterances: list[Utterance], session: str, dialogs: tuple[str, ...]) -> str:
    write_data_dir(root / name, utterances)
    (root / name / "utt2session").write_text("".join(f"{u.utt_id} {session}\n" for u in utterances))
    lines = [f"{u.utt_id} {dialog}\n" for u, dialog in zip(utterances, dialogs, strict=True)]
    (root / name / "utt2dialog").write_text("".join(lines))
    return str(root / name)


@pytest.fixture
def sets(tmp_path: Path) -> dict[str, list[Utterance]]:
    return {name: make_set(tmp_path, name, seed) for seed, name in enumerate(("train", "dev", "test"))}


def leaks(
    root: Path, sets: dict[str, list[Utterance]], changed: dict | None = None, **options
) -> list[tuple[str, str]]:
    for name, utterances in sets.items():
        tables = {"session": name, "dialogs": (f"{name}-a", f"{name}-a", f"{name}-b"), **(changed or {}).get(name, {})}
        write_set(root, name, utterances, tables["session"], tables["dialogs"])
    tests = [root / name for name in sets if name.startswith("test")]
    found = find_leaks(root / "train", root / "dev", tests, nj=2, **options)
    return [(leak.kind, str(leak).replace(f"{root}/", "")) for leak in found]


def test_clean_sets(tmp_path: Path, sets: dict) -> None:
    assert leaks(tmp_path, sets) == []


def test_a_speaker_in_two_sets(tmp_path: Path, sets: dict) -> None:
    sets["test"][2] = replace(sets["test"][2], speaker="train-s0")
    assert leaks(tmp_path, sets) == [("speaker", "speaker 'train-s0' is in train (train-0 train-2) and test (test-2)")]


def test_the_same_recording_in_another_format_and_under_another_name(tmp_path: Path, sets: dict) -> None:
    samples, rate = soundfile.read(sets["dev"][1].audio, dtype="int16")
    longer = np.concatenate([np.zeros(160, np.int16), samples])
    soundfile.write(tmp_path / "copy.flac", longer, rate)
    sets["test"] = [
        replace(u, audio=str(tmp_path / "copy.flac") if n == 0 else u.audio, start=0.01 if n == 0 else 0.0, end=0.06)
        for n, u in enumerate(sets["test"])
    ]
    expected = "the same recording is in dev (dev-1) and test (test-0)"
    assert leaks(tmp_path, sets) == [("audio", expected)]


def test_a_session_and_a_dialog(tmp_path: Path, sets: dict) -> None:
    changed = {"dev": {"session": "train"}, "test": {"dialogs": ("dev-b", "x", "y")}}
    assert leaks(tmp_path, sets, changed) == [
        ("session", "session 'train' is in train (train-0 train-1 train-2) and dev (dev-0 dev-1 dev-2)"),
        ("dialog", "dialog 'dev-b' is in dev (dev-2) and test (test-0)"),
    ]


def test_a_set_is_not_its_own_test_set_unless_the_protocol_says_so(tmp_path: Path, sets: dict) -> None:
    sets["test"] = sets["dev"]
    changed = {"test": {"session": "dev", "dialogs": ("dev-a", "dev-a", "dev-b")}}
    assert {kind for kind, _ in leaks(tmp_path, sets, changed)} == set(KINDS)
    assert leaks(tmp_path, sets, changed, dev_is_test=True) == []
    assert {kind for kind, _ in leaks(tmp_path, sets, changed, allowed=["speaker", "audio"])} == {
        "utterance",
        "dialog",
        "session",
    }


def test_training_on_the_test_set_is_found_whatever_the_protocol(tmp_path: Path, sets: dict) -> None:
    sets["test"] = sets["train"]
    assert {kind for kind, _ in leaks(tmp_path, sets, dev_is_test=True)} == {"utterance", "audio", "speaker"}


def test_test_sets_may_overlap(tmp_path: Path, sets: dict) -> None:
    assert leaks(tmp_path, {**sets, "test_again": sets["test"]}) == []


def test_without_sessions_the_rest_is_compared(tmp_path: Path, sets: dict) -> None:
    for name, utterances in sets.items():
        write_data_dir(tmp_path / name, utterances)
    assert find_leaks(tmp_path / "train", tmp_path / "dev", [tmp_path / "test"]) == []


def test_the_command_lists_all_leaks_and_ends_in_one_line(
    tmp_path: Path, sets: dict, capsys: pytest.CaptureFixture
) -> None:
    for name, utterances in sets.items():
        write_data_dir(tmp_path / name, utterances)
    options = ["--train", f"{tmp_path}/train", "--dev", f"{tmp_path}/dev", "--test", f"{tmp_path}/test"]
    ent_check_leakage.main(options)
    assert "no leak between" in capsys.readouterr().out
    with pytest.raises(DataError, match="5 leaks between"):
        ent_check_leakage.main(["--train", f"{tmp_path}/test", *options[2:], "--allow", "audio"])
    out = capsys.readouterr().out
    assert out.count("leak: utterance") == 3  # a set is no other set than itself
    assert out.count("leak: speaker") == 2


def test_unknown_kind(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown kind"):
        find_leaks(tmp_path, tmp_path, [], allowed=["sentence"])
