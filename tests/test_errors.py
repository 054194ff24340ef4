"""A user error is one line that says what, where, expected, got and what to do."""

from __future__ import annotations

import copy
import pickle
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ent import errors
from espnet_ent.bin.command import boolean, run
from espnet_ent.errors import AudioError, DataError, EntError

CLASSES = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, EntError)]


def test_all_parts_stand_in_one_line() -> None:
    error = DataError("bad label", where="utt2emo:3", expected="ang", got="hpy", next_step="mend it")
    assert str(error) == "utt2emo:3: bad label; expected ang; got hpy; next: mend it"


def test_parts_that_are_not_given_leave_no_trace() -> None:
    assert str(EntError("it is wrong")) == "it is wrong"


def test_falsy_values_are_values() -> None:
    assert str(EntError("wrong", where=0, expected=1, got=0)) == "0: wrong; expected 1; got 0"


@given(st.text(), st.text(), st.text())
def test_never_more_than_one_line(what: str, where: str, got: str) -> None:
    assert len(str(EntError(what, where=where, got=got)).splitlines()) <= 1


@pytest.mark.parametrize("error_class", CLASSES)
def test_survives_a_worker_process(error_class: type[EntError]) -> None:
    error = error_class("wrong", where="here", expected="this", got="that", next_step="do")
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is error_class
        assert str(again) == str(error)
        assert again.next_step == "do"


@pytest.mark.parametrize(
    ("main", "status", "message"),
    [
        (lambda: None, 0, ""),
        (lambda: 3, 3, ""),
        (lambda: (_ for _ in ()).throw(AudioError("cut off", where="a.wav")), 2, "prog: error: a.wav: cut off\n"),
        (lambda: (_ for _ in ()).throw(KeyboardInterrupt), 130, "prog: interrupted\n"),
    ],
)
def test_how_a_command_ends(main, status, message, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/prog.py"])
    with pytest.raises(SystemExit) as ended:
        run(main)
    assert ended.value.code == status
    assert capsys.readouterr().err == message


def test_a_defect_of_the_package_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        run(lambda: 1 // 0)


def test_boolean_options_are_written_as_in_espnet() -> None:
    assert boolean("true") is True
    assert boolean("False") is False
    with pytest.raises(Exception, match="expected true or false, got 'yes'"):
        boolean("yes")


def test_a_full_disk_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(number: int) -> None:
        raise OSError(number, "No space left on device", "a/file")

    monkeypatch.setattr(sys, "argv", ["ent_x.py"])
    with pytest.raises(SystemExit) as ended:
        run(lambda: fail(28))
    assert ended.value.code == 2
    assert capsys.readouterr().err == "ent_x: error: a/file: No space left on device\n"
    with pytest.raises(OSError, match="No space"):
        run(lambda: fail(5))
