"""Read the words of a decoded directory (see :mod:`espnet_ent.export.decoded`)."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from espnet_ent.data.datadir import read_lines, read_word_times
from espnet_ent.data.transcript import Word
from espnet_ent.errors import DataError
from espnet_ent.labels import EmotionInventory

_TIMES, _EMOTIONS = "word_times", "word_emotions"
_COLUMNS = "<utt> <start s> <end s> <word> <confidence> <emotion> <probability>"


def read_words(directory: str | Path, emotions: EmotionInventory) -> dict[str, tuple[Word, ...]]:
    """Words by utterance, with all that the directory tells of them; an utterance without words is absent.

    Args:
        directory: Decoded directory; without ``word_emotions`` words have times alone, without ``word_times`` there are
            none.
        emotions: The classes of the directory.

    Raises:
        DataError: If a file is malformed.
        LabelError: If an emotion is unknown.
    """
    path = Path(directory, _EMOTIONS)
    if path.is_file():
        words: dict[str, list[Word]] = defaultdict(list)
        for number, line in enumerate(read_lines(path), 1):
            utterance, word = _parse(line, f"{path}:{number}", emotions)
            words[utterance].append(word)
        return {utterance: tuple(found) for utterance, found in words.items()}
    path = Path(directory, _TIMES)
    times = read_word_times(path) if path.is_file() else {}
    return {utterance: tuple(Word(w.start, w.end, w.word) for w in found) for utterance, found in times.items()}


def _parse(line: str, where: str, emotions: EmotionInventory) -> tuple[str, Word]:
    fields = line.split()
    try:
        utterance, start, end, word, confidence, emotion, probability = fields
        numbers = [float(value) for value in (start, end, confidence, probability)]
    except ValueError:
        raise DataError("malformed line", where=where, expected=_COLUMNS, got=repr(line)) from None
    label = emotions.canonical(emotion, where=where)
    return utterance, Word(numbers[0], numbers[1], word, numbers[2], label, numbers[3])
