"""Batches bounded by the size of the alignment lattice, which is what memory and time of the losses go with.

Dimensions: T encoder frames, U labels of an utterance.
"""

from __future__ import annotations

import argparse
import itertools
import logging
from collections.abc import Mapping, Sequence

from espnet_ent.data.datadir import read_table
from espnet_ent.errors import ConfigError, DataError
from espnet_ent.plugin.builder import frame_grid

_MOST_NAMED = 5


def lattice_sizes(shape_files: list[str], samples_per_frame: int) -> dict[str, int]:
    """Nodes T x (U + 1) of each utterance, from ESPnet's shape files of speech (samples) and text (labels).

    Raises:
        DataError: If a file is malformed, or they hold different utterances.
    """
    if len(shape_files) != 2:
        raise ConfigError("lattice_bins needs two shape files", expected="speech_shape text_shape", got=shape_files)
    speech, text = (_lengths(path) for path in shape_files)
    if speech.keys() != text.keys():
        raise DataError("shape files differ in their utterances", where=shape_files[1], next_step="rerun stage 10")
    return {utt_id: max(1, speech[utt_id] // samples_per_frame) * (text[utt_id] + 1) for utt_id in speech}


def lattice_batches(args: argparse.Namespace, shape_files: list[str], mode: str) -> list[tuple[str, ...]]:
    """Batches of utterances of like size, whose nodes are at most ``lattice_bins`` in sum.

    An utterance with more nodes than that is named, and makes a batch alone, or is left out with ``skip_too_large``.

    Args:
        args: The task's options.
        shape_files: Those of speech and text.
        mode: ``train`` or ``valid``, for messages.

    Raises:
        DataError: If the shape files are malformed, or no utterance is left.
    """
    sizes = lattice_sizes(shape_files, frame_grid(vars(args)).samples_per_frame)
    large = {utt_id: size for utt_id, size in sizes.items() if size > args.lattice_bins}
    if large:
        _tell(args, mode, large)
    if args.skip_too_large:
        sizes = {utt_id: size for utt_id, size in sizes.items() if utt_id not in large}
    if not sizes:
        raise DataError("no utterance is left", where=f"{mode} set", got=f"lattice_bins {args.lattice_bins}")
    return pack(sizes, args.lattice_bins)


def pack(sizes: Mapping[str, int], bins: int) -> list[tuple[str, ...]]:
    """Utterances in order of their size, in as few batches of at most ``bins`` in sum as that order allows.

    >>> pack({"a": 5, "b": 2, "c": 2, "d": 9}, 9)
    [('b', 'c', 'a'), ('d',)]
    """
    batches: list[list[str]] = []
    room = 0
    for utt_id in sorted(sizes, key=lambda utt_id: (sizes[utt_id], utt_id)):
        if sizes[utt_id] > room:
            batches.append([])
            room = bins
        batches[-1].append(utt_id)
        room -= sizes[utt_id]
    return [tuple(batch) for batch in batches]


def even_out(batches: Sequence[tuple[str, ...]], num_shares: int) -> list[tuple[str, ...]]:
    """The same utterances in a number of batches that ``num_shares`` divides, where there are enough utterances.

    Those with the most utterances are halved, which keeps the bound.

    >>> even_out([("a", "b", "c"), ("d",), ("e",)], 2)
    [('a',), ('b', 'c'), ('d',), ('e',)]
    """
    batches = list(batches)
    while len(batches) % num_shares:
        index = max(range(len(batches)), key=lambda index: len(batches[index]))
        whole = batches[index]
        if len(whole) == 1:
            break
        batches[index : index + 1] = [whole[: len(whole) // 2], whole[len(whole) // 2 :]]
    return batches


def share_of(
    batches: Sequence[tuple[str, ...]], rank: int, num_shares: int, may_repeat: bool
) -> list[tuple[str, ...]] | None:
    """The batches of one of several processes: equally many for each, and every utterance is in the share of one.

    Batches that are neighbours in size are trained on in the same step, so that no process waits long for another.

    Args:
        batches: Those of one process, in order of size.
        rank: Number of the process.
        num_shares: Number of processes.
        may_repeat: Where utterances are too few to be shared out evenly, repeat some.

    Returns:
        The share; None if that would repeat some, and may not.
    """
    batches = even_out(batches, num_shares)
    missing = -len(batches) % num_shares
    if missing and not may_repeat:
        return None
    return [*batches, *itertools.islice(itertools.cycle(batches), missing)][rank::num_shares]


def _tell(args: argparse.Namespace, mode: str, large: Mapping[str, int]) -> None:
    most = sorted(large, key=lambda utt_id: (-large[utt_id], utt_id))[:_MOST_NAMED]
    named = " ".join(f"{utt_id} ({large[utt_id]})" for utt_id in most)
    fate = "left out" if args.skip_too_large else "batches of their own, skip_too_large leaves them out"
    what = f"{mode}: {len(large)} utterances have more lattice nodes than lattice_bins {args.lattice_bins}"
    logging.warning(f"{what}, {fate}: {named}")


def _lengths(path: str) -> dict[str, int]:
    """The first number of each line."""
    lengths = {}
    for utt_id, value in read_table(path).items():
        first = value.split(",")[0].strip()
        if not first.isdecimal():
            raise DataError("not a length", where=f"{path}: {utt_id}", got=repr(value), next_step="rerun stage 10")
        lengths[utt_id] = int(first)
    return lengths
