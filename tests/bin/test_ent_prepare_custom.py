"""Stage 1 for a user's own corpus, as a command."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from espnet_ent.bin.ent_prepare_custom import main
from espnet_ent.data.datadir import read_data_dir
from tests.bin.heavy_modules import heavy_modules
from tests.corpora.manifests import sound_rows, write_tsv

ROOT = Path(__file__).parents[2]
OPTIONS = ["--columns", "audio=file,emotion=emotion4,transcript=text_norm,split=part", "--split_map", "valid=test"]


def write_corpus(root: Path) -> Path:
    """A manifest with columns of other names, beside columns of the usual ones."""
    rows = []
    for row in sound_rows(root, 16):
        part = "valid" if row["speaker"] == "dora" else "train"
        rows.append(
            {"utt_id": row["id"], "file": row["audio"], "speaker": row["speaker"], "emotion": "coded-7", "part": part}
            | {"emotion4": row["emotion"], "transcript": "Not to be used.", "text_norm": row["transcript"].lower()}
        )
    return write_tsv(root / "manifest.tsv", rows)


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "espnet_ent.bin.ent_prepare_custom", *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


def test_data_directories_and_their_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = write_corpus(tmp_path / "my corpus")
    out = tmp_path / "data"
    main(["--manifest", str(manifest), "--out", str(out), "--dev_share", "0.3", "--drop_labels", "sad", *OPTIONS])
    printed = capsys.readouterr().out.splitlines()
    assert printed[:2] == [
        f"{manifest}: warning: no split dev: taken from train, without a common speaker",
        f"{manifest}: warning: no utterance of train is sad",
    ]
    assert printed[2] == (
        f"{out}/train: found 8, used 6 (ang 2 hap 2 neu 2), excluded 2 (label sad 2); 2 speakers, 0.00 h"
    )
    assert [line.partition(":")[0] for line in printed[2:]] == [f"{out}/{part}" for part in ("train", "dev", "test")]
    assert {u.text for u in read_data_dir(out / "train")} == {
        "THE LAMP IS ON",
        "WHO MOVED THE LADDER",
        "ŻÓŁTE ŚWIECE GROSSE ÄPFEL",
    }
    assert (out / "emotion_list").is_file()


def test_defects_are_lines_and_one_error_with_status_2(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path)
    lines = manifest.read_text().splitlines()
    lines[3] = lines[3].replace("angry", "angyr")
    lines[5] = lines[5].replace("take 04", "take 40")
    manifest.write_text("\n".join(lines) + "\n")
    ended = run("--manifest", str(manifest), "--out", "data", *OPTIONS, cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stdout.splitlines() == [
        f"{manifest}:4: unknown emotion label: 'angyr'; did you mean 'angry'?",
        f"{manifest}:6: audio file is missing: {tmp_path}/anna/take 40.wav",
    ]
    assert ended.stderr == (
        f"ent_prepare_custom: error: {manifest}: 2 defects; nothing is written; "
        "next: mend them, or leave the rows at fault out with --on_defects exclude\n"
    )
    assert not (tmp_path / "data").exists()
    ended = run("--manifest", str(manifest), "--out", "data", "--on_defects", "exclude", *OPTIONS, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert sum(map(int, re.findall(r"excluded (\d+)", ended.stdout))) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--manifest", "no.tsv"], "no.tsv: manifest is missing"),
        ([], "the following arguments are required: --manifest"),
        (["--manifest", "manifest.tsv", "--columns", "emtion=x"], "unknown column 'emtion'; did you mean 'emotion'?"),
        (["--manifest", "manifest.tsv", "--emotion_list", "no"], "no: emotion list is missing"),
    ],
)
def test_a_wrong_option_is_one_line_and_status_2(tmp_path: Path, arguments: list[str], message: str) -> None:
    write_corpus(tmp_path)
    ended = run(*arguments, cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.startswith("ent_prepare_custom: error: ")
    assert ended.stderr.count("\n") == 1
    assert message in ended.stderr


def test_an_inventory_of_ones_own(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path)
    (tmp_path / "emotions").write_text(
        "calm neutral neutral\ncross emotion angry\nlow emotion sad\nglad emotion happy\n"
    )
    main(
        [
            "--manifest",
            str(manifest),
            "--out",
            str(tmp_path / "data"),
            "--emotion_list",
            str(tmp_path / "emotions"),
            *OPTIONS,
        ]
    )
    assert (tmp_path / "data/emotion_list").read_text() == (tmp_path / "emotions").read_text()
    assert {u.emotion for u in read_data_dir(tmp_path / "data/test")} == {"calm", "cross", "low", "glad"}


def test_preparation_needs_no_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = write_corpus(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    arguments = ["--manifest", str(manifest), "--out", str(tmp_path / "data"), *OPTIONS]
    assert heavy_modules("espnet_ent.bin.ent_prepare_custom", *arguments) == []
