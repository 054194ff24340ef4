"""Tiny trees in the layouts of IEMOCAP and ZED, with every trap of the real ones; all sentences are invented."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

SAMPLE_RATE = 16000


@dataclass(frozen=True)
class Turn:
    """An utterance of the IEMOCAP-like tree."""

    utt_id: str
    label: str
    words: str
    seconds: float = 0.5


def write_tone(path: Path, seconds: float, sample_rate: int = SAMPLE_RATE, seed: int = 0) -> None:
    """A noisy tone that differs by seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    times = np.arange(int(seconds * sample_rate)) / sample_rate
    samples = 0.3 * np.sin(2 * np.pi * (200 + 10 * seed) * times) + 0.01 * rng.standard_normal(len(times))
    soundfile.write(path, samples, sample_rate, subtype="PCM_16")


def dialogs_of(session: int) -> dict[str, list[Turn]]:
    """Two dialogs of a session; the second has one of the irregular names."""
    first, second = f"Ses{session:02d}F_impro01", f"Ses{session:02d}M_script01_1b"
    return {
        first: [
            Turn(f"{first}_F000", "neu", "The lamp (is) on the table."),
            Turn(f"{first}_M000", "ang", "Where, exactly? I don't see it!", 0.6),
            Turn(f"{first}_M001", "fru", "Never mind.", 0.4),
            Turn(f"{first}_F001", "exc", "[LAUGHTER] There it is--right there.", 0.7),
        ],
        second: [
            Turn(f"{second}_F000", "sad", "The garden was greener once.", 0.8),
            Turn(f"{second}_M000", "xxx", "Hm.", 0.3),
            Turn(f"{second}_M001", "hap", "But the pears are early.", 0.9),
        ],
    }


def write_iemocap(root: Path) -> Path:
    """A tree of five sessions: 25 utterances of the four classes, 10 others."""
    for session in range(1, 6):
        folder = root / f"Session{session}"
        for number, (dialog, turns) in enumerate(dialogs_of(session).items()):
            _write_dialog(folder, dialog, turns, seed=10 * session + number)
        evaluation = folder / "dialog" / "EmoEvaluation"
        for subfolder in ("Attribute", "Categorical", "Self-evaluation"):
            (evaluation / subfolder).mkdir()
            (evaluation / subfolder / f"Ses{session:02d}F_impro01_e2_cat.txt").write_text("not a label file\n")
        (evaluation / f"._Ses{session:02d}F_impro01.txt").write_bytes(b"\x00\x05\x16\x07\xff")
        wavs = folder / "sentences" / "wav" / f"Ses{session:02d}F_impro01"
        (wavs / f"._Ses{session:02d}F_impro01_F000.wav").write_bytes(b"\x00\x05\x16\x07")
    return root


def _write_dialog(folder: Path, dialog: str, turns: list[Turn], seed: int) -> None:
    labels = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""]
    transcripts = []
    clock = 1.5
    for turn in turns:
        start, end = clock, clock + turn.seconds
        clock = end + 0.25
        labels += [
            f"[{start:.4f} - {end:.4f}]\t{turn.utt_id}\t{turn.label}\t[2.5000, 2.5000, 2.5000]",
            "C-E2:\tNeutral;\t()",
            "A-E1:\tval 3; act 2; dom  2;\t()",
            "",
        ]
        transcripts.append(f"{turn.utt_id} [{start:08.4f}-{end:08.4f}]: {turn.words}")
        write_tone(folder / "sentences" / "wav" / dialog / f"{turn.utt_id}.wav", turn.seconds, seed=seed)
    # What the real transcripts hold besides: a line without an identifier, and one without a label.
    transcripts.insert(1, "M: Over here, please.")
    transcripts.append(f"{dialog}_MXX0 [151.2551-153.4251]: [LAUGHTER], wait")
    transcripts.append(f"{dialog}_MXX0 [155.0000-156.0000]: again")
    for name, lines in (("EmoEvaluation", labels), ("transcriptions", transcripts)):
        path = folder / "dialog" / name / f"{dialog}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


ZED_ENTRIES: dict[str, dict] = {
    "anna_001": {
        "wav": "datafolder/anna/anna_001.wav",
        "duration": 1.0,
        "emotion": [{"emo": "happy", "start": 0.25, "end": 0.75}],
        "transcription": "The kettle sings, listen!",
    },
    "bert_002": {
        "wav": "datafolder/bert_002.wav",
        "duration": 1.5,
        "emotion": [{"emo": "angry", "start": 0.9, "end": 1.6}, {"emo": "sad", "start": 0.1, "end": 0.4}],
        "transcription": "Who moved the ladder?",
    },
    "carl_003": {
        "wav": "datafolder/carl/carl_003.wav",
        "duration": 0.75,
        "emotion": [],
        "transcription": "It rains.",
    },
}


def write_zed(root: Path, entries: dict[str, dict] | None = None) -> Path:
    """A tree of three utterances, or of the given ones (their audio is as long as they say)."""
    entries = ZED_ENTRIES if entries is None else entries
    root.mkdir(parents=True, exist_ok=True)
    for seed, entry in enumerate(entries.values()):
        if isinstance(entry, dict) and isinstance(entry.get("wav"), str):
            write_tone(root / entry["wav"], entry.get("duration", 0.5), seed=seed)
    (root / "ZED.json").write_text(json.dumps(entries, indent=1), encoding="utf-8")
    return root
