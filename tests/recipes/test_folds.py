"""Leave-one-session-out in one command: folds, seeds and protocols."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.recipes.workspace import Workspace, make_workspace

_TINY = "--max_epoch 2 --encoder_conf num_blocks=1"
_SMALL = ("--local_data_opts", "--per_class 2 --zed_per_speaker 1", "--test_sets", "test", "--ent_tag", "tiny")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Nothing is run, calls are recorded; what stages ask for lies there already."""
    return make_workspace(tmp_path)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    pytest.importorskip("espeakng_loader")
    return make_workspace(tmp_path_factory.mktemp("folds"), real=True)


def _touch(workspace: Workspace, *files: str) -> None:
    for file in files:
        path = workspace.recipe("mini") / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def _prepare(workspace: Workspace, *folds: str) -> None:
    """What stages 10 and 11 need of each fold."""
    for fold in folds:
        _touch(workspace, f"data/{fold}/token_list/char/tokens.txt", f"data/{fold}/emotion_list")
        _touch(workspace, *(f"dump/{fold}/raw/{name}/wav.scp" for name in ("train", "dev", "test")))
        _touch(workspace, f"exp/{fold}/ent_stats_raw_char/made_from.json")


def _values(call: list[str], option: str) -> list[str]:
    return [call[place + 1] for place, word in enumerate(call) if word == option]


