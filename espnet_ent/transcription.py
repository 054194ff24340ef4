"""Transcribe what a command's arguments stand for, into files of any format."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import torch

from espnet_ent.corpora.audio_inputs import STANDARD_INPUT, AudioInput, find_inputs
from espnet_ent.data.recording import Recording, low_rate_note
from espnet_ent.data.transcript import EmotionTranscript
from espnet_ent.data.worker_pool import worker_pool
from espnet_ent.errors import AudioError, ConfigError, EntError
from espnet_ent.export.format import Transcribed
from espnet_ent.export.registry import Maker, formats_named
from espnet_ent.export.writing import StreamWriter, TranscriptWriter
from espnet_ent.inference import EmotionTranscriber
from espnet_ent.report.html.format import Html

REPORT_FORMATS: dict[str, Maker] = {"html": Html}
"""Formats that need more than :mod:`espnet_ent.export` may import, by name."""


@dataclass(frozen=True, eq=False)
class Result:
    """A recording with its transcript, or with the reason why there is none; its rate in Hz if that is low."""

    source: AudioInput
    transcript: EmotionTranscript | None = None
    error: EntError | None = None
    low_rate: int | None = None

    @property
    def duration(self) -> float:
        """Seconds of audio that were transcribed."""
        return 0.0 if self.transcript is None else self.transcript.duration


Progress = Callable[[Iterable[Result], int], Iterable[Result]]
"""Wraps the results as they come, given their number."""


@dataclass(frozen=True)
class Standard:
    """Standard input and output."""

    input: BinaryIO
    output: BinaryIO


@dataclass
class TranscriptionReport:
    """What was done.

    Attributes:
        num_recordings: Recordings that were transcribed.
        audio_seconds: Their length together.
        seconds: From the loaded model to the last recording.
        errors: Why others were not.
        low_rates: How many transcribed ones have a lower sampling rate than the model, by rate in Hz.
        sample_rate: Rate of the model in Hz.
    """

    num_recordings: int = 0
    audio_seconds: float = 0.0
    seconds: float = 0.0
    errors: list[EntError] = field(default_factory=list)
    low_rates: Counter[int] = field(default_factory=Counter)
    sample_rate: int = 0

    @property
    def warnings(self) -> list[str]:
        """What is doubtful about the transcripts, a line each."""
        return [low_rate_note(self.low_rates, self.sample_rate)] if self.low_rates else []

    def __str__(self) -> str:
        rate = f", RTF {self.seconds / self.audio_seconds:.4f}" if self.audio_seconds else ""
        recordings = f"{self.num_recordings} recording{'' if self.num_recordings == 1 else 's'}"
        return f"{recordings}, {self.audio_seconds:.1f} s of audio, transcribed in {self.seconds:.1f} s{rate}"


@dataclass(frozen=True)
class TranscriptionOptions:
    """How to transcribe.

    Attributes:
        formats: Names of output formats, separated by commas.
        out: Directory to write, or ``-`` for standard output; None: the working directory, or standard output where
            the only input is standard input.
        batch_size: Recordings that are searched together, in the order in which they are given.
        nj: Parallel processes, on the CPU only.
    """

    formats: str = "txt"
    out: str | None = None
    batch_size: int = 8
    nj: int = 1

    def __post_init__(self) -> None:
        for name in ("batch_size", "nj"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} out of range", where=f"--{name}", expected="1 or more")


def transcribe_inputs(
    arguments: Sequence[str],
    load: Callable[[], EmotionTranscriber],
    options: TranscriptionOptions,
    standard: Standard,
    progress: Progress | None = None,
) -> TranscriptionReport:
    """Transcribe recordings and write what was found; what can't be read is left out and told.

    Args:
        arguments: Files, directories, patterns, tables or ``-`` (see :func:`find_inputs`).
        load: Loads the model, after options and arguments have been looked at.
        options: What to write where.
        standard: Standard input and output.
        progress: Wraps the results as they come.

    Raises:
        ConfigError: If an option makes no sense.
    """
    formats = formats_named(options.formats, REPORT_FORMATS)
    found = find_inputs(arguments, standard.input.read)
    report = TranscriptionReport(errors=list(found.errors))
    out = options.out or (STANDARD_INPUT if list(arguments) == [STANDARD_INPUT] else ".")
    if out == STANDARD_INPUT:
        writer: StreamWriter | TranscriptWriter = StreamWriter(standard.output, formats, len(found.inputs))
    else:
        files = [one.audio for one in found.inputs if isinstance(one.audio, str)]
        writer = TranscriptWriter(out, formats, [*files, *found.tables])
    if not found.inputs:
        return report
    transcriber = load()
    report.sample_rate = transcriber.grid.sample_rate
    begin = time.monotonic()
    results: Iterable[Result] = transcribe_all(transcriber, found.inputs, options.batch_size, options.nj)
    with writer:
        for result in results if progress is None else progress(results, len(found.inputs)):
            if result.transcript is None:
                assert result.error is not None
                report.errors.append(result.error)
                continue
            writer.write(_transcribed(result.source, result.transcript))
            report.num_recordings += 1
            report.low_rates.update([] if result.low_rate is None else [result.low_rate])
            report.audio_seconds += result.duration
    report.seconds = time.monotonic() - begin
    return report


_transcriber: EmotionTranscriber | None = None


def transcribe_all(
    transcriber: EmotionTranscriber, inputs: Sequence[AudioInput], batch_size: int = 8, nj: int = 1
) -> Iterator[Result]:
    """Results in the order of the inputs; one that can't be read spoils no other."""
    global _transcriber
    _transcriber = transcriber
    torch.set_num_threads(1)  # the same sums in the same order for any nj
    batches = [inputs[first : first + batch_size] for first in range(0, len(inputs), batch_size)]
    if nj == 1 or transcriber.device.type != "cpu":
        for batch in batches:
            yield from _transcribe(batch)
        return
    # Forked workers share the loaded model.
    with worker_pool(nj) as pool:
        for results in pool.map(_transcribe, batches):
            yield from results


