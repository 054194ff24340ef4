import errno
import os
import zipfile

import pytest
import torch
from torch import nn

from espnet_ent.data import atomic
from espnet_ent.errors import CheckpointError
from espnet_ent.plugin.builder import build_model
from espnet_ent.plugin.checkpoint_files import load_state, read_checkpoint, to_bytes, write_checkpoint
from tests.amounts import SHARE
from tests.plugin.tiny import tiny_config

STATE = {"w": torch.arange(40.0), "steps": torch.tensor(3), "name": "x"}


@pytest.fixture
def path(tmp_path):
    write_checkpoint(tmp_path / "1epoch.pth", STATE)
    return tmp_path / "1epoch.pth"


def test_what_is_written_is_read(path):
    found = read_checkpoint(path)
    assert found.keys() == STATE.keys()
    assert torch.equal(found["w"], STATE["w"])


def test_a_sealed_file_is_an_ordinary_checkpoint_to_others(path):
    assert torch.load(path, weights_only=True)["name"] == "x"
    assert zipfile.ZipFile(path).testzip() is None


def test_the_same_state_gives_the_same_bytes():
    assert to_bytes(STATE) == to_bytes(dict(STATE))


def test_every_flipped_bit_is_found(path):
    """Also in the padding and in the seal; PyTorch alone loads most of these without a word."""
    whole = path.read_bytes()
    for position in range(0, len(whole), 3):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"1epoch\.pth: checkpoint is damaged"):
            read_checkpoint(path)


def test_every_truncation_is_found_by_name(path):
    whole = path.read_bytes()
    for size in [*range(0, len(whole), 97), len(whole) - 1]:
        path.write_bytes(whole[:size])
        with pytest.raises(CheckpointError, match=r"1epoch\.pth: checkpoint is damaged"):
            read_checkpoint(path)


def test_a_flipped_bit_in_a_file_without_seal_is_found(tmp_path):
    torch.save(STATE, tmp_path / "m.pth")
    assert torch.equal(read_checkpoint(tmp_path / "m.pth")["w"], STATE["w"])
    data = bytearray((tmp_path / "m.pth").read_bytes())
    data[data.find(STATE["w"].numpy().tobytes()) + 5] ^= 1
    (tmp_path / "m.pth").write_bytes(data)
    with pytest.raises(CheckpointError, match="checksum"):
        read_checkpoint(tmp_path / "m.pth")


def test_a_missing_file_and_a_directory_are_named(tmp_path):
    for name in ("none.pth", "."):
        with pytest.raises(CheckpointError, match="checkpoint is missing"):
            read_checkpoint(tmp_path / name)


def test_code_in_a_checkpoint_does_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "made"),))

    torch.save({"w": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(CheckpointError) as raised:
        read_checkpoint(tmp_path / "evil.pth")
    assert not (tmp_path / "made").exists()
    assert len(str(raised.value)) < 500


def test_a_full_disk_is_one_line_with_path_and_bytes_and_the_old_file_stays(path, monkeypatch):
    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(CheckpointError, match=r"1epoch\.pth: can't write \d+ bytes; got No space left"):
        write_checkpoint(path, {"w": torch.zeros(2)})
    monkeypatch.undo()
    assert torch.equal(read_checkpoint(path)["w"], STATE["w"])
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda s: s.pop("weight"), "1 missing (weight)"),
        (lambda s: s.update(extra=torch.zeros(1)), "1 unexpected (extra)"),
        (lambda s: s.update(bias=torch.zeros(7)), "1 of another shape (bias)"),
        (lambda s: s.update(bias=1.0), "not a model's parameters"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_with_its_keys(tmp_path, change, fault):
    model = nn.Linear(2, 3)
    changed = dict(model.state_dict())
    change(changed)
    torch.save(changed, tmp_path / "m.pth")
    with pytest.raises(CheckpointError) as raised:
        load_state(model, tmp_path / "m.pth")
    assert fault in str(raised.value)


def test_no_key_of_a_real_model_may_be_missing_renamed_or_of_another_shape(tmp_path, figures):
    model = build_model(tiny_config())
    whole, path, changed = model.state_dict(), tmp_path / "m.pth", 0
    tried = list(whole)[:: 1 if SHARE else 8]
    for key in tried:
        value = whole[key]
        others = {name: tensor for name, tensor in whole.items() if name != key}
        longer = torch.zeros(*value.shape[:-1], value.size(-1) + 1) if value.dim() else torch.zeros(1)
        damaged = {
            "1 missing": others,
            "1 missing .*1 unexpected": {**others, f"{key}_": value},
            "1 unexpected": {**whole, f"{key}_": value},
            "1 of another shape": {**others, key: longer},
        }
        for fault, state in damaged.items():
            write_checkpoint(path, state)
            with pytest.raises(CheckpointError, match=fault):
                load_state(model, path)
            changed += 1
    promise = "a checkpoint of which one key is missing, renamed, unexpected or of another shape does not load"
    figures("Training", promise, keys=len(tried), checkpoints=changed)


def test_a_checkpoint_whose_keys_were_all_renamed_does_not_load(tmp_path):
    model = nn.Linear(2, 3)
    write_checkpoint(tmp_path / "m.pth", {f"x.{key}": value for key, value in model.state_dict().items()})
    with pytest.raises(CheckpointError, match="2 missing"):
        load_state(model, tmp_path / "m.pth")


def test_a_state_that_fits_is_loaded(tmp_path):
    source, target = nn.Linear(2, 3), nn.Linear(2, 3)
    torch.save(source.state_dict(), tmp_path / "m.pth")
    load_state(target, tmp_path / "m.pth")
    assert torch.equal(source.weight, target.weight)
