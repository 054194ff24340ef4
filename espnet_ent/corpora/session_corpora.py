"""Corpora that are recorded in sessions of two speakers, whose folds are sessions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from espnet_ent.corpora import iemocap, msp_improv
from espnet_ent.corpora.published import Counts
from espnet_ent.corpora.reading import CorpusReading
from espnet_ent.labels import EmotionInventory


@dataclass(frozen=True)
class SessionCorpus:
    """A corpus with sessions.

    Attributes:
        title: Its name for people.
        read: Reads a copy: root, emotions, tag policy, and ``error`` or ``exclude`` for missing transcripts.
        num_sessions: Number of sessions.
        published: Published counts by class, or by session and class.
    """

    title: str
    read: Callable[[str | Path, EmotionInventory, str, str], CorpusReading]
    num_sessions: int
    published: Mapping[int, Counts] | Counts


def _read_msp_improv(
    root: str | Path, emotions: EmotionInventory, tags: str, missing_transcripts: str
) -> CorpusReading:
    """A part of MSP-IMPROV has no transcripts by design: ``error`` does not apply."""
    reading = msp_improv.read_msp_improv(root, emotions, tags)
    return reading.without_untranscribed() if missing_transcripts == "exclude" else reading


SESSION_CORPORA = {
    iemocap.CORPUS: SessionCorpus("IEMOCAP", iemocap.read_iemocap, iemocap.NUM_SESSIONS, iemocap.PUBLISHED),
    msp_improv.CORPUS: SessionCorpus("MSP-IMPROV", _read_msp_improv, msp_improv.NUM_SESSIONS, msp_improv.PUBLISHED),
}
