"""Training on one corpus and testing on others, and scoring where the training data is not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from espnet_ent.data.datadir import read_data_dir
from tests.recipes.workspace import Workspace, make_workspace

_CORPORA = {"IEMOCAP": "/my corpora/iemocap", "MSP_IMPROV": "/my corpora/msp", "ZED": "/my corpora/zed"}
_TINY = ("--ent_config", "conf/train_ent_mini.yaml", "--ent_args", "--max_epoch 1 --encoder_conf num_blocks=1")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    pytest.importorskip("espeakng_loader")
    from espnet_ent.corpora.mini.corpus import make_mini_corpus
    from espnet_ent.corpora.mini.plan import MiniSize

    workspace = make_workspace(tmp_path_factory.mktemp("cross"), real=True)
    size = MiniSize(per_class=2, zed_per_speaker=1)
    for layout in ("iemocap_zed", "msp_improv"):
        make_mini_corpus(workspace.root / layout, seed=2, nj=2, size=size, layout=layout)
    return workspace


def _corpora(workspace: Workspace) -> dict[str, str]:
    return {
        "IEMOCAP": f"{workspace.root}/iemocap_zed/IEMOCAP_mini",
        "MSP_IMPROV": f"{workspace.root}/msp_improv/MSP-IMPROV_mini",
        "ZED": f"{workspace.root}/iemocap_zed/ZED_mini_test",
    }


def _pairs(call: list[str]) -> dict[str, str]:
    return {word: call[place + 1] for place, word in enumerate(call[:-1]) if word.startswith("--")}


def test_every_corpus_is_prepared_with_its_place_and_part(workspace: Workspace) -> None:
    options = ("--train_corpus", "msp_improv", "--test_corpora", "iemocap zed", "--local_data_opts", "--tags keep")
    ended = workspace.run("cross_corpus", *options, "--stop_stage", "1", **_CORPORA)
    assert (ended.returncode, ended.stderr) == (0, "")
    first, second, third, validating = workspace.calls()
    assert (_pairs(first)["--root"], _pairs(first)["--set_name"]) == (_CORPORA["IEMOCAP"], "iemocap")
    assert (_pairs(second)["--root"], _pairs(second)["--set_name"]) == (_CORPORA["ZED"], "zed")
    assert third[third.index("--train_sessions") : third.index("--train_sessions") + 6] == [
        *("--train_sessions", "1", "2", "3", "4", "5")
    ]
    assert _pairs(third)["--dev_sessions"] == "6"
    assert {_pairs(call)["--tags"] for call in (first, second, third)} == {"keep"}
    assert [word for word in validating if word.startswith("data/")][:4] == [
        *("data/train", "data/dev", "data/iemocap", "data/zed")
    ]


def test_iemocap_trains_on_four_sessions_and_prepared_sets_are_copied(workspace: Workspace) -> None:
    options = ("--test_corpora", "mine=/my/data/test", "--stop_stage", "1")
    assert workspace.run("cross_corpus", *options, **_CORPORA).returncode == 0
    copying, training, _ = workspace.calls()
    assert copying == ["-m", "espnet_ent.bin.ent_copy_set", "--data", "/my/data/test", "--out", "data/mine"]
    assert _pairs(training)["--corpus"] == "iemocap"
    assert _pairs(training)["--dev_sessions"] == "5"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--test_corpora", "iemocap"], "run.sh: error: --test_corpora: iemocap is trained on; leave it out"),
        (["--test_corpora", ""], "run.sh: error: --test_corpora is empty; give iemocap, msp_improv, zed or NAME=DIR"),
        (
            ["--test_corpora", "crema"],
            "data.sh: error: --test_corpora: expected iemocap, msp_improv, zed or NAME=DIR, got crema",
        ),
        (
            ["--test_corpora", "dev=/x"],
            "data.sh: error: --test_corpora dev=/x: this name is that of a set of training; choose another",
        ),
        (
            ["--train_corpus", "/nowhere", "--test_corpora", "zed"],
            "data.sh: error: --train_corpus: expected iemocap, msp_improv or a folder with train and dev, got /nowhere",
        ),
        (
            ["--test_corpora", "msp_improv"],
            'data.sh: error: MSP_IMPROV is not set; next: set it in db.sh, or --local_data_opts "--msp_improv DIR"',
        ),
        (["--ent_confg", "a"], "ent.sh: error: unknown option --ent_confg; did you mean --ent_config? see --help"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_wrong_is_one_line(workspace: Workspace, options: list[str], complaint: str) -> None:
    environment = {**_CORPORA, "MSP_IMPROV": ""}
    ended = workspace.run("cross_corpus", *options, "--stop_stage", "1", **environment)
    assert (ended.returncode, ended.stderr) == (2, f"{complaint}\n")
    assert workspace.calls() == []


def test_help_tells_the_two_options_and_those_of_the_template(workspace: Workspace) -> None:
    ended = workspace.run("cross_corpus", "--help")
    assert ended.returncode == 0
    for option in ("--train_corpus", "--test_corpora", "--ent_config"):
        assert option in ended.stdout


def test_msp_improv_without_a_path_is_one_line(workspace: Workspace) -> None:
    ended = workspace.run("msp_improv", "--folds", "1 2", "--stop_stage", "1")
    assert (ended.returncode, ended.stderr) == (
        2,
        'data.sh: error: MSP_IMPROV is not set; next: set it in db.sh, or --local_data_opts "--msp_improv DIR"\n',
    )


def test_a_fold_of_msp_improv_is_prepared_at_16_khz(real: Workspace) -> None:
    options = ("--folds", "6", "--stop_stage", "4", "--local_data_opts", "--published_counts false")
    ended = real.run("msp_improv", *options, **_corpora(real))
    assert ended.returncode == 0, ended.stderr
    recipe = real.recipe("msp_improv")
    speakers = {
        part: {one.speaker for one in read_data_dir(recipe / "data/fold6" / part)} for part in ("train", "dev", "test")
    }
    assert speakers["test"] == {"MSP-F06", "MSP-M06"}
    assert speakers["dev"] == {"MSP-F01", "MSP-M01"}
    assert len(speakers["train"]) == 8
    assert "no leak between" in ended.stdout


def _train(real: Workspace) -> None:
    options = ("--train_corpus", "iemocap", "--test_corpora", "msp_improv,zed", "--ent_tag", "tiny", *_TINY)
    ended = real.run("cross_corpus", *options, "--local_data_opts", "--published_counts false", **_corpora(real))
    assert ended.returncode == 0, ended.stderr


def test_one_command_gives_one_table_of_all_sets_and_is_repeatable(real: Workspace) -> None:
    _train(real)
    recipe = real.recipe("cross_corpus")
    results = recipe / "exp/ent_tiny/RESULTS.md"
    table = results.read_text().partition("## All sets")[2].partition("## Set")[0]
    names = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("|")]
    assert names[2:] == ["dev", "msp_improv", "zed"]
    before = results.read_bytes()
    (command,) = (line.strip() for line in results.read_text().splitlines() if line.strip().startswith("./run.sh"))
    assert "--train_corpus iemocap --test_corpora msp_improv,zed" in command.replace("\\", "")
    _train(real)
    assert results.read_bytes() == before


def test_a_trained_model_is_scored_on_zed_without_iemocap(real: Workspace) -> None:
    model = real.recipe("cross_corpus") / "exp/ent_tiny"
    if not (model / "RESULTS.md").is_file():
        _train(real)
    ours = real.recipe("zed") / "exp/downloaded"
    shutil.copytree(model, ours, symlinks=True, ignore=shutil.ignore_patterns("decode_*", "RESULTS.md"))
    environment = {**_corpora(real), "IEMOCAP": ""}
    ended = real.run("zed", "--skip_train", "true", "--ent_exp", "exp/downloaded", **environment)
    assert ended.returncode == 0, ended.stderr
    recipe = real.recipe("zed")
    assert not (recipe / "data/train").exists()
    assert "the labels of training are not here: no majority baseline" in ended.stdout
    (scores,) = ours.glob("*/zed/score/results.json")
    results = json.loads(scores.read_text())
    assert results["calibration"]["fitted_on"] == "dev"  # of IEMOCAP, where the model was trained
    assert results["emotion"]["majority"] is None
    assert results["eder"]["system"]["utterance_mean"]["eder"] > 0
    there = next(model.glob("decode_*/zed/text")).read_text()
    assert next(ours.glob("decode_*/zed/text")).read_text() == there
    assert "--skip_train true --ent_exp exp/downloaded" in (ours / "RESULTS.md").read_text()
