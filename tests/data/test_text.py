"""Normalisation of transcripts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ent.data.text import PUNCTUATION, normalize_text


@pytest.mark.parametrize(
    ("text", "stripped", "kept"),
    [
        ("", "", ""),
        ("Where, exactly?", "WHERE EXACTLY", "WHERE EXACTLY"),
        ('  It\tis--no, was: "red";  here!  ', "IT IS NO WAS RED HERE", "IT IS NO WAS RED HERE"),
        ("[LAUGHTER]", "", "<laughter>"),
        ("[LAUGHTER], well [BREATHING NOISE] then", "WELL THEN", "<laughter> WELL <breathing_noise> THEN"),
        ("don't", "DON'T", "DON'T"),
        ("don’t “go”… now – please", "DON'T GO NOW PLEASE", "DON'T GO NOW PLEASE"),
        ("a [b", "A B", "A B"),
        ("a] b", "A B", "A B"),
        ("naïve café", "NAÏVE CAFÉ", "NAÏVE CAFÉ"),
    ],
)
def test_examples(text: str, stripped: str, kept: str) -> None:
    assert normalize_text(text) == stripped
    assert normalize_text(text, tags="keep") == kept


@given(st.text())
def test_laws(text: str) -> None:
    plain = normalize_text(text)
    assert not set(plain) & set(PUNCTUATION)
    assert plain == " ".join(plain.split())
    assert normalize_text(plain) == plain


@given(st.text(alphabet="abc '", max_size=20), st.text(alphabet="abc '", max_size=20))
def test_a_tag_separates_words(before: str, after: str) -> None:
    expected = " ".join(part for part in (normalize_text(before), normalize_text(after)) if part)
    assert normalize_text(f"{before}[NOISE]{after}") == expected
