"""MSP-IMPROV: labels, transcripts and audio of a copy of the corpus (Busso et al., 2017)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from espnet_ent.corpora.reading import CorpusReading, CorpusUtterance, Exclusion
from espnet_ent.data.audio import audio_info
from espnet_ent.data.datadir import read_lines
from espnet_ent.data.text import normalize_text
from espnet_ent.data.utterance import Utterance
from espnet_ent.errors import AudioError, DataError, LabelError
from espnet_ent.labels import EmotionInventory

CORPUS = "msp_improv"
SAMPLE_RATE = 48000
"""Of the published copy; others have been seen, and stage 3 converts all."""
NUM_SESSIONS = 6
LABEL_FILES = ("Evalution.txt", "Evaluation.txt")
RAW_LABELS = {"A": "ang", "H": "hap", "S": "sad", "N": "neu", "O": None, "X": None}
"""Letters of the label file; O (other) and X (no agreement) are no class."""
PUBLISHED = {"ang": 792, "sad": 885, "hap": 2644, "neu": 3477}
"""Utterances by class, over all sessions."""

_NAME = re.compile(r"(?P<scenario>S(?:0[1-9]|1\d|20)[AHSN])-(?P<actor>[FM]0[1-6])-(?P<part>[PRST])-[FM]{2}\d\d")
_LABEL_LINE = re.compile(r"UTD-IMPROV-(?P<name>[^.;\s]+)\.avi;\s*(?P<label>[^;\s]*)\s*;(?P<rest>.*)")


@dataclass(frozen=True)
class _Labelled:
    name: str
    label: str
    where: str


def read_msp_improv(
    root: str | Path, emotions: EmotionInventory, tags: str = "strip", missing_transcripts: str = "keep"
) -> CorpusReading:
    """Read all six sessions.

    The session is the number of the actors, one woman and one man (``F01`` and ``M01``: session 1); the speaker is the
    actor in the name, not the pair at its end. A part of the corpus has no transcripts.

    Args:
        root: Directory that holds the label file, and ``session1`` to ``session6`` in ``Audio`` or itself.
        emotions: Classes to keep; other labels of the corpus are excluded and counted.
        tags: What becomes of bracketed tags in transcripts: ``strip`` or ``keep``.
        missing_transcripts: What becomes of utterances without a transcript: ``keep`` (with the text None),
            ``exclude`` (left out and counted) or ``error``.

    Raises:
        DataError: If the tree is not MSP-IMPROV's, a line is malformed, an utterance is labelled twice, a file lies in
            a folder that does not fit its name, or a transcript is missing and that is an error.
        LabelError: If a label is not one of the corpus's.
        AudioError: If an audio file is missing, truncated or empty.
    """
    root = Path(root)
    wavs = _find_wavs(root)
    labelled = list(_read_labels(_label_file(root)))
    found = [_read_one(each, root, wavs, emotions, tags) for each in labelled]
    unlabelled = sorted(wavs.keys() - {each.name for each in labelled})
    found += [Exclusion(_utt_id(name), _parse(name, wavs[name])[1], "no label") for name in unlabelled]
    reading = CorpusReading(
        used=tuple(entry for entry in found if isinstance(entry, CorpusUtterance)),
        excluded=tuple(entry for entry in found if isinstance(entry, Exclusion)),
        corpus=CORPUS,
    )
    if missing_transcripts == "keep":
        return reading
    transcribed = reading.without_untranscribed()
    if missing_transcripts == "error" and len(transcribed.used) < len(reading.used):
        raise DataError(
            "transcripts are missing",
            where=root / "Text",
            expected=f"{len(reading.used)} utterances",
            got=len(transcribed.used),
            next_step="--missing_transcripts keep or exclude",
        )
    return transcribed


def _read_one(
    labelled: _Labelled, root: Path, wavs: dict[str, Path], emotions: EmotionInventory, tags: str
) -> CorpusUtterance | Exclusion:
    actor, session, scenario = _parse(labelled.name, labelled.where)
    utt_id = _utt_id(labelled.name)
    if labelled.label not in RAW_LABELS:
        raise LabelError(
            "unknown emotion label",
            where=labelled.where,
            expected=f"one of {' '.join(RAW_LABELS)}",
            got=repr(labelled.label),
        )
    label = RAW_LABELS[labelled.label]
    if label is None or label not in emotions:
        return Exclusion(utt_id, session, f"label {labelled.label}")
    if labelled.name not in wavs:
        raise AudioError(
            "audio file is missing", where=labelled.where, expected=f"{utt_id}.wav", next_step="check the copy"
        )
    wav = wavs[labelled.name]
    utterance = Utterance(
        utt_id=utt_id,
        speaker=f"MSP-{actor}",
        audio=str(wav),
        text=_transcript(root, labelled.name, tags),
        emotion=emotions.canonical(label),
        num_samples=audio_info(wav).num_samples,
    )
    return CorpusUtterance(utterance, session, f"session{session}-{scenario}")


def _utt_id(name: str) -> str:
    return f"MSP-IMPROV-{name}"


def _parse(name: str, where: object) -> tuple[str, int, str]:
    """Actor, session and scenario of a name such as ``S01A-F01-S-FM01``."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise DataError("not a name of MSP-IMPROV", where=where, expected="a name such as S01A-F01-S-FM01", got=name)
    return match["actor"], int(match["actor"][1:]), match["scenario"]


