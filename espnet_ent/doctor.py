"""Is this machine fit to run the package? Versions, known conflicts, and the command that mends each fault."""

from __future__ import annotations

import importlib.metadata
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

LOCK = Path(__file__).parents[1] / "requirements.lock"
_PYTHONS = ((3, 11), (3, 12))
_PINNED = {"espnet": "202511", "torch": "2.11.0", "torchaudio": "2.11.0"}
_NEEDED = ("sentencepiece", "kaldiio", "pyyaml", "soundfile", "soxr", "scikit-learn", "jiwer", "tqdm", "pyworld")
_TRAINING = ("matplotlib", "tensorboard")
_MINI = "espeakng-loader"
_FREE_GB = 5
_MEMORY_GB = 6
_PIP = f"{shlex.quote(sys.executable)} -m pip install"
# Not `make env`, which sees its stamp and takes the environment for whole.
_MEND = f"{_PIP} --no-deps -r {shlex.quote(str(LOCK))}" if LOCK.is_file() else f"{_PIP} --force-reinstall espnet_ent"


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        level: ``ok``, ``warn`` or ``FAIL``.
        what: What was checked, with what was found.
        mend: The command that mends it, if something is to mend.
    """

    level: str
    what: str
    mend: str = ""

    def __str__(self) -> str:
        return f"{self.level:>4}  {self.what}" + (f"  ->  {self.mend}" if self.mend else "")


def diagnose() -> Iterator[Finding]:
    """All checks, one after the other."""
    for check in (_python, _versions, _setuptools, _known_value, _audio, _mini, _memory, _disk):
        yield from check()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package).split("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return None


def _python() -> Iterator[Finding]:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] in _PYTHONS:
        yield Finding("ok", f"Python {found}")
    else:
        yield Finding("FAIL", f"Python {found}; expected 3.11 or 3.12", "install Python 3.11, rm -r .venv, make env")


def _versions() -> Iterator[Finding]:
    for package, wanted in _PINNED.items():
        found = _version(package)
        if found == wanted:
            yield Finding("ok", f"{package} {found}")
        else:
            yield Finding("FAIL", f"{package} {found or 'missing'}; expected {wanted}", _MEND)
    for package in _NEEDED + _TRAINING:
        found = _version(package)
        yield Finding("ok", f"{package} {found}") if found else Finding("FAIL", f"{package} missing", _MEND)


def _setuptools() -> Iterator[Finding]:
    found = _version("setuptools")
    if found is not None and int(found.split(".")[0]) < 74:
        yield Finding("ok", f"setuptools {found} (ESPnet 202511 needs < 74)")
    else:
        yield Finding("FAIL", f"setuptools {found}; ESPnet 202511 needs < 74", f"{_PIP} 'setuptools<74'")


def _known_value() -> Iterator[Finding]:
    def check() -> str:
        from espnet_ent.losses.known_value import check_known_value

        return f"transducer loss gives the known value ({check_known_value():.6f})"

    yield _guarded("transducer loss", check)


def _audio() -> Iterator[Finding]:
    def check() -> str:
        import numpy as np
        import soundfile

        samples = np.arange(-800, 800, dtype=np.int16)
        with tempfile.TemporaryDirectory() as folder:
            for suffix in ("flac", "wav"):
                path = Path(folder, f"ramp.{suffix}")
                soundfile.write(path, samples, 16000, subtype="PCM_16")
                if not np.array_equal(soundfile.read(path, dtype="int16")[0], samples):
                    raise RuntimeError(f"{suffix} does not come back as it was written")
        return f"audio is written and read (libsndfile {soundfile.__libsndfile_version__})"

    yield _guarded("audio", check)


def _guarded(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding("ok", check())
    except Exception as error:  # a doctor reports whatever is broken
        return Finding("FAIL", f"{name}: {type(error).__name__}: {error}", _MEND)


def _mini() -> Iterator[Finding]:
    found = _version(_MINI)
    if found:
        yield Finding("ok", f"{_MINI} {found} (mini corpus)")
    else:
        yield Finding("warn", f"{_MINI} missing: no mini corpus, no demo", f"{_PIP} {_MINI}")


def _memory() -> Iterator[Finding]:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    if total >= _MEMORY_GB:
        yield Finding("ok", f"memory: {total:.0f} GB")
    else:
        yield Finding("warn", f"memory: {total:.1f} GB; the demo needs {_MEMORY_GB}", "a smaller batch_size")


def _disk() -> Iterator[Finding]:
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    level = "ok" if free >= _FREE_GB else "warn"
    yield Finding(level, f"disk: {free:.0f} GB free here", "" if level == "ok" else "free some space")
