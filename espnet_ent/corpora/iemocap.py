"""IEMOCAP: labels, transcripts and audio of a copy of the corpus (Busso et al., 2008)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from espnet_ent.corpora.reading import CorpusReading, CorpusUtterance, Exclusion, check_audio
from espnet_ent.data.datadir import read_lines
from espnet_ent.data.text import normalize_text
from espnet_ent.data.utterance import Utterance
from espnet_ent.errors import DataError, LabelError
from espnet_ent.labels import EmotionInventory

CORPUS = "iemocap"
SAMPLE_RATE = 16000
NUM_SESSIONS = 5
PUBLISHED = {
    1: {"neu": 384, "ang": 229, "sad": 194, "hap": 278},
    2: {"neu": 362, "ang": 137, "sad": 197, "hap": 327},
    3: {"neu": 320, "ang": 240, "sad": 305, "hap": 286},
    4: {"neu": 258, "ang": 327, "sad": 143, "hap": 303},
    5: {"neu": 384, "ang": 170, "sad": 245, "hap": 442},
}
"""Utterances by session and class, excitement counted as happiness: 5,531."""
RAW_LABELS = ("xxx", "fru", "neu", "ang", "sad", "exc", "hap", "sur", "fea", "oth", "dis")
"""All labels of the published copy; any other is a damaged file."""

_LABEL_LINE = re.compile(r"\[(?P<start>\d+\.\d+) - (?P<end>\d+\.\d+)\]\t(?P<utt>\S+)\t(?P<label>\S+)\t\[.*\]\s*")
_TRANSCRIPT_LINE = re.compile(r"(?P<utt>\S+) \[\d+\.\d+-\d+\.\d+\]:(?P<words>.*)")
_SPEAKER_PART = re.compile(r"Ses(?P<session>\d\d)[FM]_.+_(?P<sex>[FM])\d+")


@dataclass(frozen=True)
class _Labelled:
    utt_id: str
    label: str
    where: str


def read_iemocap(
    root: str | Path, emotions: EmotionInventory, tags: str = "strip", missing_transcripts: str = "error"
) -> CorpusReading:
    """Read all five sessions.

    The speaker is the session and the letter in the utterance's last part: the letter in the dialog's name tells
    who wears the markers.

    Args:
        root: Directory that holds ``Session1`` to ``Session5``.
        emotions: Classes to keep; other labels of the corpus are excluded and counted.
        tags: What becomes of bracketed tags in transcripts: ``strip`` or ``keep``.
        missing_transcripts: What becomes of utterances without a transcript: ``error``, ``exclude`` (left out and
            counted) or ``keep`` (with the text None).

    Raises:
        DataError: If the tree is not IEMOCAP's, an utterance is labelled twice, or a transcript is missing.
        LabelError: If a label is not one of the corpus's.
        AudioError: If an audio file is missing, truncated, empty or not at 16 kHz.
    """
    options = _Options(Path(root), emotions, tags, missing_transcripts)
    found = [entry for session in range(1, NUM_SESSIONS + 1) for entry in _read_session(session, options)]
    return CorpusReading(
        used=tuple(entry for entry in found if isinstance(entry, CorpusUtterance)),
        excluded=tuple(entry for entry in found if isinstance(entry, Exclusion)),
        corpus=CORPUS,
    )


@dataclass(frozen=True)
class _Options:
    """The arguments of :func:`read_iemocap`."""

    root: Path
    emotions: EmotionInventory
    tags: str
    missing_transcripts: str


def _read_session(session: int, options: _Options) -> Iterator[CorpusUtterance | Exclusion]:
    """All that a session labels or has recorded."""
    folder = options.root / f"Session{session}"
    seen: dict[str, str] = {}
    for labels in _evaluation_files(folder, options.root):
        transcript_file = folder / "dialog" / "transcriptions" / labels.name
        transcripts, twice = _read_transcripts(transcript_file)
        for labelled in _read_labels(labels):
            if labelled.utt_id in seen:
                raise DataError("utterance is labelled twice", where=labelled.where, got=seen[labelled.utt_id])
            seen[labelled.utt_id] = labelled.where
            if labelled.label not in options.emotions:
                yield Exclusion(labelled.utt_id, session, f"label {labelled.label}")
            elif labelled.utt_id in twice:
                raise DataError("utterance has two transcripts", where=transcript_file, got=labelled.utt_id)
            elif labelled.utt_id in transcripts or options.missing_transcripts == "keep":
                wav = folder / "sentences" / "wav" / labels.stem / f"{labelled.utt_id}.wav"
                utterance = _make_utterance(labelled, session, wav, transcripts.get(labelled.utt_id), options)
                yield CorpusUtterance(utterance, session, labels.stem)
            elif options.missing_transcripts == "exclude":
                yield Exclusion(labelled.utt_id, session, "no transcript")
            else:
                raise DataError(
                    "transcript is missing",
                    where=transcript_file,
                    expected=f"a line of {labelled.utt_id}",
                    next_step="check the copy of the corpus, or --missing_transcripts exclude or keep",
                )
    for utt_id in sorted(_recorded(folder) - seen.keys()):
        yield Exclusion(utt_id, session, "no label")


def _make_utterance(
    labelled: _Labelled, session: int, wav: Path, transcript: str | None, options: _Options
) -> Utterance:
    return Utterance(
        utt_id=labelled.utt_id,
        speaker=_speaker(labelled, session),
        audio=str(wav),
        text=None if transcript is None else normalize_text(transcript, options.tags),
        emotion=options.emotions.canonical(labelled.label),
        num_samples=check_audio(wav, SAMPLE_RATE).num_samples,
    )


def _recorded(folder: Path) -> set[str]:
    """Utterances of a session that have a wav file."""
    wavs = (folder / "sentences" / "wav").glob("*/*.wav")
    return {path.stem for path in wavs if not path.name.startswith(".")}


def _evaluation_files(folder: Path, root: Path) -> list[Path]:
    """Label files of a session, one a dialog; sub-folders and ``._*`` files are not label files."""
    evaluation = folder / "dialog" / "EmoEvaluation"
    files = sorted(path for path in evaluation.glob("*.txt") if path.is_file() and not path.name.startswith("."))
    if not files:
        raise DataError(
            "not a copy of IEMOCAP",
            where=root,
            expected=f"{evaluation.relative_to(root)}/*.txt",
            got="no such file" if root.is_dir() else "no such directory",
            next_step="set IEMOCAP in db.sh to the directory that holds Session1 to Session5",
        )
    return files


def _read_labels(path: Path) -> Iterator[_Labelled]:
    for number, line in enumerate(read_lines(path), 1):
        if not line.startswith("["):
            continue
        where = f"{path}:{number}"
        match = _LABEL_LINE.fullmatch(line)
        if match is None:
            raise DataError(
                "malformed label line",
                where=where,
                expected="[start - end]<TAB>utterance<TAB>label<TAB>[V, A, D]",
                got=repr(line),
            )
        if match["label"] not in RAW_LABELS:
            raise LabelError(
                "unknown emotion label",
                where=where,
                expected=f"one of {' '.join(RAW_LABELS)}",
                got=match["label"],
            )
        yield _Labelled(match["utt"], match["label"], where)


def _read_transcripts(path: Path) -> tuple[dict[str, str], set[str]]:
    """Transcripts by utterance, and the utterances that have several.

    Lines without an identifier (``M: ...``) belong to no utterance.
    """
    if not path.is_file():
        raise DataError("transcription file is missing", where=path, next_step="check the copy of the corpus")
    transcripts: dict[str, str] = {}
    twice: set[str] = set()
    for line in read_lines(path):
        match = _TRANSCRIPT_LINE.match(line)
        if match:
            words = match["words"].strip()
            if transcripts.setdefault(match["utt"], words) != words:
                twice.add(match["utt"])
    return transcripts, twice


def _speaker(labelled: _Labelled, session: int) -> str:
    match = _SPEAKER_PART.fullmatch(labelled.utt_id)
    if match is None or int(match["session"]) != session:
        raise DataError(
            f"not an utterance of session {session}",
            where=labelled.where,
            expected=f"an identifier such as Ses{session:02d}F_impro01_M000",
            got=labelled.utt_id,
        )
    return f"Ses{match['session']}{match['sex']}"
