"""What a corpus reader finds: used utterances, and the others with the reason why not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from espnet_ent.data.atomic import atomic_directory
from espnet_ent.data.audio import AudioInfo, audio_info
from espnet_ent.data.datadir import write_tables
from espnet_ent.data.utterance import Utterance
from espnet_ent.errors import AudioError, DataError

UNKNOWN_SESSION = 0


@dataclass(frozen=True)
class CorpusUtterance:
    """An utterance and where it stands in its corpus.

    Attributes:
        utterance: The utterance.
        session: Recording session, the unit of folds; 0 where it is not known.
        dialog: Dialog, or the session again where a corpus has none.
    """

    utterance: Utterance
    session: int
    dialog: str


@dataclass(frozen=True)
class Exclusion:
    """An utterance that is left out, and why."""

    utt_id: str
    session: int
    reason: str


@dataclass(frozen=True)
class CorpusReading:
    """All utterances that a corpus labels: used + excluded = found.

    Attributes:
        used: Utterances of the data directories.
        excluded: The others.
        corpus: Name of a corpus whose sessions or dialogs are known; None where neither is.
    """

    used: tuple[CorpusUtterance, ...]
    excluded: tuple[Exclusion, ...]
    corpus: str | None = None

    @property
    def num_found(self) -> int:
        """Number of labelled utterances in the corpus."""
        return len(self.used) + len(self.excluded)

    def of_sessions(self, sessions: Iterable[int]) -> CorpusReading:
        """The part of some sessions."""
        chosen = set(sessions)
        return CorpusReading(
            tuple(entry for entry in self.used if entry.session in chosen),
            tuple(entry for entry in self.excluded if entry.session in chosen),
            self.corpus,
        )

    def without_untranscribed(self) -> CorpusReading:
        """The same, with utterances that nobody has transcribed excluded."""
        used = tuple(entry for entry in self.used if entry.utterance.text is not None)
        silent = (entry for entry in self.used if entry.utterance.text is None)
        excluded = tuple(Exclusion(entry.utterance.utt_id, entry.session, "no transcript") for entry in silent)
        return CorpusReading(used, self.excluded + excluded, self.corpus)

    def write(self, directory: str | Path) -> None:
        """Write a data directory, with the exclusions beside it in ``excluded`` (``<utt> <reason>``).

        Where dialogs are known, they are written to ``utt2dialog``, and sessions to ``utt2session``.

        Raises:
            DataError: If no utterance is left.
        """
        if not self.used:
            raise DataError("no utterance is left", where=directory, got=f"{len(self.excluded)} excluded")
        lines = sorted(f"{entry.utt_id} {entry.reason}\n" for entry in self.excluded)
        with atomic_directory(directory) as root:
            write_tables(root, [entry.utterance for entry in self.used])
            (root / "excluded").write_text("".join(lines), encoding="utf-8")
            if self.corpus is not None:
                self._write_places(root)

    def _write_places(self, root: Path) -> None:
        """Sessions and dialogs, under the name of the corpus: numbers of two corpora are not the same session."""
        used = sorted(self.used, key=lambda entry: entry.utterance.utt_id.encode())
        sessions = [f"{entry.utterance.utt_id} {self.corpus}-{entry.session}\n" for entry in used]
        dialogs = [f"{entry.utterance.utt_id} {self.corpus}-{entry.dialog}\n" for entry in used]
        if all(entry.session != UNKNOWN_SESSION for entry in used):
            (root / "utt2session").write_text("".join(sessions), encoding="utf-8")
        (root / "utt2dialog").write_text("".join(dialogs), encoding="utf-8")

    def summary(self) -> str:
        """One line: how many are found, used by class, excluded by reason."""
        classes = Counter(entry.utterance.emotion for entry in self.used)
        reasons = Counter(entry.reason for entry in self.excluded)
        by_class = " ".join(f"{name} {classes[name]}" for name in sorted(classes, key=str))
        by_reason = ", ".join(f"{reason} {reasons[reason]}" for reason in sorted(reasons))
        line = f"found {self.num_found}, used {len(self.used)} ({by_class}), excluded {len(self.excluded)}"
        line += f" ({by_reason})" if by_reason else ""
        untranscribed = sum(entry.utterance.text is None for entry in self.used)
        return f"{line}, {untranscribed} not transcribed" if untranscribed else line


def check_audio(path: Path, sample_rate: int) -> AudioInfo:
    """Length and format of a corpus's audio file, which must have the corpus's rate.

    Raises:
        AudioError: If the file is missing, empty or truncated, or has another rate.
    """
    info = audio_info(path)
    if info.sample_rate != sample_rate:
        raise AudioError(
            "wrong sample rate",
            where=path,
            expected=f"{sample_rate} Hz",
            got=f"{info.sample_rate} Hz",
            next_step="check the copy of the corpus",
        )
    return info