def _commands(calls: list[list[str]]) -> list[str]:
    return [call[1].rpartition(".")[2] for call in calls]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--folds", "1 x"], "option --folds: expected whole numbers such as \"1 2 3\", got 'x'"),
        (["--folds", "1 2 1"], "option --folds: 1 is given twice"),
        (["--seeds", "-1"], "option --seeds: expected whole numbers such as \"1 2 3\", got '-1'"),
        (["--seeds", "07"], "option --seeds: expected whole numbers such as \"1 2 3\", got '07'"),
        (["--protocol", "fair"], "--protocol: expected honest or paper, got fair"),
        (["--nfold_jobs", "0"], "option --nfold_jobs: expected 1 or more, got 0"),
        (["--fold", "1"], "unknown option --fold; did you mean --folds? see --help"),
        (
            ["--folds", "1 2", "--ent_exp", "exp/x"],
            "--ent_exp is a place for one run; with --folds or --seeds use --expdir or --ent_tag",
        ),
        (
            ["--folds", "1 2", "--ent_stats_dir", "exp/x"],
            "--ent_stats_dir is a place for one fold; leave it out",
        ),
        (
            ["--seeds", "1 2", "--ent_args", "--seed 3"],
            "--seeds and --seed in --ent_args: give one of them",
        ),
        (
            ["--protocol", "paper", "--inference_ent_model", "latest.pth"],
            "--inference_ent_model latest.pth: --protocol paper decodes every epoch; leave it out",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_wrong_is_one_line_before_anything_runs(
    workspace: Workspace, options: list[str], complaint: str
) -> None:
    ended = workspace.run("mini", *options)
    assert (ended.returncode, ended.stderr) == (2, f"ent.sh: error: {complaint}\n")
    assert workspace.calls() == []


def test_every_fold_has_its_places_and_its_test_session(workspace: Workspace) -> None:
    ended = workspace.run("mini", "--folds", "2 5", "--stop_stage", "1", "--local_data_opts", "--per_class 2")
    assert (ended.returncode, ended.stderr) == (0, "")
    calls = [call for call in workspace.calls() if "iemocap" in call]
    assert [_values(call, "--fold") for call in calls] == [["2"], ["5"]]
    assert [_values(call, "--out") for call in calls] == [["data/fold2"], ["data/fold5"]]
    validated = [call for call in workspace.calls() if call[1].endswith("ent_validate")]
    assert ["data/fold2/train" in call for call in validated] == [True, False]


def test_a_fold_alone_runs_in_its_places(workspace: Workspace) -> None:
    _prepare(workspace, "fold3")
    ended = workspace.run("mini", "--folds", "3", "--stage", "10", "--stop_stage", "11")
    assert (ended.returncode, ended.stderr) == (0, "")
    statistics, training = workspace.calls()
    assert _values(statistics, "--output_dir") == ["exp/fold3/ent_stats_raw_char"]
    assert _values(training, "--output_dir") == ["exp/fold3/ent_train_ent_mini_raw_char"]
    assert _values(training, "--token_list") == ["data/fold3/token_list/char/tokens.txt"]
    assert _values(training, "--seed") == _values(training, "--keep_all_epochs") == []


def test_seeds_share_the_statistics_of_their_fold(workspace: Workspace) -> None:
    _prepare(workspace, "fold1", "fold2")
    ended = workspace.run("mini", "--folds", "1 2", "--seeds", "3 4", "--stage", "10", "--stop_stage", "11")
    assert (ended.returncode, ended.stderr) == (0, "")
    calls = workspace.calls()
    assert [_values(call, "--output_dir")[0] for call in calls] == [
        "exp/fold1/ent_stats_raw_char",
        "exp/fold1/seed3/ent_train_ent_mini_raw_char",
        "exp/fold1/seed4/ent_train_ent_mini_raw_char",
        "exp/fold2/ent_stats_raw_char",
        "exp/fold2/seed3/ent_train_ent_mini_raw_char",
        "exp/fold2/seed4/ent_train_ent_mini_raw_char",
    ]
    assert [_values(call, "--seed") for call in calls] == [[], ["3"], ["4"], [], ["3"], ["4"]]
    assert _values(calls[5], "--normalize_conf") == ["stats_file=exp/fold2/ent_stats_raw_char/train/feats_stats.npz"]


def test_seeds_without_folds_share_everything_but_the_training(workspace: Workspace) -> None:
    _prepare(workspace, ".")
    ended = workspace.run("mini", "--seeds", "1 2", "--stage", "11", "--stop_stage", "11")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert [_values(call, "--output_dir")[0] for call in workspace.calls()] == [
        "exp/seed1/ent_train_ent_mini_raw_char",
        "exp/seed2/ent_train_ent_mini_raw_char",
    ]


def test_the_report_comes_once_after_all(workspace: Workspace) -> None:
    for fold in ("fold1", "fold2"):
        _touch(
            workspace, *(f"exp/{fold}/ent_tiny/decode_greedy_valid.loss.ave/{n}/utt2duration" for n in ("test", "dev"))
        )
        _touch(workspace, f"dump/{fold}/raw/train/utt2emo")
    ended = workspace.run("mini", "--folds", "1 2", "--stage", "13", "--test_sets", "test", "--ent_tag", "tiny")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert _commands(workspace.calls()) == [
        *["ent_calibrate", "ent_score", "ent_difficulty", "ent_report_results"] * 2,
        "ent_combine_results",
    ]
    combining = workspace.calls()[-1]
    assert _values(combining, "--exp") == ["exp/fold{fold}/ent_tiny"]
    assert combining[combining.index("--folds") :][:3] == ["--folds", "1", "2"]
    assert _values(combining, "--out") == ["exp/RESULTS_tiny.md"]
    assert "--folds 1\\ 2" in _values(combining, "--command")[0]
    of_fold = workspace.calls()[3]
    assert _values(of_fold, "--difficulty") == ["data/fold1/difficulty.json"]
    assert "--folds 1 " in _values(of_fold, "--command")[0] + " "
    assert "--seeds" not in _values(of_fold, "--command")[0]


def test_the_paper_keeps_and_decodes_every_epoch_in_places_of_its_own(workspace: Workspace) -> None:
    _prepare(workspace, "paper/fold1")
    exp = workspace.recipe("mini") / "exp/paper/fold1/ent_tiny"
    _touch(workspace, *(f"exp/paper/fold1/ent_tiny/{n}" for n in ("1epoch.pth", "2epoch.pth", "made_from.json")))
    _touch(workspace, "exp/paper/fold1/ent_tiny/config.yaml", "dump/paper/fold1/raw/train/utt2emo")
    for epoch in (1, 2):
        _touch(workspace, f"exp/paper/fold1/ent_tiny/decode_greedy_epochs/{epoch}epoch/test/utt2duration")
    (exp / "latest.pth").symlink_to("2epoch.pth")
    options = ("--protocol", "paper", "--folds", "1", "--test_sets", "test", "--ent_tag", "tiny")
    ended = workspace.run("mini", *options, "--stage", "11")
    assert (ended.returncode, ended.stderr) == (0, "")
    calls = workspace.calls()
    assert _values(calls[0], "--keep_all_epochs") == ["true"]
    decoding, scoring = calls[1:3], calls[3:5]
    assert [_values(call, "--inference_ent_model") for call in decoding] == [["1epoch.pth"], ["2epoch.pth"]]
    places = [f"exp/paper/fold1/ent_tiny/decode_greedy_epochs/{epoch}epoch/test" for epoch in (1, 2)]
    assert [_values(call, "--out")[0] for call in decoding] == places
    assert [_values(call, "--hyp")[0] for call in scoring] == places
    assert _commands(calls)[-1] == "ent_combine_results"
    assert _values(calls[-1], "--exp") == ["exp/paper/fold1/ent_tiny"]
    assert _values(calls[-1], "--protocol") == ["paper"]
    assert _values(calls[-1], "--out") == ["exp/paper/fold1/ent_tiny/RESULTS.md"]
    (exp / "1epoch.pth").unlink()
    ended = workspace.run("mini", *options, "--stage", "12")
    assert ended.stderr == (
        "ent.sh: error: exp/paper/fold1/ent_tiny/1epoch.pth is missing; next: rerun stage 11 (--stage 11)\n"
    )


@pytest.mark.parametrize("corpus", ["iemocap", "zed"])
def test_the_paper_develops_on_what_it_tests_on(workspace: Workspace, corpus: str) -> None:
    ended = workspace.run(corpus, "--protocol", "paper", "--stop_stage", "1", IEMOCAP="/iemocap", ZED="/zed")
    assert (ended.returncode, ended.stderr) == (0, "")
    first, *others = [call for call in workspace.calls() if call[1].endswith("ent_prepare")]
    assert _values(first, "--protocol") == ["paper"]
    assert _values(first, "--out") == ["data/paper"]
    assert [_values(call, "--set_name") for call in others] == ([["zed"], ["dev"]] if corpus == "zed" else [])


def test_a_failing_fold_ends_all_with_its_status(workspace: Workspace) -> None:
    _prepare(workspace, "fold1", "fold2", "fold3")
    python = workspace.root / "bin" / "python"
    python.write_text('#!/bin/sh\ncase "$*" in -c*) exit 0 ;; *exp/fold2*) exit 7 ;; esac\necho "$@" >> "$CALLS"\n')
    ended = workspace.run("mini", "--folds", "1 2 3", "--stage", "11", "--stop_stage", "11")
    assert ended.returncode == 7
    assert "exp/fold1" in workspace.calls_file.read_text()
    assert "exp/fold3" not in workspace.calls_file.read_text()


def test_folds_run_side_by_side_and_a_failure_stops_the_others(workspace: Workspace) -> None:
    _prepare(workspace, "fold1", "fold2", "fold3")
    python = workspace.root / "bin" / "python"
    cases = 'case "$*" in -c*) exit 0 ;; *exp/fold1*) exec sleep 600 ;; *exp/fold2*) exit 7 ;; esac'
    python.write_text(f'#!/bin/sh\n{cases}\necho "$@" >> "$CALLS"\n')
    options = ("--folds", "1 2 3", "--nfold_jobs", "2", "--stage", "11", "--stop_stage", "11")
    assert workspace.run("mini", *options).returncode == 7
    assert not workspace.calls_file.exists()


def test_folds_side_by_side_are_all_run(workspace: Workspace) -> None:
    _prepare(workspace, *(f"fold{fold}" for fold in range(1, 6)))
    options = ("--folds", "1 2 3 4 5", "--nfold_jobs", "2", "--stage", "11", "--stop_stage", "11")
    ended = workspace.run("mini", *options)
    assert (ended.returncode, ended.stderr) == (0, "")
    places = sorted(_values(call, "--output_dir")[0] for call in workspace.calls())
    assert places == [f"exp/fold{fold}/ent_train_ent_mini_raw_char" for fold in range(1, 6)]


def test_stopping_stops_what_was_started(workspace: Workspace, tmp_path: Path) -> None:
    _prepare(workspace, "fold1", "fold2")
    pids = tmp_path / "pids"
    case = f'case "$*" in -c*) exit 0 ;; *) echo $$ >> "{pids}"; exec sleep 600 ;; esac'
    (workspace.root / "bin" / "python").write_text(f"#!/bin/sh\n{case}\n")
    run = subprocess.Popen(
        [
            workspace.recipe("mini") / "run.sh",
            "--folds",
            "1 2",
            "--nfold_jobs",
            "2",
            "--stage",
            "11",
            "--stop_stage",
            "11",
        ],
        env={"HOME": str(workspace.root), "PATH": workspace.path, "VENV": "none"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    while not pids.exists() or len(pids.read_text().split()) < 2:
        assert run.poll() is None
        time.sleep(0.02)
    (ent_sh,) = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    subprocess.run(["kill", f"-{signal.SIGTERM.value}", ent_sh], check=True)
    run.communicate()
    assert run.returncode == 130
    for pid in pids.read_text().split():
        while Path("/proc", pid).exists() and "State:\tZ" not in Path("/proc", pid, "status").read_text():
            time.sleep(0.02)


def test_a_fold_that_the_corpus_has_not_is_one_line_before_training(real: Workspace) -> None:
    ended = real.run("mini", "--folds", "2 6", *_SMALL)
    assert ended.returncode == 2
    assert ended.stderr == "ent_prepare: error: no such fold; expected 1 to 5; got 6\n"
    assert not (real.recipe("mini") / "exp").exists()


def test_two_folds_through_stage_13_and_again(real: Workspace) -> None:
    recipe = real.recipe("mini")
    options = ("--folds", "1 2", *_SMALL, "--ent_args", _TINY, "--nfold_jobs", "2")
    ended = real.run("mini", *options)
    assert ended.returncode == 0, ended.stderr
    assert "fold2/tiny: epoch 2/2: " in ended.stdout
    results = json.loads((recipe / "exp/results_tiny.json").read_text())["sets"]["test"]["seeds"]["-"]
    assert results["folds"].keys() == {"1", "2"}
    assert (results["num_utterances"], results["num_speakers"]) == (16, 4)
    report = (recipe / "exp/RESULTS_tiny.md").read_bytes()
    for row in ("| fold 1 ", "| fold 2 ", "| mean of folds ", "| sd over folds ", "| pooled "):
        assert row in report.decode()
    assert not (recipe / "exp/fold1/ent_tiny/1epoch.pth").exists() or not (recipe / "data/train").exists()
    again = real.run("mini", *options)
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("is there already") >= 4  # statistics and trainings
    assert "exp/RESULTS_tiny.md: unchanged" in again.stdout
    assert (recipe / "exp/RESULTS_tiny.md").read_bytes() == report
    oracle = real.run(
        "mini",
        "--protocol",
        "paper",
        "--local_data_opts",
        "--per_class 2 --zed_per_speaker 1 --fold 2",
        *_SMALL[2:],
        "--ent_args",
        _TINY,
    )
    assert oracle.returncode == 0, oracle.stderr
    text = (recipe / "exp/paper/ent_tiny/RESULTS.md").read_text()
    assert "# RESULTS (ORACLE)" in text
    assert "| ORACLE best epochs" in text
