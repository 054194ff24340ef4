from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from espnet_ent.errors import CheckpointError
from espnet_ent.plugin.averaging import average_states

FLOATS = st.floats(-1e6, 1e6, width=32)


@given(st.lists(st.lists(FLOATS, min_size=3, max_size=3), min_size=1, max_size=6))
def test_the_mean_is_that_of_exact_arithmetic_rounded_once(rows):
    averaged = average_states({"w": torch.tensor(row)} for row in rows)["w"]
    exact = [float(sum(map(Fraction, column)) / len(rows)) for column in zip(*rows, strict=True)]
    torch.testing.assert_close(averaged, torch.tensor(exact), rtol=1e-7, atol=1e-9)


def test_the_sum_is_taken_in_double_precision():
    states = [{"w": torch.tensor([1e8])}, {"w": torch.tensor([1.0])}, {"w": torch.tensor([-1e8])}]
    assert average_states(states)["w"].item() == pytest.approx(1 / 3)


def test_integers_are_those_of_the_first_and_types_stay():
    states = [
        {"count": torch.tensor(n), "flag": torch.tensor(n > 5), "half": torch.full((2,), float(n)).half()}
        for n in (7, 3)
    ]
    averaged = average_states(states)
    assert averaged["count"] == 7
    assert averaged["flag"]
    assert averaged["half"].dtype is torch.float16
    assert averaged["half"].tolist() == [5.0, 5.0]


def test_the_states_are_not_changed():
    states = [{"w": torch.ones(2)}, {"w": torch.zeros(2)}]
    average_states(states)
    assert [state["w"].sum().item() for state in states] == [2.0, 0.0]


def test_nothing_to_average_and_states_that_differ_are_errors():
    with pytest.raises(CheckpointError, match="no checkpoint"):
        average_states([])
    with pytest.raises(CheckpointError, match="1 of another shape"):
        average_states([{"w": torch.zeros(2)}, {"w": torch.zeros(3)}])
