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
        read: Reads a copy: root, emotions, tag policy, and ``error``, ``exclude`` or ``keep`` for missing transcripts.
        num_sessions: Number of sessions.
        published: Published counts by class, or by session and class.
        missing_transcripts: What is usual for missing transcripts: ``keep`` where a part has none by design.
    """

    title: str
    read: Callable[[str | Path, EmotionInventory, str, str], CorpusReading]
    num_sessions: int
    published: Mapping[int, Counts] | Counts
    missing_transcripts: str


SESSION_CORPORA = {
    iemocap.CORPUS: SessionCorpus("IEMOCAP", iemocap.read_iemocap, iemocap.NUM_SESSIONS, iemocap.PUBLISHED, "error"),
    msp_improv.CORPUS: SessionCorpus(
        "MSP-IMPROV", msp_improv.read_msp_improv, msp_improv.NUM_SESSIONS, msp_improv.PUBLISHED, "keep"
    ),
}
