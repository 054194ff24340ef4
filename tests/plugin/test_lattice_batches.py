"""Batches bounded by the alignment lattice."""

from __future__ import annotations

import argparse
import itertools
import logging
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet_ent.bin import ent_train
from espnet_ent.errors import ConfigError, DataError
from espnet_ent.plugin.builder import frame_grid
from espnet_ent.plugin.lattice_batches import lattice_batches, lattice_sizes, pack, share_of
from tests.plugin.experiment import make_data, statistics_options, training_options

FRAME = 640  # samples
CONFIG = {
    "encoder": "conformer",
    "encoder_conf": {"input_layer": "conv2d"},
    "frontend_conf": {"hop_length": 160},
    "fs": 16000,
}


def _shape_files(folder: Path, utterances: list[tuple[int, int]]) -> list[str]:
    """Shape files of utterances of (frames, labels)."""
    folder.mkdir(exist_ok=True)
    speech = "".join(f"u{i} {frames * FRAME + 17}\n" for i, (frames, _) in enumerate(utterances))
    text = "".join(f"u{i} {labels},40\n" for i, (_, labels) in enumerate(utterances))
    (folder / "speech_shape").write_text(speech)
    (folder / "text_shape").write_text(text)
    return [str(folder / "speech_shape"), str(folder / "text_shape")]


def _batches(folder: Path, utterances: list[tuple[int, int]], bins: int, skip: bool = False) -> list[tuple[str, ...]]:
    args = argparse.Namespace(lattice_bins=bins, skip_too_large=skip, **CONFIG)
    return lattice_batches(args, _shape_files(folder, utterances), "train")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 20)), min_size=1, max_size=25), st.integers(1, 3000))
def test_a_batch_has_at_most_so_many_nodes_or_one_utterance(utterances, bins) -> None:
    sizes = {f"u{i}": frames * (labels + 1) for i, (frames, labels) in enumerate(utterances)}
    batches = pack(sizes, bins)
    assert sorted(utt for batch in batches for utt in batch) == sorted(sizes)
    for batch in batches:
        assert sum(sizes[utt] for utt in batch) <= bins or len(batch) == 1
    for batch, following in itertools.pairwise(batches):  # none could take one more
        assert sum(sizes[utt] for utt in batch) + sizes[following[0]] > bins


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=12), st.integers(1, 5))
def test_shares_are_equally_many_and_hold_every_utterance(lengths, num_shares) -> None:
    names = iter(range(100))
    batches = [tuple(f"u{next(names)}" for _ in range(length)) for length in lengths]
    shares = [share_of(batches, rank, num_shares, may_repeat=True) for rank in range(num_shares)]
    assert len({len(share) for share in shares}) == 1
    used = [utt_id for share in shares for batch in share for utt_id in batch]
    assert set(used) == {utt_id for batch in batches for utt_id in batch}
    strict = [share_of(batches, rank, num_shares, may_repeat=False) for rank in range(num_shares)]
    if sum(lengths) >= -(-len(lengths) // num_shares) * num_shares:  # enough to have one in each of the batches
        assert strict == shares
        assert len(used) == len(set(used))
    else:
        assert strict == [None] * num_shares
        assert len(used) - len(set(used)) < num_shares
    whole = [set(batch) for batch in batches]
    assert all(any(set(batch) <= of_one for of_one in whole) for share in shares for batch in share)  # none is larger


def test_what_is_too_large_is_named_and_can_be_left_out(tmp_path, caplog) -> None:
    utterances = [(10, 3), (50, 9), (20, 4)]
    with caplog.at_level(logging.WARNING):
        assert _batches(tmp_path, utterances, 140) == [("u0", "u2"), ("u1",)]
    assert caplog.messages == [
        "train: 1 utterances have more lattice nodes than lattice_bins 140, batches of their own, "
        "skip_too_large leaves them out: u1 (500)"
    ]
    assert _batches(tmp_path, utterances, 140, skip=True) == [("u0", "u2")]
    with pytest.raises(DataError, match="no utterance is left"):
        _batches(tmp_path, utterances, 10, skip=True)


def test_shape_files_that_do_not_fit(tmp_path) -> None:
    files = _shape_files(tmp_path, [(2, 1), (3, 1)])
    assert lattice_sizes(files, FRAME) == {"u0": 4, "u1": 6}
    Path(files[1]).write_text("u0 1,40\n")
    with pytest.raises(DataError, match="differ in their utterances"):
        lattice_sizes(files, FRAME)
    Path(files[1]).write_text("u0 1,40\nu1 x,40\n")
    with pytest.raises(DataError, match="not a length"):
        lattice_sizes(files, FRAME)
    with pytest.raises(ConfigError, match="needs two shape files"):
        lattice_sizes(files[:1], FRAME)


def test_the_grid_is_that_of_the_encoder() -> None:
    assert frame_grid(CONFIG).samples_per_frame == FRAME


def test_training_makes_batches_by_the_lattice(tmp_path) -> None:
    data, stats = make_data(tmp_path / "data"), tmp_path / "stats"
    ent_train.main(statistics_options(data, stats))
    options = [*training_options(data, stats, tmp_path / "exp"), "--lattice_bins", "40"]
    ent_train.main(options)
    assert (tmp_path / "exp" / "valid.loss.ave.pth").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--lattice_bins", "-1"], "option lattice_bins: negative"), (["--skip_too_large", "true"], "needs lattice_bins")],
)
def test_options_that_make_no_sense(tmp_path, options, message) -> None:
    data = make_data(tmp_path / "data")
    with pytest.raises(ConfigError, match=message):
        ent_train.main([*training_options(data, tmp_path / "stats", tmp_path / "exp"), *options])
