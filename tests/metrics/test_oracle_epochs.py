"""Protocol ``paper``: each metric takes its own best epoch of each fold, and the last epoch stands beside."""

from __future__ import annotations

from pathlib import Path

import pytest

from espnet_ent.data.atomic import atomic_write_text
from espnet_ent.errors import ScoringError
from espnet_ent.metrics.combining import combine
from espnet_ent.metrics.oracle_epochs import (
    best_epochs,
    combine_best_epochs,
    epoch_directory,
    last_epoch,
    read_epochs,
)
from espnet_ent.metrics.set_counts import SYSTEM, SetCounts
from tests.metrics.set_samples import hand_made


def _epochs(*errors_and_correct: tuple[int, int], speaker: str = "a") -> dict[int, SetCounts]:
    return {epoch: hand_made(errors, correct, speaker) for epoch, (errors, correct) in enumerate(errors_and_correct, 1)}


def test_each_metric_has_its_own_epoch_least_errors_and_most_recall() -> None:
    chosen = best_epochs(_epochs((5, 9), (3, 4), (1, 2), (7, 6)))
    assert chosen == {"wer": 3, "cer": 3, "wa": 1, "ua": 1, "macro_f1": 1}


def test_eder_is_least_at_its_best() -> None:
    epochs = {1: hand_made(1, 1, wrong_seconds=4.0), 2: hand_made(2, 2, wrong_seconds=1.5)}
    chosen = best_epochs({**epochs, 3: hand_made(2, 1, wrong_seconds=9.0)})
    assert (chosen["wer"], chosen["ua"], chosen["eder"], chosen["eder_weighted"]) == (1, 2, 2, 2)
    assert not {"missed_emotion", "false_alarm", "confusion", "overlap"} & chosen.keys()


def test_of_equal_epochs_the_earliest_is_taken_wherever_it_stands() -> None:
    epochs = _epochs((5, 3), (2, 8), (2, 8), (2, 8))
    assert set(best_epochs(epochs).values()) == {2}
    assert set(best_epochs(dict(reversed(epochs.items()))).values()) == {2}


def test_no_epoch_no_best() -> None:
    with pytest.raises(ScoringError, match="no epoch to choose from"):
        best_epochs({})
    with pytest.raises(ScoringError, match="no epoch to choose from"):
        combine_best_epochs({"1": _epochs((1, 1)), "2": {}})


def test_epochs_that_differ_in_what_is_scored_are_refused() -> None:
    for epochs in ({1: hand_made(1, 1, wrong_seconds=1.0), 2: hand_made(1, 1)}, {1: hand_made(1, 1)}):
        with pytest.raises(ScoringError, match="epochs differ in what is scored"):
            best_epochs({**epochs, 3: hand_made(1, 1, wrong_seconds=1.0)})


def test_every_fold_and_metric_is_pooled_from_its_own_epoch() -> None:
    folds = {"1": _epochs((4, 2), (2, 9), (6, 1)), "2": _epochs((1, 3), (5, 4), (3, 8), speaker="b")}
    oracle = combine_best_epochs(folds)
    assert {fold: (epochs["wer"], epochs["ua"]) for fold, epochs in oracle.epochs.items()} == {"1": (2, 2), "2": (1, 3)}
    best = oracle.best
    assert [(fold[SYSTEM]["wer"], fold[SYSTEM]["ua"]) for fold in best.folds.values()] == [(0.2, 0.9), (0.1, 0.8)]
    assert best.mean[SYSTEM]["wer"] == pytest.approx(0.15)
    assert best.mean[SYSTEM]["ua"] == pytest.approx(0.85)
    assert best.sd[SYSTEM]["ua"] == pytest.approx(0.1 / 2**0.5)
    assert best.pooled[SYSTEM]["wer"] == pytest.approx(3 / 20)
    assert best.pooled[SYSTEM]["wa"] == pytest.approx(17 / 20)
    assert best.intervals == {}
    # Only the system chooses: baselines are those of the last epoch.
    assert best.pooled.keys() == best.folds["1"].keys() == {SYSTEM}


