"""Encoder states on disk, found by the audio that they belong to: the format of the feature cache.

A store is a folder for one encoder. States of some utterances lie in ``<name>.ark``, written by kaldiio: ESPnet's data
type ``kaldi_ark`` and kaldiio read them too. ``<name>.index`` says what lies where, with a checksum of each utterance.
An ark counts from when its index is there: a run that is killed leaves whole arks, and others that the next removes.

Dimensions: T frames, L layers, D state size, N rows of local features, F their size.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kaldiio
import numpy as np

from espnet_ent.data.atomic import atomic_write_bytes, atomic_write_text
from espnet_ent.errors import ConfigError, DataError

DTYPES = ("float16", "float32")
DESCRIPTION = "cache.json"
_FORMAT = 1
_MARK = b"NPY"
_HEADER = 256  # bytes in which the header of an array certainly ends
_NAME_DIGITS = 16


@dataclass(frozen=True, eq=False)
class UtteranceStates:
    """States of one utterance.

    Attributes:
        states: (T, L, D) of the layers.
        local: (N, F), features of short reach.
        num_samples: Length of the audio.
    """

    states: np.ndarray
    local: np.ndarray
    num_samples: int


@dataclass(frozen=True)
class Entry:
    """Where the states of an utterance lie.

    Attributes:
        audio: SHA-256 of its samples, see :func:`audio_digest`.
        num_samples: Length of the audio.
        ark: The file.
        states: Where in the file the layers' states begin.
        local: Where the local features begin.
        end: Where they end.
        checksum: CRC-32 of all bytes from ``states`` to ``end``.
    """

    audio: str
    num_samples: int
    ark: Path
    states: int
    local: int
    end: int
    checksum: int

    def read(self, utt_id: str) -> UtteranceStates:
        """Read the states of an utterance, and these alone.

        Raises:
            DataError: If they are not as they were written.
        """
        try:
            with self.ark.open("rb", buffering=0) as file:
                data = os.pread(file.fileno(), self.end - self.states, self.states)
        except OSError as error:
            raise _damaged(self.ark, utt_id, error.strerror) from error
        if len(data) < self.end - self.states or zlib.crc32(data) != self.checksum:
            raise _damaged(self.ark, utt_id, "another checksum than when they were written")
        return UtteranceStates(_array(data, 0), _array(data, self.local - self.states), self.num_samples)


class StateStore:
    """The states of one encoder.

    Args:
        root: Folder of all stores; each encoder has one of its own below it.
        depends_on: What the states depend on besides the samples.
        dtype: ``float16``, which rounds to 11 bits, or ``float32``.

    Raises:
        ConfigError: On another dtype.
    """

    def __init__(self, root: str | Path, depends_on: Mapping[str, Any], dtype: str = "float16") -> None:
        if dtype not in DTYPES:
            raise ConfigError("unknown dtype of a feature cache", expected=" | ".join(DTYPES), got=dtype)
        self.depends_on, self.dtype = dict(depends_on), dtype
        self.path = Path(root) / f"{encoder_digest(depends_on)[:_NAME_DIGITS]}_{dtype}"

    def describe(self) -> None:
        """Write what the store is, unless that stands there."""
        description = {"format": _FORMAT, "dtype": self.dtype, "depends_on": self.depends_on}
        text = json.dumps(description, indent=2, sort_keys=True) + "\n"
        path = self.path / DESCRIPTION
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            atomic_write_text(path, text)

    def entries(self) -> tuple[dict[str, Entry], list[Path]]:
        """What is there by digest of the audio, and the indices that are of no use: damaged, or without their ark."""
        found: dict[str, Entry] = {}
        useless = []
        for path in sorted(self.path.glob("*.index")):
            try:
                found.update((entry.audio, entry) for entry in read_index(path))
            except DataError:
                useless.append(path)
        return found, useless

    def remove_useless(self) -> list[Path]:
        """Remove what a killed run has left, and arks that are missing, short or without a sound index.

        The caller is the only one who writes.

        Returns:
            The indices that did not fit their ark.
        """
        _, useless = self.entries()
        for path in useless:
            path.unlink()
        for path in (*self.path.glob("*.ark"), *self.path.glob(".*.tmp.*")):
            if path.name.startswith(".") or not path.with_suffix(".index").is_file():
                path.unlink()
        return useless

    def write(self, utterances: Sequence[tuple[str, str, UtteranceStates]]) -> Path:
        """Write an ark and its index.

        Args:
            utterances: Each with its name for messages, the digest of its audio, which occurs once, and its states.

        Returns:
            The ark.

        Raises:
            DataError: If a value is too large for the store's dtype, or not finite, or the disk does not take it.
        """
        buffer, lines = io.BytesIO(), []
        for utt_id, audio, found in utterances:
            start = _append(buffer, audio, self._stored(utt_id, found.states))
            local = _append(buffer, f"{audio}-local", self._stored(utt_id, found.local))
            checksum = zlib.crc32(buffer.getbuffer()[start:])
            lines.append(f"{audio} {found.num_samples} {start} {local} {buffer.tell()} {checksum:08x}\n")
        name = hashlib.sha256("".join(audio for _, audio, _ in utterances).encode()).hexdigest()[:_NAME_DIGITS]
        ark, text = self.path / f"{name}.ark", "".join(lines)
        try:
            atomic_write_bytes(ark, buffer.getbuffer())
            atomic_write_text(ark.with_suffix(".index"), f"{text}end {zlib.crc32(text.encode()):08x}\n")
        except OSError as error:
            raise DataError(
                f"can't write {buffer.tell()} bytes", where=ark, got=error.strerror, next_step="free space, rerun"
            ) from error
        return ark

    def _stored(self, utt_id: str, values: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            stored = np.ascontiguousarray(values, dtype=self.dtype)
        if not np.isfinite(stored).all():
            raise DataError(
                f"states that {self.dtype} can't hold",
                where=utt_id,
                got=f"up to {np.abs(values).max():g}",
                next_step="--feature_cache_dtype float32" if np.isfinite(values).all() else None,
            )
        return stored


def audio_digest(samples: np.ndarray) -> str:
    """SHA-256 of float32 samples, in hexadecimal digits."""
    return hashlib.sha256(np.ascontiguousarray(samples, dtype="<f4").data).hexdigest()


def encoder_digest(depends_on: Mapping[str, Any]) -> str:
    """SHA-256 of what the states of an encoder depend on, in hexadecimal digits."""
    return hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()


def read_description(store: Path) -> dict[str, Any]:
    """What the states of a store depend on besides the samples.

    Raises:
        DataError: If it is not there, damaged or of another version.
    """
    path = store / DESCRIPTION
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        if description["format"] == _FORMAT:
            return dict(description["depends_on"])
        got = f"format {description['format']}"
    except (OSError, ValueError, TypeError, KeyError) as error:
        got = f"{type(error).__name__}: {error}"
    raise DataError("not a feature cache of this version", where=path, got=got, next_step=_rerun(f"remove {store}"))


def read_index(path: Path) -> list[Entry]:
    """The entries of an ark, which must be as long as they say.

    Raises:
        DataError: If the index is damaged, or the ark is missing or short.
    """
    ark = path.with_suffix(".ark")
    try:
        text, _, end = path.read_text(encoding="utf-8").rpartition("end ")
        if int(end, 16) != zlib.crc32(text.encode()):
            raise ValueError("another checksum than when it was written")
        rows = [line.split() for line in text.splitlines()]
        found = [Entry(row[0], int(row[1]), ark, *map(int, row[2:5]), int(row[5], 16)) for row in rows]
        size = ark.stat().st_size
    except (OSError, ValueError, IndexError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DataError("cached states have no sound index", where=path, got=reason, next_step=_rerun()) from error
    if found and size < found[-1].end:
        got = f"{size} bytes, expected {found[-1].end}"
        raise DataError("cached states are cut off", where=ark, got=got, next_step=_rerun())
    return found


def _append(buffer: io.BytesIO, key: str, array: np.ndarray) -> int:
    """Append an array to an ark; where it begins after its key."""
    start = buffer.tell() + len(key) + 1
    kaldiio.save_ark(buffer, {key: array}, write_function="numpy")
    return start


def _array(data: bytes, start: int) -> np.ndarray:
    """The array at a place of an ark, as kaldiio writes it: mark, width of a number, number of bytes, npy file."""
    start += len(_MARK) + 1 + data[start + len(_MARK)]
    head = io.BytesIO(data[start : start + _HEADER])
    np.lib.format.read_magic(head)
    shape, _, dtype = np.lib.format.read_array_header_1_0(head)
    count = int(np.prod(shape))
    return np.frombuffer(data, dtype, count, start + head.tell()).reshape(shape)


def _damaged(ark: Path, utt_id: str, got: str) -> DataError:
    what = "cached states are damaged"
    return DataError(what, where=f"{ark}: {utt_id}", got=got, next_step=_rerun(f"remove {ark}"))


def _rerun(first: str = "") -> str:
    return f"{first} and rerun stage 9 (--stage 9)" if first else "rerun stage 9 (--stage 9)"