def _transcribe(batch: Sequence[AudioInput]) -> list[Result]:
    """Results of a batch; where reading fails in its midst, its recordings one by one."""
    assert _transcriber is not None
    results: list[Result] = []
    recordings: list[Recording] = []
    for source in batch:
        try:
            recordings.append(_read(source, _transcriber))
            results.append(Result(source))
        except AudioError as error:
            results.append(Result(source, error=_located(error, source)))
    readable = [number for number, result in enumerate(results) if result.error is None]
    try:
        transcripts = _transcriber.transcribe_recordings(recordings)
    except AudioError as error:
        if len(batch) == 1:
            return [Result(batch[0], error=_located(error, batch[0]))]
        return [result for source in batch for result in _transcribe([source])]
    for number, recording, transcript in zip(readable, recordings, transcripts, strict=True):
        results[number] = Result(batch[number], transcript, low_rate=recording.low_rate)
    return results


def _read(source: AudioInput, transcriber: EmotionTranscriber) -> Recording:
    """A recording, in memory unless it is longer than a window."""
    rate = transcriber.grid.sample_rate
    recording = Recording.of_file(source.audio, rate, resample=True, start=source.start, end=source.end)
    is_short = recording.num_samples <= rate * transcriber.config.window_seconds
    return recording.loaded() if is_short else recording


def _located(error: AudioError, source: AudioInput) -> AudioError:
    """The error under the name that the user gave the recording."""
    return AudioError(
        error.what, where=source.where or source.name, expected=error.expected, got=error.got, next_step=None
    )


def _transcribed(source: AudioInput, transcript: EmotionTranscript) -> Transcribed:
    audio = None
    if isinstance(source.audio, str) and not re.search(r"\.ark:\d+$", source.audio):
        audio = str(Path(source.audio)).encode(errors="surrogateescape").decode(errors="replace")
    return Transcribed(source.name, transcript, audio, source.start)