def test_folds_of_different_sizes_are_pooled_by_counts() -> None:
    large = {epoch: SetCounts.pool([one, hand_made(0, 10, "c")]) for epoch, one in _epochs((8, 0), (4, 5)).items()}
    oracle = combine_best_epochs({"1": _epochs((3, 7), (9, 1), speaker="b"), "2": large})
    assert oracle.best.pooled[SYSTEM]["wer"] == pytest.approx((3 + 4) / 30)
    assert oracle.best.mean[SYSTEM]["wer"] == pytest.approx((0.3 + 0.2) / 2)
    assert oracle.best.pooled[SYSTEM]["wa"] == pytest.approx((7 + 15) / 30)
    assert oracle.best.counts.total.num_utterances == 30


def test_the_last_epoch_is_that_of_each_fold() -> None:
    folds = {"1": _epochs((4, 2), (2, 9), (6, 1)), "2": _epochs((1, 3), (5, 4), speaker="b")}
    oracle = combine_best_epochs({fold: dict(reversed(epochs.items())) for fold, epochs in folds.items()})
    expected = combine({"1": folds["1"][3], "2": folds["2"][2]})
    assert oracle.last.pooled == expected.pooled
    assert oracle.last.mean == expected.mean
    assert oracle.last.pooled[SYSTEM]["wer"] == pytest.approx(11 / 20)
    assert oracle.last.intervals.keys() == {"wer", "ua"}


def test_folds_that_differ_are_not_combined() -> None:
    with pytest.raises(ScoringError, match="differ in their emotion classes or in what is scored"):
        combine_best_epochs({"1": _epochs((1, 1)), "2": {1: hand_made(1, 1, wrong_seconds=1.0)}})


def _write(decoded: Path, epochs: dict[int, SetCounts]) -> None:
    for epoch, counts in epochs.items():
        atomic_write_text(epoch_directory(decoded, epoch, "test") / "counts.json", counts.to_json())


def test_epochs_are_read_from_their_folders(tmp_path: Path) -> None:
    epochs = _epochs((4, 2), (2, 9), (6, 1))
    _write(tmp_path, epochs)
    assert (tmp_path / "2epoch" / "test" / "score" / "counts.json").is_file()
    assert read_epochs(tmp_path, "test", 0) == {}
    for number in (2, 3):
        read = read_epochs(tmp_path, "test", number)
        assert {epoch: counts.to_json() for epoch, counts in read.items()} == {
            epoch: epochs[epoch].to_json() for epoch in range(1, number + 1)
        }


def test_missing_epochs_are_named(tmp_path: Path) -> None:
    _write(tmp_path, _epochs((4, 2), (2, 9), (6, 1)))
    epoch_directory(tmp_path, 2, "test").joinpath("counts.json").unlink()
    message = "epochs of set test are not scored; expected 1 to 5; got nothing of 2 4 5; next: .* --protocol paper"
    with pytest.raises(ScoringError, match=message):
        read_epochs(tmp_path, "test", 5)
    with pytest.raises(ScoringError, match="epochs of set other are not scored; expected 1 to 1; got nothing of 1;"):
        read_epochs(tmp_path, "other", 1)


def test_the_last_epoch_is_what_latest_links_to(tmp_path: Path) -> None:
    (tmp_path / "latest.pth").symlink_to("12epoch.pth")
    assert last_epoch(tmp_path) == 12


@pytest.mark.parametrize("target", ["valid.loss.best.pth", "epoch.pth", "12", "xepoch.pth"])
def test_a_link_elsewhere_tells_no_last_epoch(tmp_path: Path, target: str) -> None:
    (tmp_path / "latest.pth").symlink_to(target)
    message = f"latest.pth: the last epoch is not known; expected a link to <epoch>epoch.pth; got {target}; next: rerun"
    with pytest.raises(ScoringError, match=message):
        last_epoch(tmp_path)


def test_without_a_link_the_last_epoch_is_not_known(tmp_path: Path) -> None:
    with pytest.raises(ScoringError, match=r"the last epoch is not known; .*; got nothing"):
        last_epoch(tmp_path)
    (tmp_path / "latest.pth").write_text("")
    with pytest.raises(ScoringError, match=r"the last epoch is not known; .*; got nothing"):
        last_epoch(tmp_path)
