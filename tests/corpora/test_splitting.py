"""Splits: no speaker and no audio in two parts, near the shares that were asked for."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet_ent.corpora.splitting import (
    AudioSpan,
    Leak,
    SplitItem,
    check_split_map,
    disjoint_split,
    find_leaks,
    overlapping_spans,
    part_of,
)
from espnet_ent.errors import ConfigError, DataError

SHARES = {"dev": 0.1, "test": 0.2}
ITEMS = st.lists(
    st.tuples(st.integers(0, 9), st.floats(0.1, 20), st.sampled_from(["ang", "neu", None])), min_size=1, max_size=40
)


def make_items(drawn: list[tuple[int, float, str | None]]) -> list[SplitItem]:
    return [SplitItem(f"u{i:02d}", f"s{speaker}", seconds, label) for i, (speaker, seconds, label) in enumerate(drawn)]


def groups(items: list[SplitItem], tied: list[tuple[int, int]]) -> list[set[str]]:
    """Speakers that must stay together, found by merging sets until nothing changes."""
    merged = [{item.speaker} for item in items] + [{items[a].speaker, items[b].speaker} for a, b in tied]
    result: list[set[str]] = []
    for group in merged:
        touching = [other for other in result if other & group]
        result = [other for other in result if not other & group] + [set.union(group, *touching)]
    return result


@settings(max_examples=40, deadline=None)
@given(ITEMS, st.lists(st.tuples(st.integers(0, 39), st.integers(0, 39)), max_size=2), st.integers(0, 5))
def test_speakers_and_tied_items_stay_together_and_no_part_is_empty(
    drawn: list[tuple[int, float, str | None]], tied: list[tuple[int, int]], seed: int
) -> None:
    items = make_items(drawn)
    tied = [(a % len(items), b % len(items)) for a, b in tied]
    if len(groups(items, tied)) < 3:
        with pytest.raises(DataError, match="too few speakers"):
            disjoint_split(items, tied, SHARES, seed)
        return
    parts = disjoint_split(items, tied, SHARES, seed)
    assert set(parts) == {"train", "dev", "test"}
    assert find_leaks([item.speaker for item in items], parts) == []
    assert all(parts[a] == parts[b] for a, b in tied)


@settings(max_examples=20, deadline=None)
@given(ITEMS, st.randoms(use_true_random=False))
def test_the_order_of_the_manifest_does_not_matter(
    drawn: list[tuple[int, float, str | None]], generator: random.Random
) -> None:
    # Whole seconds: their sums do not depend on the order.
    items = make_items([(speaker, round(seconds) + 1, label) for speaker, seconds, label in drawn])
    items += [SplitItem(f"v{i}", f"t{i}", 5.0) for i in range(3)]
    shuffled = generator.sample(items, len(items))
    parts = dict(zip(items, disjoint_split(items, [], SHARES, 1), strict=True))
    assert dict(zip(shuffled, disjoint_split(shuffled, [], SHARES, 1), strict=True)) == parts


def test_shares_of_time_and_classes_are_met_where_they_can_be() -> None:
    items = [SplitItem(f"u{i:03d}", f"s{i // 10:02d}", 1 + i % 3, ("ang", "neu")[i % 2]) for i in range(300)]
    parts = disjoint_split(items, [], SHARES, 1)
    for label in ("ang", "neu"):
        own = [part for item, part in zip(items, parts, strict=True) if item.label == label]
        assert own.count("dev") / len(own) == pytest.approx(0.1, abs=0.02)
        assert own.count("test") / len(own) == pytest.approx(0.2, abs=0.02)
    assert disjoint_split(items, [], SHARES, 1) == parts
    assert disjoint_split(items, [], SHARES, 2) != parts


def test_too_few_speakers_say_what_to_do() -> None:
    items = [SplitItem(f"u{i}", f"s{i % 2}", 1.0) for i in range(10)]
    with pytest.raises(DataError, match=r"my.tsv: too few .* at least 3 .*; got 2; next: add a split .*--dev_share 0"):
        disjoint_split(items, [], SHARES, 1, where="my.tsv")
    assert set(disjoint_split(items, [], {"dev": 0.1}, 1)) == {"train", "dev"}


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 6), st.integers(1, 4)), max_size=12))
def test_overlaps_are_those_of_all_pairs(drawn: list[tuple[str, int, int]]) -> None:
    spans = [AudioSpan(content, start, start + length) for content, start, length in drawn]
    naive = [
        (i, j)
        for j in range(len(spans))
        for i in range(j)
        if spans[i].content == spans[j].content and spans[i].start < spans[j].end and spans[j].start < spans[i].end
    ]
    assert overlapping_spans(spans) == sorted(naive)


def test_leaks_keep_the_latest_part() -> None:
    keys = ["anna", "bert", "anna", None, "anna", "bert"]
    parts = ["train", "dev", "test", "train", "dev", None]
    assert find_leaks(keys, parts) == [Leak("anna", (0, 4), (2,))]


def test_usual_spellings_are_known_and_others_can_be_mapped() -> None:
    spelled = {"train": "train", "Training": "train", "val": "dev", "VALID": "dev", "eval": "test", "fold1": None}
    assert {name: part_of(name, {}) for name in spelled} == spelled
    assert part_of("fold1", {"fold1": "test"}) == "test"
    assert part_of("valid", {"valid": "-"}) == "-"
    check_split_map({"a": "train", "b": "-"})
    with pytest.raises(ConfigError, match=r"option --split_map: valid can't become 'tset'; expected train \| dev"):
        check_split_map({"valid": "tset"})
