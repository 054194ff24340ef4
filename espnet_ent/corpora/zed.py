"""ZED, the Zaion Emotion Dataset: utterances with the times of their emotions (Wang et al., 2023)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from espnet_ent.corpora.ctm import read_ctm, with_word_times
from espnet_ent.corpora.reading import CorpusReading, CorpusUtterance, check_audio
from espnet_ent.data.text import normalize_text
from espnet_ent.data.utterance import Utterance
from espnet_ent.errors import DataError
from espnet_ent.frames import samples_to_seconds
from espnet_ent.labels import EmotionInventory
from espnet_ent.timeline import EmotionSegment, EmotionTimeline

SAMPLE_RATE = 16000
WORDS_CTM = "words.ctm"
"""Times of words, which ZED itself does not have: read where somebody has put them beside ``ZED.json``."""
_FOLDER = "datafolder"
_KEYS = {"wav": str, "emotion": list, "transcription": str}


def read_zed(root: str | Path, emotions: EmotionInventory, tags: str = "strip") -> CorpusReading:
    """Read ``ZED.json`` and check its audio.

    Any number of emotion intervals; what ends after the audio is cut off there. The utterance's emotion is the one
    with the most time, neutral where there is none. The speaker is the folder of the wav file below ``datafolder``,
    or the identifier up to its last ``_`` where there is no such folder. Where there is ``words.ctm``, utterances have
    times of words.

    Args:
        root: Directory that holds ``ZED.json``.
        emotions: The emotion inventory.
        tags: What becomes of bracketed tags in transcripts: ``strip`` or ``keep``.

    Raises:
        DataError: If ``ZED.json`` is missing or an entry is not as it should be, or ``words.ctm`` does not fit.
        LabelError: If an emotion is not in the inventory.
        AudioError: If an audio file is missing, truncated, empty or not at 16 kHz.
    """
    root = Path(root)
    path = root / "ZED.json"
    if not path.is_file():
        raise DataError("not a copy of ZED", where=root, expected="ZED.json", next_step="set ZED in db.sh")
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError("not JSON", where=path, got=error) from None
    if not isinstance(entries, dict) or not entries:
        raise DataError("no utterances", where=path, expected="a mapping from identifiers to entries")
    utterances = [_read_entry(root, utt_id, entries[utt_id], emotions, tags) for utt_id in sorted(entries)]
    if (root / WORDS_CTM).is_file():
        utterances = _with_words(root / WORDS_CTM, utterances, tags)
    return CorpusReading(tuple(CorpusUtterance(utterance, 1, utterance.utt_id) for utterance in utterances), ())


def _with_words(path: Path, utterances: Sequence[Utterance], tags: str) -> list[Utterance]:
    words = read_ctm(path)
    unknown = sorted(words.keys() - {utterance.utt_id for utterance in utterances})
    if unknown:
        raise DataError("utterance is not in ZED.json", where=path, got=unknown[0])
    return [
        with_word_times(utterance, words, samples_to_seconds(utterance.num_samples or 0, SAMPLE_RATE), tags, path)
        for utterance in utterances
    ]


def _read_entry(root: Path, utt_id: str, entry: Mapping[str, Any], emotions: EmotionInventory, tags: str) -> Utterance:
    where = f"{root / 'ZED.json'}: {utt_id}"
    for key, kind in _KEYS.items():
        if not isinstance(entry, dict) or not isinstance(entry.get(key), kind):
            raise DataError("entry is not complete", where=where, expected=f"the key {key!r} with a {kind.__name__}")
    wav = root / entry["wav"]
    num_samples = check_audio(wav, SAMPLE_RATE).num_samples
    duration = samples_to_seconds(num_samples, SAMPLE_RATE)
    segments = [_read_segment(interval, emotions, where) for interval in entry["emotion"]]
    timeline = EmotionTimeline.from_segments(segments, duration, emotions.neutral, where=where)
    return Utterance(
        utt_id=utt_id,
        speaker=_speaker(utt_id, entry["wav"]),
        audio=str(wav),
        text=normalize_text(entry["transcription"], tags),
        emotion=timeline.dominant(),
        emo_segments=timeline.segments,
        num_samples=num_samples,
    )


def _read_segment(interval: Mapping[str, Any], emotions: EmotionInventory, where: str) -> EmotionSegment:
    try:
        start, end, label = float(interval["start"]), float(interval["end"]), interval["emo"]
    except (KeyError, TypeError, ValueError):
        raise DataError(
            "malformed emotion interval",
            where=where,
            expected='{"emo": ..., "start": s, "end": s}',
            got=interval,
        ) from None
    try:
        return EmotionSegment(start, end, emotions.canonical(label, where))
    except DataError as error:
        raise type(error)(error.what, where=where, expected=error.expected, got=error.got) from None


def _speaker(utt_id: str, wav: str) -> str:
    parent = Path(wav).parent.name
    if parent and parent != _FOLDER:
        return parent
    return utt_id.rpartition("_")[0] or utt_id
