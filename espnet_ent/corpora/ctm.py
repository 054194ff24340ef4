"""Times of words in the CTM format of NIST: ``<utt> <channel> <start s> <duration s> <word> [<confidence>]``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from espnet_ent.data.datadir import read_lines
from espnet_ent.data.scanning import TIME_TOLERANCE
from espnet_ent.data.text import normalize_text
from espnet_ent.data.utterance import Utterance, WordTime
from espnet_ent.errors import DataError

_COMMENT = ";;"
_COLUMNS = "<utt> <channel> <start s> <duration s> <word>"


def read_ctm(path: str | Path) -> dict[str, tuple[WordTime, ...]]:
    """Words by utterance, in the order of the file; lines that start with ``;;`` are comments.

    Raises:
        DataError: If the file is missing, or a line is malformed.
    """
    words: dict[str, list[WordTime]] = defaultdict(list)
    for number, line in enumerate(read_lines(path), 1):
        fields = line.split()
        if not fields or line.startswith(_COMMENT):
            continue
        where = f"{path}:{number}"
        if len(fields) not in (5, 6):
            raise DataError("malformed line", where=where, expected=_COLUMNS, got=repr(line))
        try:
            start, duration = float(fields[2]), float(fields[3])
            # The sum of two decimal numbers is one of as many decimals.
            words[fields[0]].append(WordTime(start, round(start + duration, 6), fields[4]))
        except ValueError:
            raise DataError("not a number", where=where, expected=_COLUMNS, got=repr(line)) from None
        except DataError as error:
            raise DataError(error.what, where=where, got=error.got) from None
    return {utt_id: tuple(of_utterance) for utt_id, of_utterance in words.items()}


def ctm_line(utt_id: str, word: WordTime) -> str:
    """A line of four decimals, whose start and duration add up to the end to the last of them.

    >>> ctm_line("a1", WordTime(0.25, 0.4375, "go"))
    'a1 1 0.2500 0.1875 go'
    """
    start, end = round(word.start, 4), round(word.end, 4)
    return f"{utt_id} 1 {start:.4f} {end - start:.4f} {word.word}"


def with_word_times(
    utterance: Utterance, words: Mapping[str, Sequence[WordTime]], duration: float, tags: str, where: object
) -> Utterance:
    """An utterance with the times of its words, which are normalised as its text was.

    Args:
        utterance: The utterance, with its text.
        words: Words by utterance; those that normalisation leaves nothing of are dropped.
        duration: Its length in seconds; what ends within rounding after it ends there.
        tags: As in :func:`normalize_text`.
        where: The file of the words, for errors.

    Raises:
        DataError: If the words are not sorted, overlap, lie outside the utterance, or are not those of the text.
    """
    where = f"{where}: {utterance.utt_id}"
    said = [replace(w, word=normalize_text(w.word, tags)) for w in words.get(utterance.utt_id, ())]
    said = [word for word in said if word.word]
    if " ".join(word.word for word in said) != (utterance.text or "") or any(" " in word.word for word in said):
        raise DataError(
            "words are not those of the transcript",
            where=where,
            expected=repr(utterance.text),
            got=repr(" ".join(word.word for word in said)),
        )
    position = 0.0
    for word in said:
        if not position - TIME_TOLERANCE <= word.start < word.end <= duration + TIME_TOLERANCE:
            raise DataError(
                "word is empty, not sorted, overlaps the one before or is outside the utterance",
                where=where,
                expected=f"{position:g} <= start < end <= {duration:g}",
                got=f"{word.start:g} {word.end:g} {word.word}",
            )
        position = word.end
    return replace(utterance, word_times=tuple(replace(word, end=min(word.end, duration)) for word in said))
