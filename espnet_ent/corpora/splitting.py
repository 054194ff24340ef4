"""Training, development and test parts: what a manifest calls them, leaks between them, and making them."""

from __future__ import annotations

import random
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from espnet_ent.errors import ConfigError, DataError

PARTS = ("train", "dev", "test")
"""Parts by rank: of two rows that may not be in different parts, the one in the later part stays."""
_SPELLINGS = {
    "train": ("train", "training"),
    "dev": ("dev", "valid", "validation", "val", "development"),
    "test": ("test", "eval", "evaluation"),
}
_OUT = "-"
_TRIALS = 200


def part_of(name: str, split_map: Mapping[str, str]) -> str | None:
    """Part that a manifest's split stands for, ``-`` where the map leaves it out, or None if it is unknown."""
    if name in split_map:
        return split_map[name]
    return next((part for part, names in _SPELLINGS.items() if name.lower() in names), None)


def check_split_map(split_map: Mapping[str, str]) -> None:
    """Refuse a map to other parts than train, dev and test.

    Raises:
        ConfigError: On such a part.
    """
    for name, part in split_map.items():
        if part not in (*PARTS, _OUT):
            raise ConfigError(
                f"{name} can't become {part!r}", where="option --split_map", expected=" | ".join((*PARTS, _OUT))
            )


@dataclass(frozen=True)
class AudioSpan:
    """A stretch of audio.

    Attributes:
        content: What identifies the audio's samples, whatever file they are in.
        start: Start in seconds.
        end: End in seconds.
    """

    content: Hashable
    start: float
    end: float


def overlapping_spans(spans: Sequence[AudioSpan]) -> list[tuple[int, int]]:
    """Pairs (i, j), i < j, of spans that share audio; all pairs of each content, sorted.

    >>> overlapping_spans([AudioSpan("a", 0, 2), AudioSpan("b", 0, 2), AudioSpan("a", 1, 3), AudioSpan("a", 2, 3)])
    [(0, 2), (2, 3)]
    """
    groups: dict[Hashable, list[int]] = {}
    for position, span in enumerate(spans):
        groups.setdefault(span.content, []).append(position)
    pairs = []
    for group in groups.values():
        active: list[int] = []
        for position in sorted(group, key=lambda position: spans[position].start):
            active = [other for other in active if spans[other].end > spans[position].start]
            pairs.extend((min(other, position), max(other, position)) for other in active)
            active.append(position)
    return sorted(pairs)


@dataclass(frozen=True)
class SplitItem:
    """What a split has to know of an utterance.

    Attributes:
        key: What names it, for a result that does not depend on the order of the manifest.
        speaker: Its speaker.
        seconds: Its length.
        label: Its class, or None.
    """

    key: str
    speaker: str
    seconds: float
    label: str | None = None


def disjoint_split(
    items: Sequence[SplitItem],
    tied: Iterable[tuple[int, int]],
    shares: Mapping[str, float],
    seed: int,
    where: object = None,
) -> list[str]:
    """Part of each item; a speaker is in one part only, and so are items that are tied to each other.

    Of random assignments of whole speakers, each filled up to its share of the time, the one is taken whose parts come
    nearest to their shares of the time and of every class.

    Args:
        items: The utterances.
        tied: Pairs of positions that must stay together (shared audio, session or dialog).
        shares: Share of the time (0 to 1) of the parts to make; ``train`` is the rest.
        seed: Seed of the assignments.
        where: What to name in an error.

    Returns:
        ``train`` or a part of ``shares`` for each item.

    Raises:
        DataError: If there are fewer groups of speakers than parts.
    """
    units = _units(items, tied)
    num_units = 1 + max(units, default=-1)
    if num_units <= len(shares):
        options = " or ".join(f"--{part}_share 0" for part in shares)
        raise DataError(
            "too few speakers (or sessions, or dialogs) for parts that share none",
            where=where,
            expected=f"at least {len(shares) + 1} (train {' '.join(shares)})",
            got=num_units,
            next_step=f"add a split column, or leave a part out ({options})",
        )
    features = _features(items, units, num_units)
    generator = random.Random(seed)
    order = list(range(num_units))
    best, best_cost = np.zeros(num_units, dtype=np.int64), np.inf
    for _ in range(_TRIALS):
        generator.shuffle(order)
        assignment = _fill(np.array(order), features[:, 0], list(shares.values()))
        cost = _cost(assignment, features, list(shares.values()))
        if cost < best_cost - 1e-12:
            best, best_cost = assignment, cost
    names = ("train", *shares)
    return [names[best[unit]] for unit in units]


