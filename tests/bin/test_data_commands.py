"""The commands of stages 1 to 5, from the corpus to the token list."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

from espnet_ent.data.datadir import read_data_dir
from espnet_ent.data.tokens import TokenList
from espnet_ent.errors import DataError, LabelError
from espnet_ent.labels import FOUR_EMOTIONS, EmotionInventory
from tests.bin.heavy_modules import heavy_modules
from tests.corpora.trees import write_iemocap, write_tone, write_zed
from tests.data.dirs import make_data_dir, read_tree

COMMANDS = ("prepare", "validate", "fix", "perturb", "format", "filter", "tokens")
WAV = "Session2/sentences/wav/Ses02F_impro01/Ses02F_impro01_M000.wav"
EVALUATION = "Session2/dialog/EmoEvaluation/Ses02F_impro01.txt"


def run(command: str, *arguments: str) -> None:
    """Call a command's main function."""
    importlib.import_module(f"espnet_ent.bin.ent_{command}").main(arguments)


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("corpora")
    write_iemocap(root / "IEMOCAP")
    write_zed(root / "ZED")
    return root


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a space in its path."""
    recipe = tmp_path / "my recipe"
    recipe.mkdir()
    monkeypatch.chdir(recipe)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    return recipe


def run_stages(corpora: Path) -> None:
    """Stages 1 to 5 with speed perturbation."""
    run("prepare", "--corpus", "iemocap", "--root", f"{corpora}/IEMOCAP", "--fold", "1")
    run("prepare", "--corpus", "zed", "--root", f"{corpora}/ZED", "--set_name", "zed")
    sets = ["train", "dev", "test", "zed"]
    run("validate", *[f"data/{name}" for name in sets], "--emotion_list", "data/emotion_list", "--fs", "16000")
    run("perturb", "--data", "data/train", "--out", "data/train_sp", "--factors", "0.9", "1.0", "1.1")
    for name, out in [("train_sp", "org/train_sp"), ("dev", "org/dev"), ("test", "test"), ("zed", "zed")]:
        run("format", "--data", f"data/{name}", "--out", f"dump/raw/{out}", "--audio_format", "flac.ark", "--nj", "2")
    for name in ("train_sp", "dev"):
        limits = ["--min_wav_duration", "0.3", "--max_wav_duration", "20"]
        run("filter", "--data", f"dump/raw/org/{name}", "--out", f"dump/raw/{name}", *limits)
    labelled = ["--labelled", "dump/raw/train_sp", "dump/raw/dev", "--emotion_list", "data/emotion_list"]
    run("tokens", "--data", "dump/raw/train_sp", "--out", "data/token_list/char", *labelled)


def test_stages_1_to_5(corpora: Path, recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_stages(corpora)
    printed = capsys.readouterr().out
    assert "data/train: found 21, used 15 (ang 3 hap 6 neu 3 sad 3), excluded 6 (label fru 3, label xxx 3)\n" in printed
    assert "data/zed: found 3, used 3 (ang 1 hap 1 neu 1), excluded 0\n" in printed
    assert "data/train: no defects, no warnings\n" in printed
    sizes = {name: len(read_data_dir(f"dump/raw/{name}")) for name in ("train_sp", "dev", "test", "zed")}
    assert sizes == {"train_sp": 45, "dev": 5, "test": 5, "zed": 3}
    speakers = {name: {u.speaker for u in read_data_dir(f"dump/raw/{name}")} for name in sizes}
    assert speakers["test"] == {"Ses01F", "Ses01M"}
    assert speakers["dev"] == {"Ses02F", "Ses02M"}
    assert {"Ses03F", "sp0.9-Ses03F", "sp1.1-Ses05M"} <= speakers["train_sp"]
    assert TokenList.read("data/token_list/char/tokens.txt").tokens[:3] == ("<blank>", "<unk>", "<space>")
    assert EmotionInventory.read("data/emotion_list").names == FOUR_EMOTIONS.names
    run("validate", "dump/raw/train_sp", "dump/raw/dev", "dump/raw/test", "dump/raw/zed", "--fs", "16000")


def test_finished_stages_change_no_byte(corpora: Path, recipe: Path) -> None:
    run_stages(corpora)
    before = read_tree(recipe)
    run_stages(corpora)
    assert read_tree(recipe) == before


def test_a_recipe_can_be_moved(corpora: Path, recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_stages(corpora)
    moved = recipe.rename(recipe.parent / "elsewhere")
    monkeypatch.chdir(moved)
    run("validate", "dump/raw/train_sp", "dump/raw/dev", "dump/raw/test", "dump/raw/zed")


def test_zed_protocols_train_on_all_sessions(corpora: Path, recipe: Path) -> None:
    sessions = ["--train_sessions", "1", "2", "3", "4", "--dev_sessions", "5"]
    run("prepare", "--corpus", "iemocap", "--root", f"{corpora}/IEMOCAP", *sessions)
    assert {u.speaker[:5] for u in read_data_dir("data/train")} == {"Ses01", "Ses02", "Ses03", "Ses04"}
    assert {u.speaker[:5] for u in read_data_dir("data/dev")} == {"Ses05"}
    assert not Path("data/test").exists()
    run("prepare", "--corpus", "iemocap", "--root", f"{corpora}/IEMOCAP", "--fold", "3", "--protocol", "paper")
    assert len(read_data_dir("data/train")) == 20
    assert Path("data/dev/text").read_bytes() == Path("data/test/text").read_bytes()


def cut_wav(root: Path) -> None:
    (root / WAV).write_bytes((root / WAV).read_bytes()[:-500])


def replace_label(root: Path) -> None:
    text = (root / EVALUATION).read_text()
    (root / EVALUATION).write_text(text.replace("M000\tang", "M000\thpy"))


def drop_transcript(root: Path) -> None:
    path = root / EVALUATION.replace("EmoEvaluation", "transcriptions")
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if "M000 " not in line))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (shutil.rmtree, "not a copy of IEMOCAP"),
        (lambda root: (shutil.rmtree(root), root.mkdir()), "not a copy of IEMOCAP"),
        (drop_transcript, "transcript is missing; expected a line of Ses02F_impro01_M000"),
        (replace_label, "Ses02F_impro01.txt:7: unknown emotion label"),
        (
            lambda root: write_tone(root / WAV, 0.6, sample_rate=8000),
            "wrong sample rate; expected 16000 Hz; got 8000 Hz",
        ),
        (cut_wav, "Ses02F_impro01_M000.wav: wav file is truncated"),
    ],
    ids=["wrong path", "empty directory", "missing transcript", "unknown label", "8 kHz", "truncated"],
)
def test_a_damaged_corpus_is_one_line_and_status_2(
    corpora: Path, recipe: Path, damage: Callable[[Path], object], message: str
) -> None:
    root = Path(shutil.copytree(corpora / "IEMOCAP", recipe / "IEMOCAP"))
    damage(root)
    command = [sys.executable, "-m", "espnet_ent.bin.ent_prepare", "--corpus", "iemocap", "--root", str(root)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.startswith("ent_prepare: error: ")
    assert message in ended.stderr
    assert not Path("data").exists()


def test_validation_prints_every_defect_and_fix_mends_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = str(make_data_dir(tmp_path))
    FOUR_EMOTIONS.write(tmp_path / "emotion_list")
    Path(data, "utt2emo").write_text(Path(data, "utt2emo").read_text().replace("s1-u1 neu", "s1-u1 hpy"))
    Path(data, "text").write_text(Path(data, "text").read_text().removesuffix("\n"))
    options = ["--emotion_list", str(tmp_path / "emotion_list"), "--allow_empty_text", "false"]
    with pytest.raises(DataError, match=r"3 defects in .*; next: mend them, or let ent_fix write"):
        run("validate", data, *options)
    assert capsys.readouterr().out.splitlines() == [
        f"{data}/text:2: text is empty",
        f"{data}/text:5: the last line has no end; the file may be cut off",
        f"{data}/utt2emo:4: unknown emotion label 'hpy', expected one of hap ang sad neu",
        f"{data}: 3 defects, no warnings",
    ]
    fixed = str(tmp_path / "fixed")
    run("fix", "--data", data, "--out", fixed, *options)
    assert capsys.readouterr().out.splitlines() == [
        f"repaired: {data}/text:5: the last line has no end; the file may be cut off",
        f"dropped s0-u2: {data}/text:2: text is empty",
        f"dropped s1-u1: {data}/utt2emo:4: unknown emotion label 'hpy', expected one of hap ang sad neu",
        f"{fixed}: found 5, used 3, dropped 2 (see {fixed}/dropped), repaired 1",
    ]
    run("validate", fixed, *options)


def test_stage_5_refuses_labels_that_are_not_in_the_list(tmp_path: Path) -> None:
    data = str(make_data_dir(tmp_path))
    (tmp_path / "emotion_list").write_text("ang emotion\nneu neutral\n")
    options = ["--out", str(tmp_path / "tokens"), "--emotion_list", str(tmp_path / "emotion_list")]
    with pytest.raises(LabelError, match="utt2emo: s0-u2: unknown emotion label; expected one of ang neu; got 'sad'"):
        run("tokens", "--data", data, "--labelled", data, *options)
    assert not (tmp_path / "tokens").exists()


def test_espnet_reads_the_dump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``sound`` reads flac and wav, ``kaldi_ark`` reads arks, with the same samples."""
    pytest.importorskip("espnet2")
    from espnet2.train.dataset import ESPnetDataset

    monkeypatch.chdir(tmp_path)
    make_data_dir(Path())
    reference = {u.utt_id: soundfile.read(u.audio, dtype="float32")[0] for u in read_data_dir("data")}
    for audio_format in ("flac", "wav", "flac.ark", "wav.ark"):
        run("format", "--data", "data", "--out", "dump", "--audio_format", audio_format)
        run("filter", "--data", "dump", "--out", "kept")
        audio_type = "kaldi_ark" if audio_format.endswith(".ark") else "sound"
        tables = [("utt2emo", "emotion"), ("text", "text"), ("utt2emo_segments", "emo_segments")]
        loaded = ESPnetDataset(
            [("kept/wav.scp", "speech", audio_type), *[(f"kept/{name}", key, "text") for name, key in tables]],
            preprocess=lambda utt_id, data: {
                key: value if key == "speech" else reference[utt_id][:1] for key, value in data.items()
            },
        )
        for utterance in read_data_dir("kept"):
            _, data = loaded[utterance.utt_id]
            assert sorted(data) == ["emo_segments", "emotion", "speech", "text"]
            assert (data["speech"] == reference[utterance.utt_id]).all()


@pytest.mark.parametrize("command", COMMANDS)
def test_help_needs_no_torch(command: str) -> None:
    assert heavy_modules(f"espnet_ent.bin.ent_{command}", "--help") == []


def test_data_preparation_and_validation_need_no_torch(corpora: Path, recipe: Path) -> None:
    prepare = ["--corpus", "zed", "--root", str(corpora / "ZED"), "--set_name", "zed"]
    assert heavy_modules("espnet_ent.bin.ent_prepare", *prepare) == []
    assert heavy_modules("espnet_ent.bin.ent_validate", "data/zed") == []
    assert heavy_modules("espnet_ent.bin.ent_format", "--data", "data/zed", "--out", "dump/zed") == []
