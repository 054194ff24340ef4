"""Shapes with letters, and where tensors of a foreign state dict go."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from espnet_ent.errors import CheckpointError
from espnet_ent.plugin.reference_tensors import Entry, Sizes, check_tensors, convert, size_of


def _check(shapes: dict[str, tuple[int, ...]], wanted: dict[str, str], known: Sizes | None = None) -> Sizes:
    state = {name: torch.zeros(shape) for name, shape in shapes.items()}
    entries = [Entry(name, (shape,), name) for name, shape in wanted.items()]
    return check_tensors(state, entries, (), known or {}, "model.pth")


def test_sizes_are_told_by_the_first_tensor_that_has_them() -> None:
    wanted = {"a": "4H M", "b": "V-1 2K+P", "c": "P", "d": "1"}
    sizes = _check({"a": (12, 5), "b": (30, 13), "c": (7,), "d": (1,)}, wanted, {"V": 31, "K": 3})
    assert sizes == {"V": 31, "K": 3, "H": 3, "M": 5, "P": 7}
    assert size_of("2K+P", sizes) == 13
    assert size_of("V-1", sizes) == 30


@pytest.mark.parametrize(
    ("shape", "wanted", "told"),
    [
        ((13,), "4H", "a 13 for 4H"),  # no multiple
        ((4, 3), "4H H", "a 4 x 3 for 4 x 1"),  # two sizes of one letter
        ((4,), "4H M", "a 4 for 4H x M"),
        ((2,), "2K+P", "a 2 for 6"),
        ((), "1", "a scalar for 1"),
    ],
)
def test_a_shape_that_does_not_agree_is_told_beside_what_it_should_be(
    shape: tuple[int, ...], wanted: str, told: str
) -> None:
    with pytest.raises(CheckpointError, match=r"model\.pth: .*1 of another shape") as caught:
        _check({"a": shape}, {"a": wanted}, {"K": 2, "P": 2})
    assert told in str(caught.value)


def test_a_tensor_may_have_to_have_several_shapes() -> None:
    entry = Entry("a", ("O J", "O P"), "a")
    state = {"a": torch.zeros(2, 3)}
    assert check_tensors(state, [entry], (), {"P": 3}, "")["J"] == 3
    with pytest.raises(CheckpointError, match="a 2 x 3 for 2 x 4"):
        check_tensors(state, [entry], (), {"P": 4}, "")


def test_every_fault_is_told_in_one_line() -> None:
    state = {
        "a": torch.tensor([float("nan")]),
        "b": torch.zeros(1, dtype=torch.long),
        "other": torch.zeros(1),
        "somebody's": torch.zeros(1),
    }
    entries = [Entry(name, ("1",), name) for name in ("a", "b", "c")]
    with pytest.raises(CheckpointError) as caught:
        check_tensors(state, entries, ["somebody's"], {}, "model.pth")
    expected = "1 missing (c), 1 unknown (other), 1 not finite (a), 1 not floating point (b)"
    assert str(caught.value) == f"model.pth: not the tensors of the reference; got {expected}"


def test_tensors_of_one_name_are_added_up_or_put_together() -> None:
    values = torch.randn(5, 1, generator=torch.Generator().manual_seed(0))
    state: dict[str, Tensor] = {str(number): value for number, value in enumerate(values)}
    entries = [
        Entry("0", ("1",), "sum"),
        Entry("1", ("1",), "sum"),
        Entry("2", ("1",), "list", 1),
        Entry("3", ("1",), "list", 0),
        Entry("4", ("1",), None, reason="no use"),
    ]
    own = convert(state, entries)
    assert own.keys() == {"sum", "list"}
    assert torch.equal(own["sum"], values[0] + values[1])
    assert torch.equal(own["list"], values[[3, 2], 0])
    assert [entry.fate for entry in entries[2:]] == ["list[1]", "list[0]", "not needed: no use"]
    assert all(value.dtype == torch.float32 for value in own.values())
