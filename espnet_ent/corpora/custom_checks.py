"""Checks of entries against their audio and against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from espnet_ent.corpora.audio_survey import AudioFacts
from espnet_ent.corpora.defect_log import DefectLog
from espnet_ent.corpora.manifest_entries import Entry
from espnet_ent.corpora.splitting import PARTS, AudioSpan, find_leaks, overlapping_spans
from espnet_ent.frames import samples_to_seconds, seconds_to_samples

MIN_SECONDS = 0.1
"""What is shorter is no utterance; stage 4 drops it by default."""
TIME_SLACK = 0.01
"""Seconds by which a time may pass the audio's end, as hand-made times do; it is cut off there."""


@dataclass(frozen=True)
class Sized:
    """An entry with sound audio.

    Attributes:
        entry: The entry.
        facts: Its audio file.
        start: Start in the file in seconds.
        end: End in the file in seconds, never after its end.
        num_samples: Length at the file's own rate.
    """

    entry: Entry
    facts: AudioFacts
    start: float
    end: float
    num_samples: int

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return samples_to_seconds(self.num_samples, self.facts.sample_rate)


def check_audio_entries(entries: Sequence[Entry], facts: Mapping[str, AudioFacts], log: DefectLog) -> list[Sized]:
    """Entries whose audio is sound, with their lengths; what is wrong goes to the log."""
    sized = []
    for entry in entries:
        if entry.audio is None:
            continue
        found = facts[entry.audio]
        if found.error is not None:
            log.add(entry.line, found.error, found.error_detail)
            continue
        if found.is_silent:
            log.warn(f"audio is silent: {entry.audio}", entry.line)
        start, end = entry.start or 0.0, found.seconds if entry.end is None else entry.end
        if end > found.seconds + TIME_SLACK:
            log.add(entry.line, "end is after the audio's end", f"{end:g} s of {found.seconds:g} s in {entry.audio}")
            continue
        end = min(end, found.seconds)
        # Times are written with six decimals.
        first = seconds_to_samples(round(start, 6), found.sample_rate)
        last = min(found.num_samples, seconds_to_samples(round(end, 6), found.sample_rate))
        item = Sized(entry, found, start, end, last - first)
        if item.seconds < MIN_SECONDS:
            log.add(entry.line, "audio is too short", f"{max(0.0, item.seconds):g} s, at least {MIN_SECONDS:g} s")
            continue
        for interval in entry.intervals or ():
            if interval.end > item.seconds + TIME_SLACK:
                detail = f"{interval.start:g} to {interval.end:g} s of {item.seconds:g} s"
                log.add(entry.line, "emotion interval after the utterance's end", detail)
        sized.append(item)
    return sized


def check_leaks(items: Sequence[Sized], log: DefectLog, allow_speaker_overlap: bool) -> list[tuple[int, int]]:
    """What occurs in two splits of the manifest, and what occurs twice.

    Returns:
        Pairs of lines that share audio.
    """
    used = [item for item in items if item.entry.excluded is None]
    splits = [item.entry.split for item in used]
    if not allow_speaker_overlap:
        for leak in find_leaks([item.entry.speaker for item in used], splits):
            first, other = leak.given_up[0], leak.kept[0]
            num_rows = f"{len(leak.given_up)} row{'s' if len(leak.given_up) > 1 else ''}"
            log.add(
                used[first].entry.line,
                "speaker in two splits",
                f"{leak.key!r} is in {splits[first]} ({num_rows}) and in {splits[other]} "
                f"(line {used[other].entry.line}); --allow_speaker_overlap true, if that is meant",
            )
            for position in leak.given_up:
                log.blame(used[position].entry.line, "speaker in two splits")
    pairs = overlapping_spans([AudioSpan(item.facts.content, item.start, item.end) for item in used])
    for pair in pairs:
        _report_shared_audio(used, pair, log)
    return [(used[first].entry.line, used[second].entry.line) for first, second in pairs]


def _report_shared_audio(used: Sequence[Sized], pair: tuple[int, int], log: DefectLog) -> None:
    first, second = (used[position].entry for position in pair)
    if first.split is None or second.split is None or first.split == second.split:
        log.warn(f"the same audio as on line {first.line}", second.line)
        return
    lower, higher = sorted((first, second), key=lambda entry: PARTS.index(entry.split))
    log.add(lower.line, "the same audio in two splits", f"{lower.split}, and {higher.split} on line {higher.line}")
