"""What training, development and test sets of a fold must not share: speakers, sessions, dialogs, recordings."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from espnet_ent.data.audio import audio_info, read_audio, to_pcm16
from espnet_ent.data.datadir import read_data_dir, read_table
from espnet_ent.data.utterance import Utterance
from espnet_ent.data.worker_pool import worker_pool
from espnet_ent.errors import ConfigError

Progress = Callable[[Iterable], Iterable]
KINDS = ("utterance", "audio", "speaker", "dialog", "session")
"""What is compared. Sessions and dialogs are known where a directory has ``utt2session`` and ``utt2dialog``."""
_TABLES = {"speaker": "utt2spk", "dialog": "utt2dialog", "session": "utt2session"}
_MOST_NAMED = 3


@dataclass(frozen=True)
class Leak:
    """Something that two sets share.

    Attributes:
        kind: One of :data:`KINDS`.
        value: Its name; an utterance of the first set for ``audio``.
        first: One set and up to three of its utterances.
        second: The other set, likewise.
    """

    kind: str
    value: str
    first: tuple[str, tuple[str, ...]]
    second: tuple[str, tuple[str, ...]]

    def __str__(self) -> str:
        sides = " and ".join(f"{name} ({' '.join(utterances)})" for name, utterances in (self.first, self.second))
        what = "the same recording" if self.kind == "audio" else f"{self.kind} {self.value!r}"
        return f"{what} is in {sides}"


@dataclass(frozen=True)
class _Contents:
    """A set: kind -> value -> utterances."""

    name: str
    of_kind: Mapping[str, Mapping[str, Sequence[str]]]


def find_leaks(
    train: str | Path,
    dev: str | Path,
    tests: Sequence[str | Path],
    allowed: Iterable[str] = (),
    dev_is_test: bool = False,
    nj: int = 1,
    progress: Progress = iter,
) -> list[Leak]:
    """Everything that training shares with development or test, and development with test.

    Recordings are compared by their samples (16 bits, at their own rate), so that a copy under another name or in
    another lossless format is found. Test sets may overlap each other.

    Args:
        train: Data directory, before speed perturbation and mixing.
        dev: Data directory.
        tests: Data directories.
        allowed: Kinds that may be shared.
        dev_is_test: Development may share anything with the test sets (protocol ``paper``).
        nj: Parallel processes.
        progress: Wraps the iterable of read recordings.

    Raises:
        ConfigError: If an allowed kind is unknown.
        DataError: If a directory is missing or malformed.
        AudioError: If a recording can't be read.
    """
    allowed = set(allowed)
    if not allowed <= set(KINDS):
        raise ConfigError("unknown kind", expected=" ".join(KINDS), got=" ".join(sorted(allowed - set(KINDS))))
    kinds = [kind for kind in KINDS if kind not in allowed]
    train, dev, tests = str(train), str(dev), [str(test) for test in tests]
    contents = {name: _read(name, "audio" in kinds, nj, progress) for name in sorted({train, dev, *tests})}
    pairs = [(train, dev), *((train, test) for test in tests)]
    if not dev_is_test:
        pairs += [(dev, test) for test in tests]
    return [leak for a, b in pairs for kind in kinds for leak in _shared(kind, contents[a], contents[b])]


def _shared(kind: str, first: _Contents, second: _Contents) -> Iterator[Leak]:
    a, b = first.of_kind.get(kind, {}), second.of_kind.get(kind, {})
    for value in sorted(a.keys() & b.keys()):
        sides = ((side.name, tuple(found[value][:_MOST_NAMED])) for side, found in ((first, a), (second, b)))
        yield Leak(kind, a[value][0] if kind == "audio" else value, *sides)


def _read(directory: str, with_audio: bool, nj: int, progress: Progress) -> _Contents:
    utterances = read_data_dir(directory)
    of_kind: dict[str, dict[str, list[str]]] = {"utterance": {u.utt_id: [u.utt_id] for u in utterances}}
    for kind, name in _TABLES.items():
        path = Path(directory, name)
        if path.is_file():
            of_kind[kind] = _grouped(read_table(path).items())
    if with_audio:
        with worker_pool(nj) as pool:
            of_kind["audio"] = _grouped(progress(pool.map(_hash_of, utterances, chunksize=16)))
    return _Contents(directory, of_kind)


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for utt_id, value in pairs:
        groups.setdefault(value, []).append(utt_id)
    return groups


def _hash_of(utterance: Utterance) -> tuple[str, str]:
    rate = audio_info(utterance.audio).sample_rate
    samples = read_audio(utterance.audio, rate, start=utterance.start, end=utterance.end)
    return utterance.utt_id, hashlib.sha256(to_pcm16(samples).tobytes()).hexdigest()
