"""Folds are disjoint in sessions, so in speakers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ent.data.folds import SessionFold, chosen_sessions, session_fold
from espnet_ent.errors import ConfigError


@given(st.integers(3, 12))
def test_every_session_is_tested_and_developed_on_once(num_sessions: int) -> None:
    folds = [session_fold(fold, num_sessions) for fold in range(1, num_sessions + 1)]
    assert sorted(fold.test[0] for fold in folds) == list(range(1, num_sessions + 1))
    assert sorted(fold.dev[0] for fold in folds) == list(range(1, num_sessions + 1))
    for fold in folds:
        assert sorted(fold.train + fold.dev + fold.test) == list(range(1, num_sessions + 1))


def test_the_development_session_is_the_next_one() -> None:
    assert session_fold(1, 5) == SessionFold(train=(3, 4, 5), dev=(2,), test=(1,))


def test_the_paper_develops_on_the_test_session() -> None:
    assert session_fold(2, 5, "paper") == SessionFold(train=(1, 3, 4, 5), dev=(2,), test=(2,))


@pytest.mark.parametrize("fold", [0, 6, -1])
def test_no_such_fold(fold: int) -> None:
    with pytest.raises(ConfigError, match="no such fold; expected 1 to 5"):
        session_fold(fold, 5)


def test_no_such_protocol() -> None:
    with pytest.raises(ConfigError, match=r"unknown protocol; expected honest \| paper; got 'fair'"):
        session_fold(1, 5, "fair")


def test_chosen_sessions() -> None:
    assert chosen_sessions([4, 1, 2, 3], [5], 5) == SessionFold((1, 2, 3, 4), (5,), ())


@pytest.mark.parametrize(("train", "dev"), [([1, 2], [2]), ([], [5]), ([1], []), ([1], [6]), ([0], [1])])
def test_impossible_sessions(train: list[int], dev: list[int]) -> None:
    with pytest.raises(ConfigError, match="need sessions of their own"):
        chosen_sessions(train, dev, 5)