def _units(items: Sequence[SplitItem], tied: Iterable[tuple[int, int]]) -> list[int]:
    """Number of each item's group; groups are numbered by their first key, whatever the order of the items."""
    parent: dict[Hashable, Hashable] = {}

    def find(node: Hashable) -> Hashable:
        while parent.setdefault(node, node) != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for item in items:
        find(item.speaker)
    for first, second in tied:
        parent[find(items[first].speaker)] = find(items[second].speaker)
    first_key: dict[Hashable, str] = {}
    for item in items:
        root = find(item.speaker)
        first_key[root] = min(first_key.get(root, item.key), item.key)
    numbers = {root: number for number, root in enumerate(sorted(first_key, key=lambda root: first_key[root].encode()))}
    return [numbers[find(item.speaker)] for item in items]


def _features(items: Sequence[SplitItem], units: Sequence[int], num_units: int) -> np.ndarray:
    """Share of each unit (rows) in the time (column 0) and in every class (other columns)."""
    classes = sorted({item.label for item in items if item.label is not None})
    features = np.zeros((num_units, 1 + len(classes)))
    for item, unit in zip(items, units, strict=True):
        features[unit, 0] += item.seconds
        if item.label is not None:
            features[unit, 1 + classes.index(item.label)] += 1
    return features / features.sum(axis=0)


def _fill(order: np.ndarray, seconds: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """Units in their order to part 1, 2, ... up to each one's share, at least one to each; the rest to part 0."""
    assignment = np.zeros(len(order), dtype=np.int64)
    first = 0
    for number, share in enumerate(shares, 1):
        filled = np.cumsum(seconds[order[first:]])
        last_possible = len(order) - first - (len(shares) - number) - 1
        count = 1 + int(np.argmin(np.abs(filled[:last_possible] - share)))
        assignment[order[first : first + count]] = number
        first += count
    return assignment


def _cost(assignment: np.ndarray, features: np.ndarray, shares: Sequence[float]) -> float:
    """Squared relative distances from the shares; the time counts as much as all classes together."""
    num_classes = features.shape[1] - 1
    weights = np.array([1.0] + [1.0 / max(1, num_classes)] * num_classes)
    cost = 0.0
    for number, share in enumerate((1 - sum(shares), *shares)):
        got = features[assignment == number].sum(axis=0)
        cost += float(weights @ ((got - share) / share) ** 2)
    return cost


@dataclass(frozen=True)
class Leak:
    """A key, such as a speaker, that occurs in several parts.

    Attributes:
        key: The key.
        given_up: Positions in earlier parts: those at fault.
        kept: Positions in the latest of its parts.
    """

    key: Hashable
    given_up: tuple[int, ...]
    kept: tuple[int, ...]


def find_leaks(keys: Sequence[Hashable | None], parts: Sequence[str | None]) -> list[Leak]:
    """Keys that occur in several parts; None stands for a key or part that is not known."""
    groups: dict[Hashable, list[int]] = {}
    for position, (key, part) in enumerate(zip(keys, parts, strict=True)):
        if key is not None and part is not None:
            groups.setdefault(key, []).append(position)
    leaks = []
    for key, group in groups.items():
        latest = max(PARTS.index(parts[position]) for position in group)
        kept = tuple(position for position in group if PARTS.index(parts[position]) == latest)
        given_up = tuple(position for position in group if PARTS.index(parts[position]) < latest)
        if given_up:
            leaks.append(Leak(key, given_up, kept))
    return leaks
