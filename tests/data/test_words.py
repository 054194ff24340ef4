"""From tokens to words, against splitting the text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ent.data.tokens import CharTokenizer
from espnet_ent.data.words import group_words, word_ends


@given(st.text(alphabet="AB ", max_size=30))
def test_characters_make_the_words_of_the_text(text: str) -> None:
    tokens = CharTokenizer().text2tokens(text)
    frames = [10 * position for position in range(len(tokens))]
    words = group_words(tokens, frames)
    assert [word.word for word in words] == text.split()
    for word in words:
        first, last = word.first_frame // 10, word.last_frame // 10
        assert text[first : last + 1] == word.word


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        (["▁OP", "EN", "▁", "TH", "E"], [("OPEN", 0, 1), ("THE", 3, 4)]),
        (["OP", "▁EN"], [("OP", 0, 0), ("EN", 1, 1)]),
        (["<blank>", "A", "<sos/eos>", "B"], [("AB", 1, 3)]),
        (["▁", "▁", "<space>"], []),
        ([], []),
    ],
)
def test_units_of_sentencepiece_and_silent_tokens(tokens: list[str], words: list[tuple[str, int, int]]) -> None:
    grouped = group_words(tokens, list(range(len(tokens))))
    assert [(word.word, word.first_frame, word.last_frame) for word in grouped] == words


def test_a_frame_for_every_token() -> None:
    with pytest.raises(ValueError, match="shorter"):
        group_words(["A", "B"], [1])


def test_a_word_lasts_until_the_next_or_the_longest_duration():
    words = group_words(["A", "<space>", "B", "<space>", "C", "C", "<space>", "D"], [2, 2, 2, 3, 7, 8, 9, 30])
    assert [end for _, end in word_ends(words, 40, 10)] == [3, 7, 19, 40]
    assert [end for _, end in word_ends(words, 32, 0)] == [3, 3, 9, 31]
    assert list(word_ends([], 5, 3)) == []
