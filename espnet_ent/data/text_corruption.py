"""Texts with as many word errors as asked for: what a recogniser of that word error rate (WER) might have written.

Errors fall on words at random, whatever they sound like. A real recogniser's are fewer on frequent words, and sound
alike.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

from espnet_ent.data.atomic import atomic_write_text
from espnet_ent.data.datadir import read_table
from espnet_ent.errors import ConfigError, DataError

_SUBSTITUTE, _DELETE, _INSERT = "substitute", "delete", "insert"


@dataclass(frozen=True)
class ErrorShares:
    """How many of the errors are of each kind; in proportion, so that they need not sum to one.

    Raises:
        ConfigError: If one is negative, or all are 0.
    """

    substitutions: float = 60
    deletions: float = 25
    insertions: float = 15

    def __post_init__(self) -> None:
        values = (self.substitutions, self.deletions, self.insertions)
        if min(values) < 0 or not 0 < sum(values) < float("inf"):
            raise ConfigError("shares of errors out of range", expected="three numbers of 0 or more", got=values)


@dataclass(frozen=True)
class CorruptedText:
    """A corrupted text.

    Attributes:
        text: Words by utterance, of the same utterances as before.
        num_errors: Word errors against the text before, as aligned by jiwer.
        num_words: Words of the text before.
    """

    text: Mapping[str, str]
    num_errors: int
    num_words: int

    @property
    def wer(self) -> float:
        """Corpus-level word error rate; 0 for a text without words."""
        return self.num_errors / self.num_words if self.num_words else 0.0


@dataclass
class _Utterance:
    """An utterance under correction.

    Attributes:
        words: What was said.
        now: For each of these, what stands there now; None: nothing.
        inserted: Before the first word, and after each one: what was put in.
    """

    words: list[str]
    now: list[str | None]
    inserted: list[list[str]]
    num_errors: int = 0

    @classmethod
    def of(cls, text: str) -> _Utterance:
        words = text.split()
        return cls(words, list(words), [[] for _ in range(len(words) + 1)])

    @property
    def text(self) -> str:
        found = list(self.inserted[0])
        for word, after in zip(self.now, self.inserted[1:], strict=True):
            found += ([] if word is None else [word]) + after
        return " ".join(found)


@dataclass
class _Vocabulary:
    """Words by frequency."""

    counts: Mapping[str, int]
    words: list[str] = field(init=False)
    cumulative: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.words = sorted(self.counts)
        self.cumulative = list(accumulate(self.counts[word] for word in self.words))

    def draw(self, rng: random.Random, without: set[str]) -> str:
        """A word that is none of ``without``.

        Raises:
            DataError: If there is no other.
        """
        for _ in range(20):
            (word,) = rng.choices(self.words, cum_weights=self.cumulative)
            if word not in without:
                return word
        others = [word for word in self.words if word not in without]
        if not others:
            raise DataError("the vocabulary has no word that the utterance lacks", got=f"{len(self.words)} words")
        return rng.choices(others, [self.counts[word] for word in others])[0]


def corrupt_text(
    text: Mapping[str, str],
    wer: float,
    seed: int = 0,
    vocabulary: Iterable[str] | None = None,
    shares: ErrorShares | None = None,
) -> CorruptedText:
    """Put errors into a text until it has a word error rate.

    Utterances without words stay so. No word of an utterance is put into it, as it might turn out to be right: where a
    vocabulary is small, what is put in tells what was not said. The same arguments give the same text, whatever the
    order of the utterances; a text of a higher rate has the errors of one of a lower rate and more.

    Args:
        text: Words by utterance.
        wer: Corpus-level word error rate, a fraction from 0 to 1. The number of errors is the nearest one.
        seed: Seed of the errors.
        vocabulary: Texts whose words are put in, as often as they occur there; None: ``text`` itself.
        shares: Of which kind the errors are. A deletion beside an insertion is a substitution, and counts once.

    Raises:
        ConfigError: If the rate is out of range.
        DataError: If the vocabulary has no word that an utterance lacks.
    """
    if not 0 <= wer <= 1:
        raise ConfigError("WER out of range", expected="0 to 100 %", got=f"{100 * wer:g} %")
    utterances = {utt_id: _Utterance.of(text[utt_id]) for utt_id in sorted(text)}
    num_words = sum(len(utterance.words) for utterance in utterances.values())
    wanted = int(wer * num_words + 0.5)
    counted = Counter(word for line in (text.values() if vocabulary is None else vocabulary) for word in line.split())
    if wanted and not counted:
        raise DataError("the vocabulary is empty")
    words, rng = _Vocabulary(counted), random.Random(f"{seed}/errors")
    errors = _errors([utterance for utterance in utterances.values() if utterance.words], shares or ErrorShares(), rng)
    reached = 0
    # One error changes the number of word errors by one at most: the wanted number is met exactly. It is met at last
    # when no word is left as it was.
    while reached < wanted:
        reached += _put_in(*next(errors), words, rng)
    return CorruptedText({utt_id: one.text for utt_id, one in utterances.items()}, reached, num_words)


def _errors(
    utterances: list[_Utterance], shares: ErrorShares, rng: random.Random
) -> Iterator[tuple[str, _Utterance, int]]:
    """Errors (kind, utterance, place) in random order: each word is hit once at most; then insertions without end."""
    words = [(utterance, place) for utterance in utterances for place in range(len(utterance.words))]
    rng.shuffle(words)
    on_words = shares.substitutions + shares.deletions
    while words or shares.insertions:
        if rng.random() * (on_words + shares.insertions) < on_words and words:
            is_substitution = rng.random() * on_words < shares.substitutions
            yield (_SUBSTITUTE if is_substitution else _DELETE, *words.pop())
        else:
            utterance = rng.choice(utterances)
            yield _INSERT, utterance, rng.randrange(len(utterance.inserted))


def _put_in(kind: str, utterance: _Utterance, place: int, vocabulary: _Vocabulary, rng: random.Random) -> int:
    """Make an error, and tell by how much the number of word errors has changed."""
    import jiwer

    if kind == _DELETE:
        utterance.now[place] = None
    else:
        word = vocabulary.draw(rng, set(utterance.words))
        if kind == _SUBSTITUTE:
            utterance.now[place] = word
        else:
            utterance.inserted[place].append(word)
    before = utterance.num_errors
    found = jiwer.process_words(" ".join(utterance.words), utterance.text)
    utterance.num_errors = found.substitutions + found.deletions + found.insertions
    return utterance.num_errors - before


def corrupt_file(
    source: str | Path,
    out: str | Path,
    wer: float,
    seed: int = 0,
    vocabulary: str | Path | None = None,
    shares: ErrorShares | None = None,
) -> CorruptedText:
    """Corrupt a Kaldi-style ``text``; arguments and errors as :func:`corrupt_text`.

    Args:
        source: File ``<utt> <words>``.
        out: File to write, sorted; one that holds the same is left alone.
        wer: As a fraction.
        seed: Seed of the errors.
        vocabulary: Another such file, whose words are put in.
        shares: Of which kind the errors are.
    """
    texts = None if vocabulary is None else read_table(vocabulary).values()
    corrupted = corrupt_text(read_table(source), wer, seed, texts, shares)
    write_text(out, corrupted.text)
    return corrupted


def write_text(out: str | Path, text: Mapping[str, str]) -> None:
    """Write a Kaldi-style ``text``, sorted by utterance; a file that holds the same is left alone."""
    lines = [f"{utt_id} {text[utt_id]}".rstrip() for utt_id in sorted(text, key=str.encode)]
    content = "".join(line + "\n" for line in lines)
    if not Path(out).is_file() or Path(out).read_text(encoding="utf-8") != content:
        atomic_write_text(out, content)
