"""Names that a shell or an option parser would take for something else: nothing runs, nothing is lost."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from espnet_ent.bin import ent_decode, ent_filter, ent_format, ent_prepare_custom, ent_score, ent_transcribe
from espnet_ent.data.audio import write_pcm16
from espnet_ent.data.datadir import read_data_dir
from espnet_ent.data.validate import validate_data_dir
from espnet_ent.labels import FOUR_EMOTIONS
from tests.plugin.packed import PackedExperiment
from tests.recipes.stage_calls import touch
from tests.recipes.workspace import make_workspace

pytestmark = pytest.mark.security
RATE = 16000
CANARY = "canary"
COMMAND = f"touch${{IFS}}{CANARY}"
NAMES = [f"$({COMMAND})", f"`{COMMAND}`", f";{COMMAND};", f"&&{COMMAND}", f">{CANARY}", f"<({COMMAND})", "-rf", "--out"]
NAMES += ["--", "a'b", 'a"b', "a\\nb", "a\\", "*", "?", "[a-z]", "{a,b}", "~", "~root", "#a", "!a", "%s", "%n", "a%20b"]
NAMES += [
    "{0}",
    "${HOME}",
    "$HOME",
    "äöü",
    "日本語",
    "اختبار",
    "e\u0301",
    "\u00e9",
    "😀",
    "a.ark:12",
    "...",
    "a,b",
    "a=b",
]
NAMES += ["a|b", "(a)", "<b>", "&amp;", "A", "a", "con", "null", "nan", "1e5", "0", "true", "é" * 60, "x" * 120]
SPACED = ["a b", " a", "a ", "a  b;", f"; {COMMAND}", f"$(touch {CANARY})", f"`touch {CANARY}`", "- a", "a 'b' \"c\""]


def _canaries(*roots: Path) -> list[Path]:
    return [path for root in roots for path in root.rglob("*") if path.name == CANARY]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with spaces and a command in its name."""
    folder = tmp_path / f"a folder; touch {CANARY} $(touch {CANARY})"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def _make_corpus(root: Path) -> list[dict[str, str]]:
    """Recordings with hostile file names, identifiers and speakers."""
    rows = []
    for number, name in enumerate(NAMES):
        file = root / "audio" / f"{(SPACED + NAMES)[number]}{number}.wav"
        file.parent.mkdir(exist_ok=True)
        write_pcm16(file, 0.1 * np.random.default_rng(number).standard_normal(4000), RATE, "wav")
        part = ("train", "dev", "test")[number % 3]
        rows.append({"id": name, "audio": f"audio/{file.name}", "speaker": f"{part}{name}", "split": part})
        rows[-1] |= {"emotion": FOUR_EMOTIONS.names[number // 3 % 4], "text": f"{name} $(touch {CANARY})"}
    with (root / "m.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return rows


def test_names_go_through_all_stages(here: Path, packed: PackedExperiment, capsys, figures) -> None:
    rows = _make_corpus(here)
    ent_prepare_custom.main(["--manifest", "m.csv", "--out", "data", "--text_case", "keep", "--nj", "2"])
    printed = capsys.readouterr().out
    found = {part: read_data_dir(here / "data" / part) for part in ("train", "dev", "test")}
    ids = sorted(utterance.utt_id for part in found.values() for utterance in part)
    assert ids == sorted(row["id"] for row in rows), printed
    FOUR_EMOTIONS.write(here / "emotion_list")
    for part, utterances in found.items():
        names = {utterance.utt_id for utterance in utterances}
        assert [d for d in validate_data_dir(here / "data" / part) if not d.warning] == []
        formatted, kept, decoded = (f"{what} {part}" for what in ("formatted", "kept", "decoded"))
        formatting = ["--data", f"data/{part}", "--out", formatted, "--fs", str(RATE), "--nj", "2"]
        ent_format.main([*formatting, "--audio_format", "wav" if part == "dev" else "flac.ark"])
        ent_filter.main(["--data", formatted, "--out", kept])
        ent_decode.main(["--data", kept, "--exp", str(packed.pack), "--out", decoded, "--nj", "2"])
        ent_score.main(["--ref", kept, "--hyp", decoded, "--emotion_list", "emotion_list", "--out", f"score {part}"])
        for folder, table in ((formatted, "wav.scp"), (kept, "text"), (decoded, "text"), (decoded, "utt2emo")):
            lines = (here / folder / table).read_text(encoding="utf-8").split("\n")
            assert {line.split(" ")[0] for line in lines if line} == names
    assert _canaries(here.parent, Path.cwd()) == []
    figures(
        "Security", "hostile identifiers, file names and folders: nothing is run, nothing is lost", names=len(NAMES)
    )


def test_recordings_are_transcribed_and_every_output_is_in_its_folder(here: Path, packed: PackedExperiment) -> None:
    _make_corpus(here)
    formats = "txt,json,csv,ctm,rttm,srt,vtt,textgrid"
    ent_transcribe.main(["audio", "--model", str(packed.pack), "--out", "out", "--format", formats])
    inside = {path.resolve() for path in (here / "out").rglob("*") if path.is_file()}
    texts = [path for path in inside if path.suffix == ".json"]
    heard = [path for path in (here / "audio").iterdir() if not path.name.startswith(".")]  # hidden files are not
    assert len(texts) == len(heard)
    assert all(json.loads(path.read_text())["duration"] == 0.25 for path in texts)
    assert {path.name for path in here.iterdir()} == {"audio", "m.csv", "out"}
    assert _canaries(here.parent) == []


def _run_with(name: str, root: Path) -> None:
    workspace, one_word = make_workspace(root), name.replace(" ", "${IFS}")  # names of sets are a list
    touch(workspace, f"data/{one_word}/wav.scp", "data/dev/wav.scp")
    options = ("--train_set", one_word, "--ent_tag", name, "--test_sets", "dev", "--expdir", f"exp/{name}")
    ended = workspace.run("mini", "--stage", "3", "--stop_stage", "3", *options)
    assert (ended.stderr, ended.returncode) == ("", 0)
    assert f"data/{one_word}" in [word for call in workspace.calls() for word in call]
    workspace.run("mini", "--stage", "11", "--stop_stage", "13", *options)
    assert _canaries(root) == []


def test_options_of_the_recipe_reach_the_commands_as_they_are(tmp_path: Path) -> None:
    _run_with(f"a $(touch {CANARY}) `touch {CANARY}`; touch {CANARY} && 'b' \"c\" * ${{HOME}} >{CANARY}", tmp_path)


@pytest.mark.fault
@pytest.mark.parametrize("name", [name for name in [*NAMES, *SPACED] if not name.startswith(("-", "..."))])
def test_each_name_as_an_option_of_the_recipe(name: str, tmp_path: Path, figures) -> None:
    _run_with(name, tmp_path)
    figures("Security", "hostile names as options of a recipe: each reaches its command as it is", names=1)
