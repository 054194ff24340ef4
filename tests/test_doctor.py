"""The doctor finds what is wrong with an environment and names what mends it."""

from __future__ import annotations

import importlib.metadata
import re
import shlex
import sys
from collections.abc import Callable

import pytest

from espnet_ent import doctor
from espnet_ent.bin import ent_doctor
from espnet_ent.doctor import LOCK, Finding, diagnose


@pytest.fixture
def versions(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str | None], None]:
    """Make a package appear in another version, or not at all."""
    real = importlib.metadata.version
    changed: dict[str, str | None] = {}

    def version(package: str) -> str:
        found = changed[package] if package in changed else real(package)
        if found is None:
            raise importlib.metadata.PackageNotFoundError(package)
        return found

    monkeypatch.setattr(importlib.metadata, "version", version)
    return changed.__setitem__


def _faults() -> list[Finding]:
    return [finding for finding in diagnose() if finding.level != "ok"]


def test_this_environment_is_sound() -> None:
    findings = list(diagnose())
    assert [finding for finding in findings if finding.level == "FAIL"] == []
    assert "transducer loss gives the known value (4.49566" in " ".join(finding.what for finding in findings)


@pytest.mark.parametrize(
    ("package", "found", "what"),
    [
        ("torch", "2.13.0", "torch 2.13.0; expected 2.11.0"),
        ("torchaudio", "2.10.0+cu128", "torchaudio 2.10.0; expected 2.11.0"),
        ("espnet", "202611", "espnet 202611; expected 202511"),
        ("espnet", None, "espnet missing; expected 202511"),
        ("tensorboard", None, "tensorboard missing"),
        ("matplotlib", None, "matplotlib missing"),
        ("setuptools", "77.0.1", "setuptools 77.0.1; ESPnet 202511 needs < 74"),
        ("setuptools", None, "setuptools None; ESPnet 202511 needs < 74"),
    ],
)
def test_a_wrong_version_fails(
    versions: Callable[[str, str | None], None], package: str, found: str | None, what: str
) -> None:
    versions(package, found)
    (fault,) = _faults()
    assert (fault.level, fault.what) == ("FAIL", what)
    assert shlex.split(fault.mend)[:4] == [sys.executable, "-m", "pip", "install"]


def test_a_build_tag_is_no_other_version(versions: Callable[[str, str | None], None]) -> None:
    versions("torch", "2.11.0+cpu")
    assert _faults() == []


def test_the_mini_corpus_is_optional(versions: Callable[[str, str | None], None]) -> None:
    versions("espeakng-loader", None)
    (fault,) = _faults()
    assert fault.level == "warn"
    assert fault.mend.endswith("pip install espeakng-loader")


def test_a_loss_that_is_wrong_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("espnet_ent.losses.known_value.rnnt_loss", lambda *_: 4.0)
    (fault,) = _faults()
    assert fault.level == "FAIL"
    assert "the transducer loss of the installed torchaudio is wrong" in fault.what


def test_an_old_python_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 2))
    (fault,) = _faults()
    assert fault.what == "Python 3.10.2; expected 3.11 or 3.12"


def test_little_memory_and_disk_are_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.os, "sysconf", lambda _name: 1000)
    monkeypatch.setattr(doctor, "_FREE_GB", 1e9)
    assert [fault.level for fault in _faults()] == ["warn", "warn"]


def test_pins_are_those_of_the_lock_file() -> None:
    lock = dict(line.split("==") for line in LOCK.read_text().splitlines() if not line.startswith("#"))
    assert {name: lock[name] for name in doctor._PINNED} == doctor._PINNED
    assert int(lock["setuptools"].split(".")[0]) < 74


def test_the_command_prints_a_line_a_check_and_ends_with_2_if_one_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    findings = [Finding("ok", "a 1"), Finding("warn", "b 2", "mend b")]
    monkeypatch.setattr(doctor, "diagnose", lambda: iter(findings))
    assert ent_doctor.main([]) == 0
    findings.append(Finding("FAIL", "c", "mend c"))
    assert ent_doctor.main([]) == 2
    printed = capsys.readouterr().out.splitlines()
    assert printed[-3:] == ["  ok  a 1", "warn  b 2  ->  mend b", "FAIL  c  ->  mend c"]
    assert all(re.match(r"\s*(ok|warn|FAIL)  ", line) for line in printed)
