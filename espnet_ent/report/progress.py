"""Progress of decoding on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

from tqdm import tqdm

from espnet_ent.data.transcript import EmotionTranscript

T = TypeVar("T")


class _Timed(Protocol):
    @property
    def duration(self) -> float: ...


Timed = TypeVar("Timed", bound=_Timed)


def decoding_progress(
    transcripts: Iterable[tuple[str, EmotionTranscript]], number: int
) -> Iterator[tuple[str, EmotionTranscript]]:
    """Pass finished utterances on with a progress bar that tells the real-time factor; no bar outside a terminal.

    Args:
        transcripts: (utterance, transcript) as they come.
        number: How many there will be.
    """
    return _with_bar(transcripts, number, lambda pair: pair[1].duration)


def transcription_progress(results: Iterable[Timed], number: int) -> Iterator[Timed]:
    """The same for results of ``ent-transcribe``; what could not be read counts as done."""
    return _with_bar(results, number, lambda result: result.duration)


def _with_bar(items: Iterable[T], number: int, duration: Callable[[T], float]) -> Iterator[T]:
    begin, audio_seconds = time.monotonic(), 0.0
    with tqdm(total=number, desc="decoding", unit="utt", disable=not sys.stderr.isatty()) as bar:
        for item in items:
            audio_seconds += duration(item)
            yield item
            if audio_seconds:
                bar.set_postfix_str(f"RTF {(time.monotonic() - begin) / audio_seconds:.3f}", refresh=False)
            bar.update()
