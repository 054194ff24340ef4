"""Sweeps with a recipe that only writes scores: what is run, what is left alone, what the report says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from espnet_ent.errors import ConfigError
from tests.report.sweep_sample import calls, cells, make_recipe, report, sweep, work, write_plan

SMALL = {"plain": {}, "good": {"eder": 30}}


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    return make_recipe(tmp_path)


def test_a_sweep_trains_chooses_and_tests(recipe, capsys) -> None:
    assert sweep(recipe, write_plan(recipe), "--tests", "test") == 0
    done = calls(recipe)
    assert done[0]["--stop_stage"] == "10"
    assert done[0]["--dumpdir"] == "other dump"  # data of the ceiling's own
    trained = [call for call in done if call.get("--stage") == "11"]
    assert [call["--seeds"] for call in trained] == ["1"] * 6 + ["2"] * 6
    tested = {(call["--ent_tag"], call["--inference_ent_model"]) for call in done if call.get("--test_sets") == "test"}
    assert tested == {("plan_good", "ave.pth"), ("plan_ceiling", "ave.pth"), ("plan_plain", "ave.pth")}
    figures = ["30.50 +- 0.71", "5.00", "10.00", "0.00", "10.00 +- 0.00", "80.00 +- 0.00"]
    found = cells(recipe)
    assert found["good <- chosen"] == ["ave", "2", *figures]
    assert found["late"][0] == "last"
    assert "ceiling (supervised)" in found
    text = report(recipe)
    assert "All neutral: EDER 46.00" in text
    assert "against their baseline (plain)" in text
    assert text.count("| good <- chosen") == 2
    assert text.count("| late ") == 1
    assert "Chosen: good with ave.pth; the rule" in " ".join(capsys.readouterr().out.split())


def test_a_baseline_of_its_own_kind(recipe) -> None:
    """`small` costs 24 points of UA against `plain`, none against its own kind; both baselines are tested with it."""
    settings = {
        **SMALL,
        "own": {"ua": 55, "baseline": "own"},
        "small": {"eder": 20, "ua": 56, "baseline": "own"},
    }
    assert sweep(recipe, write_plan(recipe, settings=settings), "--tests", "test") == 0
    assert {call["--ent_tag"] for call in calls(recipe) if call["--test_sets"] == "test"} == {
        "plan_plain",
        "plan_own",
        "plan_small",
    }
    assert "small <- chosen" in cells(recipe)
    assert "against their baseline (plain; own for small)" in report(recipe)


def test_the_checkpoint_is_chosen_and_the_test_set_decoded_with_it(recipe) -> None:
    """`late` is best with its last epoch; that of `dear` costs too many words, its average is taken."""
    epochs = {"max_epoch": 4, "keep_nbest_models": 4}
    settings = {
        "plain": epochs,
        "late": {"eder": 33, "last_is_worse": -5, **epochs},
        "dear": {"eder": 31, "last_is_worse": -9, "last_costs": 7, **epochs},
    }
    plan = write_plan(recipe, settings=settings, checkpoints=["ave.pth", "4epoch.pth", "last.pth"])
    assert sweep(recipe, plan, "--tests", "test") == 0
    assert [cells(recipe)[name][0] for name in ("late <- chosen", "dear")] == ["last", "ave"]
    assert "Checkpoints offered: ave.pth, 4epoch.pth, last.pth." in report(recipe)
    tested = [call for call in calls(recipe) if call["--test_sets"] == "test"]
    assert {call["--inference_ent_model"] for call in tested if call["--ent_tag"] == "plan_late"} == {"last.pth"}
    decoded = [line.split()[2] for line in work(recipe) if line.startswith("decoded dev") and "plan_late 1" in line]
    assert decoded == ["ave.pth", "4epoch.pth", "last.pth"]


def test_epochs_that_are_not_kept_are_refused_before_anything_is_trained(recipe) -> None:
    with pytest.raises(ConfigError, match="need not have all epochs"):
        sweep(recipe, write_plan(recipe, checkpoints=["2epoch.pth"]))
    assert not (recipe / "exp").exists()


def test_the_second_time_nothing_is_done_and_the_table_is_the_same(recipe) -> None:
    plan = write_plan(recipe, settings=SMALL)
    assert sweep(recipe, plan, "--tests", "test") == 0
    before, done = report(recipe), work(recipe)
    times = {path: path.stat().st_mtime_ns for path in recipe.glob("exp/sweep_plan/*.*")}
    assert sweep(recipe, plan, "--tests", "test") == 0
    assert report(recipe) == before
    assert work(recipe) == done
    assert {path: path.stat().st_mtime_ns for path in recipe.glob("exp/sweep_plan/*.*")} == times
    assert len(done) == len(set(done)) == 2 * 2 * (1 + 2 + 1)  # settings, seeds: trained, decoded twice, tested


def is_running(process: int) -> bool:
    """Of a process that has ended, and whose end nobody has asked for yet, the command line is empty."""
    try:
        return bool(Path(f"/proc/{process}/cmdline").read_bytes())
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_sweep_that_was_stopped_goes_on_where_it_was(recipe, tmp_path) -> None:
    """In the training of `good` with the second seed; what it has started stops with it."""
    plan = write_plan(recipe, settings=SMALL)
    (recipe / "hold.txt").write_text("plan_good 2")
    command = [sys.executable, "-m", "espnet_ent.bin.ent_sweep", str(plan), "--recipe", str(recipe)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        [*command, "--seeds", "1", "2", "--dev", "dev"],
        env=environment,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as stopped:
        deadline = time.monotonic() + 60
        while not (recipe / "work.txt").exists() or not work(recipe)[-1].startswith("started"):
            assert stopped.poll() is None, stopped.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        stopped.send_signal(signal.SIGTERM)
        assert stopped.wait() == 143
    assert not is_running(int(work(recipe)[-1].split()[-1]))
    assert not (recipe / "exp" / "sweep_plan.md").exists()
    (recipe / "hold.txt").unlink()
    before = work(recipe)[:-1]
    assert sweep(recipe, plan) == 0
    done = [line for line in work(recipe) if not line.startswith("started")]
    assert done[: len(before)] == before
    assert {line for line in done[len(before) :] if line.startswith("trained")} == {"trained plan_good 2"}
    assert len(done) == len(set(done))
    undisturbed = make_recipe(tmp_path / "undisturbed")
    assert sweep(undisturbed, write_plan(undisturbed, settings=SMALL)) == 0
    assert report(recipe) == report(undisturbed)


def test_decodings_are_read_where_they_are_written(recipe) -> None:
    assert sweep(recipe, write_plan(recipe, settings=SMALL), "--inference_tag", "beam", seeds=("1",)) == 0
    assert (recipe / "exp" / "seed1" / "ent_plan_good" / "beam_ave" / "dev").is_dir()
    assert "good <- chosen" in cells(recipe)


def test_test_sets_are_not_read_before_all_is_done(recipe, capsys) -> None:
    with pytest.raises(ConfigError, match="the test set is read when all settings are done"):
        sweep(recipe, write_plan(recipe), "--only", "plain", "--tests", "test")
    plan = write_plan(recipe, settings={**SMALL, "bad": {"fails": True}})
    assert sweep(recipe, plan, "--tests", "test", seeds=("1",)) == 1
    assert "test sets are not read: runs failed" in capsys.readouterr().out
    assert not [call for call in calls(recipe) if call.get("--test_sets") == "test"]


def test_a_run_that_fails_is_told_and_the_others_go_on(recipe, capfd) -> None:
    settings = {"plain": {}, "broken": {"fails": True}, "good": {"eder": 30}}
    assert sweep(recipe, write_plan(recipe, settings=settings)) == 1
    told = capfd.readouterr()
    assert told.err == "run.sh: error: it fails\n" * 2
    assert "2 runs failed" in told.out
    assert "good <- chosen" in cells(recipe)
    assert "Without scores, not run or failed: broken." in report(recipe)


def test_scores_of_a_run_that_fails_now_are_those_of_an_earlier_one(recipe) -> None:
    """Training refuses data that have changed, for one."""
    plan = write_plan(recipe, settings=SMALL)
    assert sweep(recipe, plan, seeds=("1",)) == 0
    (recipe / "fails").touch()
    assert sweep(recipe, plan, seeds=("1",)) == 1
    assert "Without scores, not run or failed: plain, good." in report(recipe)
    assert "None chosen" in report(recipe)


def test_settings_whose_data_or_start_failed_are_not_run(recipe, capfd) -> None:
    settings = {
        **SMALL,
        "unprepared": {"run_options": ["--dumpdir", "no dump"]},
        "bad_start": {"fails": True},
        "started": {"start": "bad_start", "fails": None},
    }
    assert sweep(recipe, write_plan(recipe, settings=settings), seeds=("1",)) == 1
    called = {call.get("--ent_tag") for call in calls(recipe)} - {None}
    assert called == {"plan_plain", "plan_good", "plan_bad_start"}
    assert "Without scores, not run or failed: unprepared, started." in report(recipe)


def test_only_some_settings(recipe) -> None:
    assert sweep(recipe, write_plan(recipe), "--only", "plain", "good") == 0
    assert {call["--ent_tag"] for call in calls(recipe)} == {"plan_plain", "plan_good"}
    with pytest.raises(ConfigError, match="unknown setting"):
        sweep(recipe, write_plan(recipe), "--only", "best")
    with pytest.raises(ConfigError, match=r"there is no run\.sh"):
        sweep(recipe / "conf", write_plan(recipe))


def test_settings_start_from_the_model_of_another_one(recipe) -> None:
    """It is trained first, changed by nobody, not scored; `alone` starts from scratch."""
    settings = {"plain": {}, "speech": {"model_conf": {"b": 0}}, "alone": {"start": None}}
    path = write_plan(recipe, settings=settings, start="speech", after_start={"max_epoch": 4}, checkpoints=["ave.pth"])
    assert sweep(recipe, path) == 0
    done = calls(recipe)
    assert [(call["--ent_tag"], call["--stop_stage"]) for call in done[:2]] == [("plan_speech", "11")] * 2
    started = {call["--ent_tag"]: call.get("--ent_args") for call in done if call["--seeds"] == "2"}
    assert started == {
        "plan_speech": None,
        "plan_plain": "--init_param exp/seed2/ent_plan_speech/valid.loss.ave.pth",
        "plan_alone": None,
    }
    made = {name: (recipe / "exp" / "sweep_plan" / f"{name}.yaml").read_text() for name in settings}
    assert ["max_epoch: 4" in made[name] for name in ("plain", "speech", "alone")] == [True, False, False]
    assert "speech" not in report(recipe)
    (recipe / "calls.txt").unlink()
    assert sweep(recipe, path, "--only", "speech") == 0
    assert {call["--ent_tag"] for call in calls(recipe)} == {"plan_speech"}
