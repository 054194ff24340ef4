"""A page for recordings that were transcribed, without a reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from espnet_ent.data.transcript import EmotionTranscript
from espnet_ent.frames import FrameGrid
from espnet_ent.labels import EmotionInventory
from espnet_ent.report.html.audio_tracks import AudioOptions, AudioSource, AudioTracks
from espnet_ent.report.html.page import PageData, render_page
from espnet_ent.report.html.run_report import audio_notes
from espnet_ent.report.html.utterance_details import frames_of, places_of, posteriors_of, segments_of, words_of

Audio = str | Path | np.ndarray | AudioSource


def transcript_page(
    transcripts: Sequence[tuple[str, EmotionTranscript]],
    emotions: EmotionInventory,
    grid: FrameGrid,
    audio: Mapping[str, Audio] | None = None,
    options: AudioOptions | None = None,
    beside: str | Path = ".",
    provenance: str | None = None,
) -> str:
    """HTML of one page: player, waveform, words, emotion timeline and posteriors of each recording.

    Args:
        transcripts: (name, transcript); a name is also the key of ``audio``.
        emotions: The classes, in the order of all posteriors.
        grid: Time grid of the frames; its sample rate is that of arrays in ``audio``.
        audio: File, ark entry, float samples (N,) or part of a file of each recording, by name; one that is not
            there is not played.
        options: How sound gets into the page.
        beside: Directory of the page, for links to audio.
        provenance: The line that tells when and where the page was made; None: date, host and commit of this run.
    """
    page = transcript_page_data(transcripts, emotions, grid, audio, options, beside)
    return render_page(page, provenance)


def transcript_page_data(
    transcripts: Sequence[tuple[str, EmotionTranscript]],
    emotions: EmotionInventory,
    grid: FrameGrid,
    audio: Mapping[str, Audio] | None = None,
    options: AudioOptions | None = None,
    beside: str | Path = ".",
) -> PageData:
    """What :func:`transcript_page` shows; arguments as there."""
    tracks = AudioTracks(options or AudioOptions(), beside)
    audio = audio or {}
    rows, details = [], {}
    for number, (name, transcript) in enumerate(transcripts):
        key = f"detail-{number}"
        rows.append({**_row(name, transcript), "detail": key})
        track = tracks.add(_source(audio[name], grid)) if name in audio else {}
        details[key] = {**_detail(transcript, grid), **track}
    title = transcripts[0][0] if len(transcripts) == 1 else f"{len(transcripts)} recordings"
    content = {
        "kind": "recordings",
        "title": title,
        "about": [],
        "notes": audio_notes(tracks) if audio else [],
        "sets": [
            {"name": title, "emotions": list(emotions.names), "neutral": emotions.neutral, "utterances": rows},
        ],
    }
    return PageData(title, content, details, links_audio=tracks.options.kind == "link")


def _source(audio: Audio, grid: FrameGrid) -> AudioSource:
    return audio if isinstance(audio, AudioSource) else AudioSource(audio, grid.sample_rate)


def _row(name: str, transcript: EmotionTranscript) -> dict[str, Any]:
    return {
        "id": name,
        "seconds": round(transcript.duration, 3),
        "text": transcript.text,
        "emotion": [None, transcript.emotion],
    }


def _detail(transcript: EmotionTranscript, grid: FrameGrid) -> dict[str, Any]:
    return {
        "words": words_of(transcript.words),
        "places": places_of(transcript.words, transcript.duration),
        "system": segments_of(transcript.timeline),
        "posteriors": posteriors_of(transcript.posteriors),
        "frames": frames_of(transcript.frame_posteriors, grid),
        "remark": transcript.remark,
    }
