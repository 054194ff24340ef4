"""The emotion inventory is the only place that knows names, the neutral class and aliases."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ent.errors import LabelError
from espnet_ent.labels import FOUR_EMOTIONS, EmotionInventory

NAMES = st.lists(st.from_regex(r"[a-z]{1,6}", fullmatch=True), min_size=2, max_size=8, unique=True)


@st.composite
def inventories(draw: st.DrawFn) -> EmotionInventory:
    words = draw(NAMES)
    split = draw(st.integers(1, len(words)))
    names, aliases = words[:split], words[split:]
    targets = [draw(st.sampled_from(names)) for _ in aliases]
    return EmotionInventory(tuple(names), draw(st.sampled_from(names)), tuple(zip(aliases, targets, strict=True)))


def test_the_four_classes_are_in_the_order_of_the_reference() -> None:
    assert FOUR_EMOTIONS.names == ("hap", "ang", "sad", "neu")
    assert FOUR_EMOTIONS.neutral_index == 3
    assert FOUR_EMOTIONS.canonical("exc") == "hap"
    assert [FOUR_EMOTIONS.canonical(label) for label in ("happy", "sad", "angry")] == ["hap", "sad", "ang"]
    assert len(FOUR_EMOTIONS) == 4


@given(inventories())
def test_lines_and_back(inventory: EmotionInventory) -> None:
    again = EmotionInventory.from_lines(inventory.to_lines())
    assert (again.names, again.neutral) == (inventory.names, inventory.neutral)
    assert dict(again.aliases) == dict(inventory.aliases)


@given(inventories())
def test_every_name_and_alias_has_the_index_of_its_class(inventory: EmotionInventory) -> None:
    for position, name in enumerate(inventory.names):
        assert inventory.index(name) == position
        assert inventory.canonical(name) == name
    for alias, name in inventory.aliases:
        assert alias in inventory
        assert inventory.index(alias) == inventory.index(name)


def test_file_and_back(tmp_path: Path) -> None:
    path = tmp_path / "emotion_list"
    FOUR_EMOTIONS.write(path)
    assert path.read_text() == (
        "hap emotion exc happy happiness excited\nang emotion angry anger\nsad emotion sadness\nneu neutral neutral\n"
    )
    assert EmotionInventory.read(path).to_lines() == FOUR_EMOTIONS.to_lines()
    assert EmotionInventory.from_config(path) == EmotionInventory.from_config(path.read_text().splitlines())


def test_an_unknown_label_is_named_with_its_place() -> None:
    with pytest.raises(LabelError, match=r"^utt2emo:7: unknown emotion label; expected one of hap .*; got 'hpy'$"):
        FOUR_EMOTIONS.index("hpy", where="utt2emo:7")
    assert "hpy" not in FOUR_EMOTIONS
    assert 3 not in FOUR_EMOTIONS


def test_a_missing_file_names_the_stage(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="rerun stage"):
        EmotionInventory.read(tmp_path / "emotion_list")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["hap"], "emotion_list:1: malformed line"),
        (["hap emotion", "neu neither"], "emotion_list:2: malformed line"),
        (["hap emotion", ""], "emotion_list:2: malformed line"),
        (["hap emotion"], "exactly one class must be neutral; got none"),
        (["hap neutral", "neu neutral"], "exactly one class must be neutral"),
        (["hap emotion", "hap emotion", "neu neutral"], "emotion occurs twice in the inventory; got 'hap'"),
        (["hap emotion joy", "sad emotion joy", "neu neutral"], "alias stands for two emotions; got 'joy'"),
        (["hap emotion sad", "sad emotion", "neu neutral"], "alias stands for two emotions; got 'sad'"),
    ],
)
def test_faults_of_the_file(lines: list[str], message: str) -> None:
    with pytest.raises(LabelError, match=message):
        EmotionInventory.from_lines(lines)


def test_faults_of_the_arguments() -> None:
    with pytest.raises(LabelError, match="neutral class is not in the inventory"):
        EmotionInventory(("hap",), "neu")
    with pytest.raises(LabelError, match="of an unknown emotion; got 'joy'"):
        EmotionInventory(("hap", "neu"), "neu", (("glad", "joy"),))
