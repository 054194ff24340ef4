"""What an output format of a transcript is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from espnet_ent.data.transcript import EmotionTranscript


@dataclass(frozen=True, eq=False)
class Transcribed:
    """A recording and what was heard in it.

    Attributes:
        name: What it is called in the output, unique among the recordings of a run.
        transcript: What was heard.
        audio: Path of its audio file; None where it has none of its own.
        start: Where it starts in ``audio``, in seconds; None: at the beginning.
    """

    name: str
    transcript: EmotionTranscript
    audio: str | None = None
    start: float | None = None


class TranscriptFormat(ABC):
    """A format. Its texts are UTF-8 with ``\\n`` at line ends, and depend on the recording alone.

    Attributes:
        suffix: What file names end in.
        is_joined: One file holds all recordings of a run; otherwise each has its own.
        can_be_joined: Texts of several recordings, one after another, are in the format, too, and tell which is which.
        header: What a file begins with.
    """

    suffix: ClassVar[str]
    is_joined: ClassVar[bool] = False
    can_be_joined: ClassVar[bool] = False
    header: ClassVar[str] = ""

    def check(self) -> None:  # noqa: B027 (most formats need nothing)
        """See that what the format needs is there, before anything is transcribed.

        Raises:
            ConfigError: If a library is missing.
        """

    @abstractmethod
    def render(self, item: Transcribed) -> str:
        """A recording in this format, without the header."""
