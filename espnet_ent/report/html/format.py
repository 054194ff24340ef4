"""Pages as an output format of transcripts: one to look at and listen to for each recording."""

from __future__ import annotations

from espnet_ent.data.transcript import EmotionTranscript
from espnet_ent.export.format import Transcribed, TranscriptFormat
from espnet_ent.frames import FrameGrid
from espnet_ent.labels import EmotionInventory
from espnet_ent.report.html.audio_tracks import AudioSource
from espnet_ent.report.html.transcript_page import transcript_page

_ANY_GRID = FrameGrid(16000, 160)  # of transcripts without frames
_PROVENANCE = "made by ent-transcribe"


class Html(TranscriptFormat):
    """A self-contained page: player, waveform, words, emotion timeline and posteriors."""

    suffix = ".html"

    def render(self, item: Transcribed) -> str:
        """The page of a recording; with sound where it has a file of its own."""
        transcript = item.transcript
        audio = {}
        if item.audio is not None:
            start = item.start
            end = None if start is None else start + transcript.duration
            audio[item.name] = AudioSource(item.audio, start=start, end=end)
        return transcript_page(
            [(item.name, transcript)],
            _inventory(transcript),
            transcript.grid or _ANY_GRID,
            audio,
            provenance=_PROVENANCE,
        )


def _inventory(transcript: EmotionTranscript) -> EmotionInventory:
    """The emotions of a transcript; the first stands for the neutral one where nobody has told which that is."""
    neutral = transcript.neutral if transcript.timeline is None else transcript.timeline.neutral
    names = transcript.emotions or (neutral or "neutral",)
    return EmotionInventory(names, neutral or names[0])
