"""Texts of a word error rate, against the project's own WER."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet_ent.bin.ent_corrupt_text import main
from espnet_ent.data.text_corruption import ErrorShares, corrupt_text
from espnet_ent.errors import ConfigError, DataError
from espnet_ent.metrics.wer import ErrorCounts, word_errors

WORDS = [f"W{number}" for number in range(60)]
SUBSTITUTIONS, DELETIONS, INSERTIONS = ErrorShares(1, 0, 0), ErrorShares(0, 1, 0), ErrorShares(0, 0, 1)
texts = st.dictionaries(
    st.text("abc", min_size=1, max_size=4),
    st.lists(st.sampled_from(["THE", "A", "B", "C", "D", "E"]), max_size=8).map(" ".join),
    max_size=8,
)


def make_text(num_utterances=120, seed=0):
    rng = random.Random(seed)
    # "W0" in every other place: repeated words give alignments a choice.
    return {
        f"u{number:03d}": " ".join(rng.choice(WORDS) if place % 2 else "W0" for place in range(rng.randint(1, 14)))
        for number in range(num_utterances)
    }


def counts(text, corrupted):
    return ErrorCounts.sum(word_errors([text[utt] for utt in text], [corrupted[utt] for utt in text]))


@pytest.mark.parametrize("wer", [0.0, 0.05, 0.2, 0.5, 0.7, 1.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_rate_is_met_within_one_error(wer, seed):
    text = make_text()
    corrupted = corrupt_text(text, wer, seed)
    found = counts(text, corrupted.text)
    assert (found.errors, found.reference_length) == (corrupted.num_errors, corrupted.num_words)
    assert abs(found.errors - wer * found.reference_length) <= 0.5
    assert abs(100 * corrupted.wer - 100 * wer) < 0.1


@settings(max_examples=60, deadline=None)
@given(texts, st.floats(0, 1), st.integers(0, 5))
def test_laws(text, wer, seed):
    vocabulary = ["X Y Z X THE"]
    corrupted = corrupt_text(text, wer, seed, vocabulary)
    assert list(corrupted.text) == sorted(text)
    assert counts(text, corrupted.text).errors == corrupted.num_errors
    for utt, words in text.items():
        before, after = words.split(), corrupted.text[utt].split()
        errors = word_errors([words], [corrupted.text[utt]])[0].errors
        assert abs(len(after) - len(before)) <= errors
        assert not Counter(after) - Counter(before) - Counter(dict.fromkeys(("X", "Y", "Z", "THE"), errors))
        assert before or not after
    assert corrupt_text(dict(reversed(text.items())), wer, seed, vocabulary) == corrupted
    assert corrupt_text(text, 0.0, seed, vocabulary).text == {utt: text[utt] for utt in sorted(text)}


def test_a_higher_rate_has_the_errors_of_a_lower_one_and_more():
    text = make_text(40)
    found = [corrupt_text(text, wer / 20, 3) for wer in range(21)]
    assert [one.num_errors for one in found] == sorted(one.num_errors for one in found)
    for lower, higher in pairwise(found):
        changed = {utt for utt in text if lower.text[utt] != text[utt]}
        assert changed <= {utt for utt in text if higher.text[utt] != text[utt]}


def test_kinds_of_errors_are_as_asked():
    text = make_text(300)
    for shares, kind in ((SUBSTITUTIONS, "substitutions"), (DELETIONS, "deletions"), (INSERTIONS, "insertions")):
        found = counts(text, corrupt_text(text, 0.3, 0, shares=shares).text)
        assert getattr(found, kind) == found.errors > 0
    found = counts(text, corrupt_text(text, 0.1).text)
    of_kind = [found.substitutions, found.deletions, found.insertions]
    assert [number / found.errors for number in of_kind] == pytest.approx([0.60, 0.25, 0.15], abs=0.08)


def test_everything_may_be_deleted_and_nothing_else_comes():
    text = make_text(10)
    assert set(corrupt_text(text, 1.0, shares=DELETIONS).text.values()) == {""}


def test_words_come_from_the_vocabulary_as_often_as_they_stand_there():
    text = make_text(400)
    vocabulary = ["OFTEN OFTEN OFTEN SELDOM", "", "W0"]
    after = corrupt_text(text, 0.5, vocabulary=vocabulary).text
    new = Counter(word for words in after.values() for word in words.split()) - Counter(" ".join(text.values()).split())
    assert set(new) == {"OFTEN", "SELDOM"}
    assert new["OFTEN"] / sum(new.values()) == pytest.approx(0.75, abs=0.04)


def test_seeds_differ():
    text = make_text(20)
    assert corrupt_text(text, 0.3, 0) != corrupt_text(text, 0.3, 1)


def test_what_cannot_be_is_refused():
    text = {"u1": "A B", "u2": ""}
    with pytest.raises(DataError, match="no word that the utterance lacks"):
        corrupt_text(text, 1.0, shares=SUBSTITUTIONS)
    with pytest.raises(DataError, match="vocabulary is empty"):
        corrupt_text(text, 1.0, vocabulary=[])
    with pytest.raises(ConfigError, match="out of range; expected 0 to 100 %; got 150 %"):
        corrupt_text(text, 1.5)
    for shares in ((0, 0, 0), (1, -1, 0), (float("inf"), 0, 0), (float("nan"), 0, 0)):
        with pytest.raises(ConfigError, match="shares"):
            ErrorShares(*shares)


def test_the_command_writes_a_text_of_the_rate(tmp_path, capsys):
    text = make_text()
    (tmp_path / "text").write_text("".join(f"{utt} {words}\n" for utt, words in reversed(text.items())))
    (tmp_path / "other").write_text("x NEW WORDS\n")
    options = ["--text", str(tmp_path / "text"), "--out", str(tmp_path / "out"), "--wer", "20"]
    main([*options, "--vocabulary", str(tmp_path / "other"), "--shares", "1", "0", "0"])
    lines = (tmp_path / "out").read_text().splitlines()
    assert [line.split(" ")[0] for line in lines] == sorted(text)
    after = dict((line + " ").split(" ", 1) for line in lines)
    found = counts(text, after)
    assert f"{found.errors} errors in {found.reference_length} words, WER 20." in capsys.readouterr().out
    assert {word for words in after.values() for word in words.split()} - set(WORDS) == {"NEW", "WORDS"}
    before = (tmp_path / "out").stat().st_mtime_ns
    main([*options, "--vocabulary", str(tmp_path / "other"), "--shares", "1", "0", "0"])
    assert (tmp_path / "out").stat().st_mtime_ns == before
