"""Batches of utterances: arrays to padded tensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from espnet_ent.errors import DataError

FLOAT_PADDING = 0.0
INT_PADDING = -1
NOT_SEQUENCES = frozenset({"emotion"})
"""Names whose arrays are one value an utterance: no lengths are added for them."""


def collate(items: Sequence[tuple[str, dict[str, np.ndarray]]]) -> tuple[list[str], dict[str, Tensor]]:
    """One batch.

    Args:
        items: Pairs (utterance id, arrays by name), as the preprocessor makes them. An array's first axis is
            its length; other axes agree between utterances. Floats are padded with 0, integers with -1.

    Returns:
        Utterance ids, and for each name a tensor (B, longest, ...) with ``<name>_lengths`` (B,) int64;
        no lengths for ``emotion``, which is (B, 1).

    Raises:
        DataError: If the batch is empty or an utterance's names or shapes differ from the others'.
    """
    if not items:
        raise DataError("an empty batch")
    first_id, first = items[0]
    for utt_id, arrays in items:
        if arrays.keys() != first.keys():
            raise DataError(
                "the utterances of a batch hold different data",
                where=utt_id,
                expected=f"{sorted(first)} as {first_id}",
                got=sorted(arrays),
            )
    batch: dict[str, Tensor] = {}
    for name in first:
        arrays_of_name = [(utt_id, np.asarray(arrays[name])) for utt_id, arrays in items]
        batch[name], lengths = _pad(name, arrays_of_name)
        if name not in NOT_SEQUENCES:
            batch[f"{name}_lengths"] = lengths
    return [utt_id for utt_id, _ in items], batch


def _pad(name: str, arrays: list[tuple[str, np.ndarray]]) -> tuple[Tensor, Tensor]:
    """Padded tensor (B, longest, ...) and lengths (B,) of one name."""
    first_id, first = arrays[0]
    is_float = np.issubdtype(first.dtype, np.floating)
    for utt_id, array in arrays:
        same_kind = np.issubdtype(array.dtype, np.floating) == is_float
        whole = is_float or np.issubdtype(array.dtype, np.integer)
        if array.ndim < 1 or array.shape[1:] != first.shape[1:] or not same_kind or not whole:
            raise DataError(
                f"{name} does not fit the batch",
                where=utt_id,
                expected=f"{first.dtype} (length, *{first.shape[1:]}) as {first_id}",
                got=f"{array.dtype} {array.shape}",
            )
        if name in NOT_SEQUENCES and array.shape != (1,):
            raise DataError(f"{name} is not one value", where=utt_id, expected=(1,), got=array.shape)
    lengths = [len(array) for _, array in arrays]
    dtype, padding = (first.dtype, FLOAT_PADDING) if is_float else (np.dtype(np.int64), INT_PADDING)
    padded = np.full((len(arrays), max(lengths), *first.shape[1:]), padding, dtype=dtype)
    for row, (_, array) in zip(padded, arrays, strict=True):
        row[: len(array)] = array
    return torch.from_numpy(padded), torch.tensor(lengths, dtype=torch.int64)
