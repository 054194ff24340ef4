"""Words of a decoded directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from espnet_ent.data.transcript import Word
from espnet_ent.errors import DataError, LabelError
from espnet_ent.export.word_emotions import read_words
from espnet_ent.labels import FOUR_EMOTIONS
from tests.metrics.oracles import write_lines


def test_words_are_read_with_all_that_is_told(tmp_path: Path) -> None:
    assert read_words(tmp_path, FOUR_EMOTIONS) == {}
    write_lines(tmp_path / "word_times", "a 0.1 0.2 OPEN")
    assert read_words(tmp_path, FOUR_EMOTIONS) == {"a": (Word(0.1, 0.2, "OPEN"),)}
    write_lines(tmp_path / "word_emotions", "a 0.1 0.2 OPEN 0.9 exc 0.8", "b 0 1 NO 0.5 neu 0.4", "b 1 2 GO 1 sad 0.3")
    assert read_words(tmp_path, FOUR_EMOTIONS) == {
        "a": (Word(0.1, 0.2, "OPEN", 0.9, "hap", 0.8),),
        "b": (Word(0.0, 1.0, "NO", 0.5, "neu", 0.4), Word(1.0, 2.0, "GO", 1.0, "sad", 0.3)),
    }


@pytest.mark.parametrize("line", ["a 0.1 0.2 OPEN 0.9 exc", "a 0.1 x OPEN 0.9 exc 0.8"])
def test_malformed_lines_are_named(tmp_path: Path, line: str) -> None:
    write_lines(tmp_path / "word_emotions", "a 0 1 GO 1 sad 0.3", line)
    with pytest.raises(DataError, match=r"word_emotions:2: malformed line; expected <utt> <start s>"):
        read_words(tmp_path, FOUR_EMOTIONS)
    write_lines(tmp_path / "word_emotions", "a 0 1 GO 1 odd 0.3")
    with pytest.raises(LabelError, match=r"word_emotions:1: unknown emotion label"):
        read_words(tmp_path, FOUR_EMOTIONS)
