"""Checks of the audio of a data directory: recordings, segments cut from them, counted lengths."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from espnet_ent.data.audio import AudioInfo, audio_info, read_audio
from espnet_ent.data.scanning import (
    TIME_TOLERANCE,
    ScannedDirectory,
    ValidationConfig,
    has_width,
    read_interval,
)
from espnet_ent.data.tables import Table
from espnet_ent.data.worker_pool import worker_pool
from espnet_ent.errors import AudioError
from espnet_ent.frames import samples_to_seconds, seconds_to_samples

AUDIO_CHECKS = ("decode", "header", "none")
Progress = Callable[[Iterable], Iterable]
_Segment = tuple[str, float, float]  # recording, start and end in seconds
_Length = tuple[int, int]  # num_samples, sample_rate


def check_audio(scanned: ScannedDirectory, config: ValidationConfig, progress: Progress) -> None:
    """Check ``wav.scp``, ``segments`` and ``utt2num_samples``; fills ``scanned.lengths``."""
    wav_scp = scanned.tables.get("wav.scp")
    if wav_scp is None:
        return
    segments = _read_segments(scanned, wav_scp)
    utterances_of: dict[str, list[str]] = {}
    for utt_id, (recording, _, _) in segments.items():
        utterances_of.setdefault(recording, []).append(utt_id)
    users_of = utterances_of if "segments" in scanned.tables else {row.key: [row.key] for row in wav_scp.rows}
    infos: dict[str, AudioInfo] = {}
    with _mapper(config.nj) as run:
        found = run(
            partial(_look_at, config=config), [row.value if row.key in users_of else "" for row in wav_scp.rows]
        )
        for row, (info, fault) in zip(progress(wav_scp.rows), found, strict=True):
            users = users_of.get(row.key, ())
            if not users:
                wav_scp.add(row, f"recording {row.key!r} has no utterance in segments", repairable=True)
            elif fault is not None:
                wav_scp.add(row, fault, *users)
            elif info is not None:
                infos[row.key] = info
    if "segments" in scanned.tables:
        scanned.lengths = _segment_lengths(scanned.tables["segments"], segments, infos)
    else:
        scanned.lengths = {key: (info.num_samples, info.sample_rate) for key, info in infos.items()}
    _check_num_samples(scanned)


@contextlib.contextmanager
def _mapper(nj: int) -> Iterator[Callable]:
    """A function like ``map``, in order, over as many processes."""
    if nj == 1:
        yield map
        return
    with worker_pool(nj) as pool:
        yield partial(pool.map, chunksize=8)


def _look_at(source: str, config: ValidationConfig) -> tuple[AudioInfo | None, str | None]:
    """What a recording is, if it is sound and was looked at, and what is wrong with it."""
    if not source:
        return None, "no audio is named, expected <id> <file>"
    if config.audio == "none":
        return None, f"a command in place of a file: {source}" if source.endswith("|") else None
    try:
        info = audio_info(source)
        if config.sample_rate not in (None, info.sample_rate):
            rates = f"expected {config.sample_rate} Hz, got {info.sample_rate} Hz"
            return None, f"{source}: wrong sample rate; {rates}"
        if config.audio == "decode":
            read_audio(source, info.sample_rate)
    except AudioError as error:
        return None, str(error)
    return info, None


def _read_segments(scanned: ScannedDirectory, wav_scp: Table) -> dict[str, _Segment]:
    """The utterances whose ``segments`` line is well formed."""
    table = scanned.tables.get("segments")
    segments: dict[str, _Segment] = {}
    recordings = wav_scp.by_key()
    for row in table.rows if table else ():
        if not has_width(table, row, "<utt> <recording> <start s> <end s>"):
            continue
        recording, *times = row.fields
        interval = read_interval(table, row, times)
        if recording not in recordings:
            table.add(row, f"recording {recording!r} is not in wav.scp", row.key)
        elif interval is not None:
            segments[row.key] = (recording, *interval)
    return segments


def _segment_lengths(
    table: Table, segments: Mapping[str, _Segment], infos: Mapping[str, AudioInfo]
) -> dict[str, _Length]:
    """Lengths of the utterances that are cut from sound recordings."""
    rows = table.by_key()
    lengths = {}
    for utt_id, (recording, start, end) in segments.items():
        if recording not in infos:
            continue
        info = infos[recording]
        seconds = samples_to_seconds(info.num_samples, info.sample_rate)
        if end > seconds + TIME_TOLERANCE:
            message = f"end {end:g} s is after the end of {recording!r} ({seconds:g} s)"
            table.add(rows[utt_id], message, utt_id)
            continue
        last = min(info.num_samples, seconds_to_samples(end, info.sample_rate))
        lengths[utt_id] = (last - seconds_to_samples(start, info.sample_rate), info.sample_rate)
    return lengths


def _check_num_samples(scanned: ScannedDirectory) -> None:
    table = scanned.tables.get("utt2num_samples")
    for row in table.rows if table else ():
        repairable = row.key in scanned.lengths
        if not row.value.isdecimal():
            table.add(row, f"{row.value!r} is not a number of samples", row.key, repairable=repairable)
        elif repairable and int(row.value) != scanned.lengths[row.key][0]:
            message = f"{row.value} samples, but the audio has {scanned.lengths[row.key][0]}"
            table.add(row, message, row.key, repairable=True)
