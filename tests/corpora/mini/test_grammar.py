import itertools
import random

import pytest

from espnet_ent.corpora.mini import grammar


def test_no_sentence_occurs_twice():
    stream = grammar.SentenceStream(random.Random(0))
    drawn = [stream.draw(2) for _ in range(2000)]
    assert len(set(drawn)) == len(drawn)


def test_vocabulary_has_between_60_and_100_words():
    words = {
        *grammar.VERBS,
        *grammar.ADJECTIVES,
        *grammar.NOUNS,
        *grammar.PREPOSITIONS,
        *grammar.PLACES,
        "the",
    }
    words.update(word for time in grammar.TIMES for word in time.split())
    assert 60 <= len(words) <= 100


@pytest.mark.parametrize("num_phrases", [1, 2, 3, 4])
def test_sentences_have_the_asked_number_of_phrases_and_no_two_circumstances_in_a_row(num_phrases):
    stream = grammar.SentenceStream(random.Random(num_phrases))
    for _ in range(100 if num_phrases > 1 else 20):
        sentence = stream.draw(num_phrases)
        assert len(sentence) == num_phrases
        is_command = [phrase.split()[0] in grammar.VERBS for phrase in sentence]
        assert all(a or b for a, b in itertools.pairwise(is_command))