def _label_file(root: Path) -> Path:
    """The label file under either spelling."""
    files = [root / name for name in LABEL_FILES if (root / name).is_file()]
    if not files:
        raise DataError(
            "not a copy of MSP-IMPROV",
            where=root,
            expected=" or ".join(LABEL_FILES),
            next_step="set MSP_IMPROV in db.sh to the directory that holds it",
        )
    if len({file.read_bytes() for file in files}) > 1:
        raise DataError("two label files that differ", where=root, got=" ".join(LABEL_FILES), next_step="remove one")
    return files[0]


def _read_labels(path: Path) -> Iterator[_Labelled]:
    """Lines of utterances; those of single raters follow each and are not read."""
    seen: dict[str, str] = {}
    for number, line in enumerate(read_lines(path), 1):
        if not line.startswith("UTD-"):
            continue
        where = f"{path}:{number}"
        match = _LABEL_LINE.fullmatch(line.rstrip())
        if match is None:
            raise DataError(
                "malformed label line", where=where, expected="UTD-IMPROV-<name>.avi; <label>; ...", got=repr(line)
            )
        if match["name"] in seen:
            raise DataError("utterance is labelled twice", where=where, got=seen[match["name"]])
        seen[match["name"]] = where
        yield _Labelled(match["name"], match["label"], where)
    if not seen:
        raise DataError("no label in the file", where=path, expected="lines UTD-IMPROV-<name>.avi; <label>; ...")


def _find_wavs(root: Path) -> dict[str, Path]:
    """Wav files by name; each must lie in the folders that its name tells."""
    audio = root / "Audio" if (root / "Audio").is_dir() else root
    wavs = {}
    for path in sorted(audio.glob("session*/*/*/*.wav")):
        if path.name.startswith("."):
            continue
        name = path.stem.removeprefix("MSP-IMPROV-")
        _, session, scenario = _parse(name, path)
        expected = (f"session{session}", scenario, name.split("-")[2])
        if path.parts[-4:-1] != expected:
            raise DataError(
                "file lies in a folder of other recordings", where=path, expected="/".join(expected), got=path.parent
            )
        wavs[name] = path
    if not wavs:
        raise DataError(
            "no audio of MSP-IMPROV",
            where=audio,
            expected="session1/S01A/S/MSP-IMPROV-S01A-F01-S-FM01.wav",
            next_step="set MSP_IMPROV in db.sh to the directory that holds the label file and Audio",
        )
    return wavs


def _transcript(root: Path, name: str, tags: str) -> str | None:
    """Words of a transcript file; None if there is none."""
    path = root / "Text" / f"{_utt_id(name)}.txt"
    if not path.is_file():
        return None
    return normalize_text(" ".join(read_lines(path)), tags)
