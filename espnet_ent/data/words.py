"""From tokens to words: which frames each word was emitted in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from espnet_ent.data.tokens import BLANK, SOS_EOS, SPACE

WORD_START = "▁"  # sentencepiece's mark
_SILENT = frozenset({BLANK, SOS_EOS})


@dataclass(frozen=True)
class WordFrames:
    """A word, the frames in which its first and last token were emitted, and which tokens they are.

    Attributes:
        word: The word.
        first_frame: Frame of its first token.
        last_frame: Frame of its last token.
        tokens: Positions of its tokens in the sequence.
    """

    word: str
    first_frame: int
    last_frame: int
    tokens: tuple[int, ...] = field(default=(), compare=False, repr=False)


def group_words(tokens: Sequence[str], frames: Sequence[int]) -> list[WordFrames]:
    """Join characters or sentencepiece units into words.

    Args:
        tokens: Emitted tokens; ``<space>`` separates words, a leading ``▁`` starts one.
        frames: Frame of each token, non-decreasing.

    >>> group_words(["A", "<space>", "B", "C"], [1, 2, 4, 5])
    [WordFrames(word='A', first_frame=1, last_frame=1), WordFrames(word='BC', first_frame=4, last_frame=5)]
    """
    words: list[WordFrames] = []
    open_word = False
    for position, (token, frame) in enumerate(zip(tokens, frames, strict=True)):
        if token in _SILENT:
            continue
        if token == SPACE:
            open_word = False
            continue
        if token.startswith(WORD_START):
            open_word = False
            token = token[len(WORD_START) :]
            if not token:
                continue
        if open_word:
            last = words.pop()
            words.append(WordFrames(last.word + token, last.first_frame, frame, (*last.tokens, position)))
        else:
            words.append(WordFrames(token, frame, frame, (position,)))
        open_word = True
    return words


def word_ends(words: Sequence[WordFrames], num_frames: int, longest: int) -> Iterator[tuple[WordFrames, int]]:
    """Words with the frame after their last one.

    A transducer emits all tokens of a word where the word begins, often in one frame. A word is taken to last until the
    next one begins, but no longer than ``longest`` frames after its last token; at least that token's frame is its own.

    Args:
        words: Words in order.
        num_frames: Frames of the recording.
        longest: Frames.
    """
    starts = [*(word.first_frame for word in words[1:]), num_frames]
    for word, following in zip(words, starts, strict=False):
        yield word, max(word.last_frame + 1, min(following, word.last_frame + 1 + longest))
