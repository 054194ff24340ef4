"""Tensors of a foreign state dict: what must be there, in which shapes, and where each goes in our model.

Shapes are written with letters for sizes, ``"4H M"``. The first tensor with a letter fixes its size, and every later
one must agree. Nothing is taken on trust: what is missing, unknown or of another shape is named.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from espnet_ent.errors import CheckpointError
from espnet_ent.plugin.checkpoint_files import name_some

Sizes = dict[str, int]
_TERM = re.compile(r"([+-]?)(\d*)([A-Z]?)")
_CONSTANT = ""


@dataclass(frozen=True)
class Entry:
    """A tensor that must be there.

    Attributes:
        source: Its name in the file.
        shapes: Its shape; where there are several, it must have them all.
        own: Its name in our model; tensors of one name are added up. None: our model does not need it.
        index: Its position in a tensor of ours that is put together of several; None: it is the whole.
        reason: Why it is not needed, where ``own`` is None.
    """

    source: str
    shapes: tuple[str, ...]
    own: str | None
    index: int | None = None
    reason: str = ""

    @property
    def fate(self) -> str:
        """What becomes of it."""
        if self.own is None:
            return f"not needed: {self.reason}"
        return self.own if self.index is None else f"{self.own}[{self.index}]"


def check_tensors(
    state: Mapping[str, Tensor], entries: Sequence[Entry], others: Iterable[str], known: Sizes, where: object
) -> Sizes:
    """Check that all entries are there, in their shapes, and nothing else is.

    Args:
        state: Tensors by name.
        entries: What must be there.
        others: Names of tensors that somebody else accounts for.
        known: Sizes that are known beforehand.
        where: The file.

    Returns:
        All sizes.

    Raises:
        CheckpointError: Naming up to five tensors of each fault.
    """
    sizes = dict(known)
    misshapen = []
    for entry in entries:
        if entry.source in state:
            got = tuple(state[entry.source].shape)
            wanted = next((shape for shape in entry.shapes if not _has_shape(got, shape, sizes)), None)
            if wanted is not None:
                misshapen.append(f"{entry.source} {_times(got)} for {_expected(wanted, sizes)}")
    names = {entry.source for entry in entries}
    faults = {
        "missing": sorted(names - state.keys()),
        "unknown": sorted(state.keys() - names - set(others)),
        "of another shape": misshapen,
        "not finite": sorted(name for name in state if not state[name].isfinite().all()),
        "not floating point": sorted(name for name in names & state.keys() if not state[name].is_floating_point()),
    }
    found = [f"{len(some)} {fault} ({name_some(some)})" for fault, some in faults.items() if some]
    if found:
        raise CheckpointError("not the tensors of the reference", where=where, got=", ".join(found))
    return sizes


def convert(state: Mapping[str, Tensor], entries: Iterable[Entry]) -> dict[str, Tensor]:
    """Tensors by our names, float32; those of one name are added up or put together.

    Args:
        state: Tensors that :func:`check_tensors` has checked.
        entries: Where they go.
    """
    parts: dict[str, dict[int | None, Tensor]] = {}
    for entry in entries:
        if entry.own is not None:
            value = state[entry.source].double()  # so that a sum is rounded once
            of_name = parts.setdefault(entry.own, {})
            of_name[entry.index] = of_name[entry.index] + value if entry.index in of_name else value
    whole = {
        own: of_name[None] if None in of_name else torch.cat([of_name[index] for index in sorted(of_name)])
        for own, of_name in parts.items()
    }
    return {own: value.float().contiguous() for own, value in whole.items()}


def size_of(expression: str, sizes: Sizes) -> int:
    """The value of e.g. ``2K+P``."""
    return sum(factor * sizes.get(letter, 1) for letter, factor in _terms(expression).items())


def _terms(expression: str) -> dict[str, int]:
    """Factors by letter; the constant has none."""
    terms: dict[str, int] = {}
    for sign, digits, letter in _TERM.findall(expression):
        if digits or letter:
            terms[letter] = terms.get(letter, 0) + int(f"{sign}{digits or 1}")
    return terms


def _has_shape(got: tuple[int, ...], shape: str, sizes: Sizes) -> bool:
    """Whether a shape agrees; fixes sizes that it tells."""
    wanted = shape.split()
    return len(got) == len(wanted) and all(_agrees(value, part, sizes) for value, part in zip(got, wanted, strict=True))


def _agrees(value: int, expression: str, sizes: Sizes) -> bool:
    terms = _terms(expression)
    unknown = [letter for letter in terms if letter not in sizes and letter != _CONSTANT]
    if len(unknown) > 1:
        raise ValueError(f"{expression}: two sizes can't be told of one")
    rest = value - sum(factor * sizes.get(letter, 1) for letter, factor in terms.items() if letter not in unknown)
    if not unknown:
        return rest == 0
    size, left = divmod(rest, terms[unknown[0]])
    if left or size < 1:
        return False
    sizes[unknown[0]] = size
    return True


def _expected(shape: str, sizes: Sizes) -> str:
    parts = (
        part if set(_terms(part)) - sizes.keys() - {_CONSTANT} else str(size_of(part, sizes)) for part in shape.split()
    )
    return " x ".join(parts)


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "scalar"
