"""A small sound data directory for tests, to be damaged."""

from __future__ import annotations

from pathlib import Path

from espnet_ent.data.datadir import write_data_dir
from espnet_ent.data.utterance import Utterance, WordSpan, WordTime
from espnet_ent.timeline import EmotionSegment
from tests.corpora.trees import write_tone

SAMPLE_RATE = 16000
TEXTS = ("OPEN THE DOOR", "THE RIVER IS WIDE", "", "I LIKE PEARS", "GO ON")
EMOTIONS = ("ang", "neu", "sad", "hap", "neu")
SECONDS = (0.5, 0.75, 1.0, 0.25, 1.5)


def make_utterances(audio_dir: Path, *, intervals: bool = True, words: bool = False) -> list[Utterance]:
    """Five utterances of two speakers, their audio written below ``audio_dir``; with times of words, if wanted."""
    utterances = []
    for i, (text, emotion, seconds) in enumerate(zip(TEXTS, EMOTIONS, SECONDS, strict=True)):
        path = audio_dir / f"rec {i}.wav"
        write_tone(path, seconds, seed=i)
        segments = (EmotionSegment(0.1, 0.2, emotion),) if emotion != "neu" else ()
        spans = (WordSpan(0, 1, emotion),) if emotion != "neu" and text else ()
        times = tuple(WordTime(0.06 * i, 0.06 * i + 0.05, word) for i, word in enumerate(text.split()))
        utterances.append(
            Utterance(
                utt_id=f"s{i % 2}-u{i}",
                speaker=f"s{i % 2}",
                audio=str(path),
                text=text,
                emotion=emotion,
                emo_segments=segments if intervals else None,
                emo_words=spans if intervals else None,
                word_times=times if words else None,
                num_samples=int(seconds * SAMPLE_RATE),
            )
        )
    return utterances


def make_data_dir(root: Path, *, intervals: bool = True, words: bool = False) -> Path:
    """Write the utterances of :func:`make_utterances` as ``root/data``."""
    write_data_dir(root / "data", make_utterances(root / "audio", intervals=intervals, words=words))
    return root / "data"


def read_tree(directory: Path) -> dict[str, bytes]:
    """Content of all files below a directory."""
    return {str(p.relative_to(directory)): p.read_bytes() for p in sorted(directory.rglob("*")) if p.is_file()}
