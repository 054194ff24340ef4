"""The directory layouts and label files of IEMOCAP and ZED, written for spoken utterances of the mini corpus."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from espnet_ent.corpora.ctm import ctm_line
from espnet_ent.corpora.mini.acoustics import SAMPLE_RATE
from espnet_ent.corpora.mini.plan import MiniSize, PlannedUtterance, plan_corpus
from espnet_ent.corpora.zed import WORDS_CTM
from espnet_ent.data.utterance import WordTime
from espnet_ent.frames import samples_to_seconds

IEMOCAP_ROOT = "IEMOCAP_mini"
_CATEGORIES = {
    "neu": "Neutral",
    "hap": "Happiness",
    "exc": "Excited",
    "ang": "Anger",
    "sad": "Sadness",
    "fru": "Frustration",
    "xxx": "Other",
}
_VALENCE_AROUSAL = {"neu": (3.0, 2.5), "hap": (4.0, 3.0), "exc": (4.0, 4.0), "ang": (1.5, 4.0)}
_LOW_AROUSAL = (2.0, 2.0)
_TURN_GAP = 0.75  # seconds between turns of a dialog


@dataclass(frozen=True)
class SpokenUtterance:
    """A planned utterance, its length, the seconds at which one phrase gives way to the next, and its words."""

    planned: PlannedUtterance
    num_samples: int
    boundaries: tuple[float, ...]
    words: tuple[WordTime, ...]

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return samples_to_seconds(self.num_samples, SAMPLE_RATE)

    def stretches(self) -> list[tuple[float, float, str]]:
        """(start, end, emotion) of each run of phrases with one emotion, in seconds."""
        edges = [0.0, *self.boundaries, self.duration]
        runs: list[tuple[float, float, str]] = []
        for start, end, phrase in zip(edges, edges[1:], self.planned.phrases, strict=False):
            if runs and runs[-1][2] == phrase.emotion:
                start = runs.pop()[0]
            runs.append((start, end, phrase.emotion))
        return runs


@dataclass(frozen=True)
class Layout:
    """How a mini corpus lies on disk.

    Attributes:
        plan: Its utterances, from a seed and a size.
        audio_path: Where an utterance's wav file lies below the root.
        write: Writes labels and transcripts below the root.
        sample_rate: Of the wav files.
    """

    plan: Callable[[int, MiniSize], list[PlannedUtterance]]
    audio_path: Callable[[PlannedUtterance], Path]
    write: Callable[[Path, Sequence[SpokenUtterance]], None]
    sample_rate: int


def audio_path(planned: PlannedUtterance) -> Path:
    """Where an utterance's wav file lies below the corpus root."""
    if len(planned.group) == 2:
        session, dialog = planned.group
        return Path(IEMOCAP_ROOT, session, "sentences", "wav", dialog, f"{planned.utt_id}.wav")
    return Path(planned.group[0], "datafolder", planned.speaker.name, f"{planned.utt_id}.wav")


def write_iemocap(root: Path, spoken: Sequence[SpokenUtterance]) -> None:
    """Write EmoEvaluation and transcription files of the IEMOCAP-like part."""
    dialogs: dict[tuple[str, ...], list[SpokenUtterance]] = defaultdict(list)
    for utterance in spoken:
        dialogs[utterance.planned.group].append(utterance)
    for (session, dialog), turns in sorted(dialogs.items()):
        base = root / IEMOCAP_ROOT / session / "dialog"
        for folder in ("EmoEvaluation", "transcriptions"):
            (base / folder).mkdir(parents=True, exist_ok=True)
        evaluation = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""]
        transcription = []
        clock = 1.0
        for turn in turns:
            start, end = clock, clock + turn.duration
            clock = end + _TURN_GAP
            evaluation += _evaluation_lines(turn.planned, start, end)
            transcription.append(f"{turn.planned.utt_id} [{start:08.4f}-{end:08.4f}]: {as_written(turn.planned.text)}")
        _write_lines(base / "EmoEvaluation" / f"{dialog}.txt", evaluation)
        _write_lines(base / "transcriptions" / f"{dialog}.txt", transcription)


def _evaluation_lines(planned: PlannedUtterance, start: float, end: float) -> list[str]:
    valence, arousal = _VALENCE_AROUSAL.get(planned.label, _LOW_AROUSAL)
    category = _CATEGORIES[planned.label]
    return [
        f"[{start:.4f} - {end:.4f}]\t{planned.utt_id}\t{planned.label}\t[{valence:.4f}, {arousal:.4f}, 2.5000]",
        f"C-E1:\t{category};\t()",
        f"C-E2:\t{category};\t()",
        f"A-E1:\tval {valence:.0f}; act {arousal:.0f}; dom  3;\t()",
        "",
    ]


def as_written(text: str) -> str:
    """A command as a transcriber would write it."""
    return text[0].upper() + text[1:] + "."


def write_iemocap_zed(root: Path, spoken: Sequence[SpokenUtterance]) -> None:
    """Write the labels and transcripts of the IEMOCAP-like and of both ZED-like parts."""
    write_iemocap(root, [u for u in spoken if u.planned.group[0].startswith("Session")])
    for part in ("ZED_mini_dev", "ZED_mini_test"):
        write_zed(root, part, [u for u in spoken if u.planned.group[0] == part])


def write_zed(root: Path, part: str, spoken: Sequence[SpokenUtterance]) -> None:
    """Write ``ZED.json`` of a ZED-like part, and beside it ``words.ctm``, which ZED itself does not have.

    Neutral stretches are left out, as in ZED.
    """
    entries = {}
    for utterance in spoken:
        planned = utterance.planned
        relative = audio_path(planned).relative_to(part)
        entries[planned.utt_id] = {
            "wav": relative.as_posix(),
            "duration": round(utterance.duration, 4),
            "emotion": [
                {"emo": planned.label, "start": round(start, 4), "end": round(end, 4)}
                for start, end, emotion in utterance.stretches()
                if emotion != "neu"
            ],
            "transcription": as_written(planned.text),
        }
    (root / part / "ZED.json").write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")
    words = [(utterance.planned.utt_id, word) for utterance in spoken for word in utterance.words]
    _write_lines(root / part / WORDS_CTM, [ctm_line(utt_id, word) for utt_id, word in words])


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


IEMOCAP_ZED = Layout(plan_corpus, audio_path, write_iemocap_zed, SAMPLE_RATE)
