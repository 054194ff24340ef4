"""A tiny tree in the layout of MSP-IMPROV, with every trap of the real one; all sentences are invented."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.corpora.trees import write_tone

SAMPLE_RATE = 48000


@dataclass(frozen=True)
class Recording:
    """An utterance of the tree; ``text`` None: it has no transcript."""

    name: str
    label: str
    text: str | None
    seconds: float = 0.25

    @property
    def utt_id(self) -> str:
        """Identifier in data directories."""
        return f"MSP-IMPROV-{self.name}"


def recordings_of(session: int) -> list[Recording]:
    """Eight recordings of a session, two of them without one of the four classes."""
    woman, man, pair = f"F{session:02d}", f"M{session:02d}", f"{session:02d}"
    return [
        Recording(f"S01A-{woman}-S-FM{pair}", "A", "Who took the ladder?"),
        Recording(f"S01A-{man}-S-MF{pair}", "H", "The ladder [laughs] is here!"),
        Recording(f"S08H-{woman}-R-FM{pair}", "N", None),
        Recording(f"S08H-{man}-R-MF{pair}", "S", "It was a good ladder."),
        Recording(f"S20N-{woman}-P-FM{pair}", "N", "Put it back, please."),
        Recording(f"S20N-{man}-P-MF{pair}", "O", "Whatever."),
        Recording(f"S15S-{woman}-T-FM{pair}", "X", None),
        Recording(f"S15S-{man}-T-MF{pair}", "S", "The paint is gone."),
    ]


def label_lines(recording: Recording, number: int) -> list[str]:
    """The lines of an utterance in the label file: the consensus and two raters."""
    valence = "NaN" if number % 3 == 0 else "3.2"
    return [
        f"UTD-IMPROV-{recording.name}.avi; {recording.label}; A:2.4; V:{valence}; D:3.0 ; N:3.8;",
        f"WORKER{number:05d}; Neutral; Concerned,Other; A:3.0; V:{valence}; D:3.0; N:4.0;",
        f"WORKER{number + 1:05d}; Angry; Frustrated; A:2.0; V:2.0; D:NaN; N:3.0;",
        "",
    ]


def write_msp_improv(
    root: Path,
    label_file: str = "Evalution.txt",
    audio: str = "Audio",
    sample_rate: int = SAMPLE_RATE,
    num_sessions: int = 6,
) -> Path:
    """A tree of six sessions: 36 utterances of the four classes, 12 others, 6 without a label."""
    lines = []
    for session in range(1, num_sessions + 1):
        for number, recording in enumerate(recordings_of(session)):
            lines += label_lines(recording, number)
            write_wav(root / audio, session, recording, sample_rate)
            if recording.text is not None:
                path = root / "Text" / f"{recording.utt_id}.txt"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(recording.text + "\n")
        unlabelled = Recording(f"S02A-F{session:02d}-R-FM{session:02d}", "-", None)
        write_wav(root / audio, session, unlabelled, sample_rate)
        hidden = root / audio / f"session{session}/S01A/S/._MSP-IMPROV-S01A-F{session:02d}-S-FM{session:02d}.wav"
        hidden.write_bytes(b"\x00\x05\x16\x07")
    (root / label_file).write_text("\n".join(lines) + "\n")
    return root


def write_wav(audio: Path, session: int, recording: Recording, sample_rate: int) -> None:
    """The recording in its place below ``audio``."""
    scenario, _, part, _ = recording.name.split("-")
    path = audio / f"session{session}" / scenario / part / f"{recording.utt_id}.wav"
    write_tone(path, recording.seconds, sample_rate, seed=session)
