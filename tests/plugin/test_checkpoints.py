import os

import pytest
import torch

from espnet_ent.errors import CheckpointError, NonFiniteError
from espnet_ent.plugin.checkpoints import CheckpointStore, read_checkpoint

LOSS, ACC = ("valid", "loss", "min"), ("valid", "acc", "max")


def state(value):
    return {"w": torch.full((3,), float(value)), "steps": torch.tensor(int(value))}


def store_with(tmp_path, epochs, keep=(2,), criteria=(LOSS,)):
    store = CheckpointStore(tmp_path, criteria, keep)
    for epoch in epochs:
        store.save(epoch, state(epoch), {"model": state(epoch), "epoch": epoch})
    return store


def epochs_in(directory):
    return sorted(path.name for path in directory.glob("*epoch.pth"))


def test_average_of_two_criteria_and_two_sizes_takes_each_from_the_files(tmp_path):
    """ESPnet's adds up in its cache: its second criterion and its second size are sums of sums."""
    store = store_with(tmp_path, range(1, 6), keep=(2, 3), criteria=(LOSS, ACC))
    best = {LOSS: [1, 2, 3, 4, 5], ACC: [5, 4, 3, 2, 1]}
    store.average(best)
    for name, epochs in best.items():
        for count in (2, 3):
            found = read_checkpoint(tmp_path / f"valid.{name[1]}.ave_{count}best.pth")
            torch.testing.assert_close(found["w"], torch.full((3,), sum(epochs[:count]) / count))
            assert int(found["steps"]) == epochs[0]
        assert os.readlink(tmp_path / f"valid.{name[1]}.ave.pth") == f"valid.{name[1]}.ave_3best.pth"


def test_an_average_is_called_after_the_epochs_that_there_are(tmp_path):
    store_with(tmp_path, (1, 2), keep=(5,)).average({LOSS: [2, 1]})
    assert os.readlink(tmp_path / "valid.loss.ave.pth") == "valid.loss.ave_2best.pth"
    assert read_checkpoint(tmp_path / "valid.loss.ave.pth")["w"][0] == 1.5


def test_averages_and_links_of_a_finished_run_are_left_alone(tmp_path):
    store = store_with(tmp_path, (1, 2, 3))
    best = {LOSS: [2, 3, 1]}
    store.tidy(best, 3)
    store.average(best)
    before = {path.name: (path.lstat().st_mtime_ns, path.lstat().st_ino) for path in tmp_path.iterdir()}
    store.tidy(best, 3)
    store.average(best)
    assert {path.name: (path.lstat().st_mtime_ns, path.lstat().st_ino) for path in tmp_path.iterdir()} == before


def test_an_average_that_is_not_of_these_epochs_is_written_again(tmp_path):
    store = store_with(tmp_path, (1, 2, 3))
    store.average({LOSS: [1, 2, 3]})
    store.average({LOSS: [3, 2, 1]})
    assert read_checkpoint(tmp_path / "valid.loss.ave.pth")["w"][0] == 2.5


def test_an_average_outlives_its_epochs_but_is_not_made_of_fewer(tmp_path, caplog):
    store = store_with(tmp_path, (1, 2))
    store.average({LOSS: [1, 2]})
    (tmp_path / "1epoch.pth").unlink()
    store.average({LOSS: [1, 2]})
    assert "left as it is" in caplog.text
    (tmp_path / "valid.loss.ave_2best.pth").unlink()
    with pytest.raises(CheckpointError, match=r"1epoch\.pth: checkpoint is missing"):
        store.average({LOSS: [1, 2]})


def test_only_the_best_and_the_newest_epochs_are_kept(tmp_path):
    store = store_with(tmp_path, range(1, 7), keep=(1, 2), criteria=(LOSS, ACC))
    (tmp_path / "my1epoch.pth").touch()
    store.tidy({LOSS: [1, 2, 3, 4, 5, 6], ACC: [5, 1, 2, 3, 4, 6]}, 6)
    assert epochs_in(tmp_path) == ["1epoch.pth", "2epoch.pth", "5epoch.pth", "6epoch.pth", "my1epoch.pth"]
    assert os.readlink(tmp_path / "latest.pth") == "6epoch.pth"
    assert os.readlink(tmp_path / "valid.acc.best.pth") == "5epoch.pth"


def test_parameters_that_are_not_finite_are_never_saved(tmp_path):
    store = store_with(tmp_path, (1,))
    bad = {"w": torch.tensor([1.0, float("nan")])}
    with pytest.raises(NonFiniteError, match="w"):
        store.save(2, bad, {"model": bad})
    assert epochs_in(tmp_path) == ["1epoch.pth"]
    assert read_checkpoint(store.resume_path)["epoch"] == 1


def test_temporary_files_of_killed_runs_are_removed_and_nothing_else(tmp_path):
    store = store_with(tmp_path, (1,))
    for name in (".2epoch.pth.tmp.0.1", ".valid.loss.best.pth.tmp.1", ".lock", "notes.txt"):
        (tmp_path / name).touch()
    store.clean()
    assert sorted(os.listdir(tmp_path)) == [".lock", "1epoch.pth", "checkpoint.pth", "notes.txt"]
