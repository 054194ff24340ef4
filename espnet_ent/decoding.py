"""Decode a data directory with a trained model (stage 12)."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from espnet_ent.data.datadir import read_data_dir, read_table
from espnet_ent.data.provenance import GIVEN_TEXT, digest_data_dir, digest_files, is_made_from
from espnet_ent.data.recording import Recording
from espnet_ent.data.shares import Share
from espnet_ent.data.tokens import TokenList, build_tokenizer
from espnet_ent.data.transcript import EmotionTranscript
from espnet_ent.data.utterance import Utterance
from espnet_ent.data.worker_pool import worker_pool
from espnet_ent.data.yaml_files import read_yaml
from espnet_ent.errors import ConfigError, DataError
from espnet_ent.export.decoded import write_decoded
from espnet_ent.export.posteriors import FRAME_GRID
from espnet_ent.inference import EmotionTranscriber, InferenceConfig

Progress = Callable[[Iterable[tuple[str, EmotionTranscript]], int], Iterable[tuple[str, EmotionTranscript]]]
"""Wraps the finished utterances as they come, given their number."""


@dataclass(frozen=True)
class DecodingOptions:
    """How to decode, apart from what is found.

    Attributes:
        nj: Parallel processes, on the CPU only.
        num_workers: Threads that read audio ahead, where there is one process; 0: none.
        device: Where to compute.
        batch_size: Utterances that are searched together, of about the same length.
        lm: Directory of a language model's training and its checkpoint's name, for a beam search.
        emotion_text: File of texts by utterance that the utterance head sees in place of what is recognised: the
            reference, as an upper bound, or a corrupted one.
        share: The share of the batches that is decoded, for :func:`espnet_ent.export.merging.merge_decoded`; None: all.
    """

    nj: int = 1
    num_workers: int = 0
    device: str = "cpu"
    batch_size: int = 1
    lm: tuple[str, str] | None = None
    emotion_text: str | None = None
    share: Share | None = None

    def __post_init__(self) -> None:
        for name, least in (("nj", 1), ("num_workers", 0), ("batch_size", 1)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} out of range", expected=f"{least} or more", got=getattr(self, name))


@dataclass(frozen=True)
class DecodingReport:
    """What was decoded, and how long it took.

    Attributes:
        num_utterances: Utterances.
        audio_seconds: Their length together.
        seconds: From the loaded model to the last utterance.
        seconds_by_part: Of ``reading``, ``encoding``, ``search`` and ``emotions``, over all processes.
        num_without_words: Utterances in which no word was found.
        remarks: How many utterances were ``empty``, ``silent`` or ``short``.
    """

    num_utterances: int
    audio_seconds: float
    seconds: float
    seconds_by_part: dict[str, float]
    num_without_words: int
    remarks: dict[str, int]

    def __str__(self) -> str:
        rate = f"RTF {self.seconds / self.audio_seconds:.4f}" if self.audio_seconds else "no audio"
        total = sum(self.seconds_by_part.values())
        shares = {part: spent / total for part, spent in self.seconds_by_part.items()} if total else {}
        parts = ", ".join(f"{part} {100 * share:.0f} %" for part, share in shares.items())
        without = [f"{self.num_without_words} without words"] if self.num_without_words else []
        without += [f"{number} {remark}" for remark, number in sorted(self.remarks.items())]
        counted = f" ({', '.join(without)})" if without else ""
        return (
            f"{self.num_utterances} utterances{counted}, {self.audio_seconds:.0f} s of audio, decoded in "
            f"{self.seconds:.1f} s, {rate}" + (f" ({parts})" if parts else "")
        )


_transcriber: EmotionTranscriber | None = None
_emotion_texts: Mapping[str, tuple[int, ...]] | None = None


def decode_data_dir(
    data: str | Path,
    experiment: str | Path,
    checkpoint: str,
    out: str | Path,
    config: InferenceConfig,
    options: DecodingOptions | None = None,
    progress: Progress | None = None,
) -> DecodingReport | None:
    """Decode all utterances of a data directory; the result does not depend on ``nj`` or ``num_workers``.

    Batches are formed before they are shared among the processes. A batch is searched together: where two outputs of a
    node differ by less than the rounding of float32, which one is taken may depend on ``batch_size``. An utterance
    without audio, without sound or shorter than the shortest gives an empty hypothesis or is lengthened by silence,
    and is counted; none is left out. One without audio counts as neutral, with all emotions equally probable.

    Args:
        data: Kaldi-style data directory, audio at the model's rate.
        experiment: Training output: ``config.yaml`` and checkpoints.
        checkpoint: File name of the checkpoint.
        out: Directory to write (see :mod:`espnet_ent.export.decoded`); of a share, that of the whole.
        config: Options of what is found.
        options: Options of how.
        progress: Wraps the iterable of finished utterances.

    Returns:
        What was done; None if ``out`` already holds the decoding of this data with this checkpoint and these options.
    """
    options = options or DecodingOptions()
    utterances = read_data_dir(data)
    if not utterances:
        raise DataError("no utterance to decode", where=data)
    made_from = _made_from(data, experiment, checkpoint, config, options)
    if is_made_from(out, made_from) and Path(out, FRAME_GRID).is_file():  # earlier versions did not tell it
        return None
    if options.share is not None:
        out, made_from = options.share.folder(out), {**made_from, "share": str(options.share)}
        if is_made_from(out, made_from):
            return None
    transcriber = _load(experiment, checkpoint, config, options)
    emotion_texts = None
    if options.emotion_text is not None:
        _check_reads_text(transcriber)
        emotion_texts = _read_emotion_texts(options.emotion_text, experiment, utterances)
    batches = _batches(utterances, options.batch_size)
    if options.share is not None:
        batches = options.share.of(batches)
        utterances = sorted((utterance for batch in batches for utterance in batch), key=lambda one: one.utt_id)
    begin = time.monotonic()
    results = _Results(_transcribe_all(transcriber, batches, options, emotion_texts))
    found = dict(results if progress is None else progress(results, len(utterances)))
    seconds = time.monotonic() - begin
    in_order = ((utterance.utt_id, found[utterance.utt_id]) for utterance in utterances)
    tells_words = transcriber.model.tells_words
    write_decoded(out, in_order, transcriber.emotions, made_from, transcriber.grid, tells_words)
    return _report(found.values(), seconds, results.seconds, tells_words)


def _report(
    transcripts: Collection[EmotionTranscript], seconds: float, by_part: Mapping[str, float], tells_words: bool
) -> DecodingReport:
    return DecodingReport(
        num_utterances=len(transcripts),
        audio_seconds=sum(transcript.duration for transcript in transcripts),
        seconds=seconds,
        seconds_by_part=dict(by_part),
        num_without_words=sum(not transcript.words for transcript in transcripts) if tells_words else 0,
        remarks=dict(Counter(transcript.remark for transcript in transcripts if transcript.remark)),
    )


def _made_from(
    data: str | Path, experiment: str | Path, checkpoint: str, config: InferenceConfig, options: DecodingOptions
) -> dict[str, object]:
    """What a decoding depends on."""
    made_from: dict[str, object] = {
        "batch_size": options.batch_size,
        "checkpoint": digest_files([Path(experiment) / checkpoint]),
        "config": asdict(config),
        "data": digest_data_dir(data),
        "training": digest_files([Path(experiment) / "config.yaml"]),
    }
    if options.lm is not None:
        made_from["lm"] = digest_files([Path(*options.lm), Path(options.lm[0], "config.yaml")])
    if options.emotion_text is not None:
        made_from[GIVEN_TEXT] = digest_files([Path(options.emotion_text)])
    return made_from


def _load(
    experiment: str | Path, checkpoint: str, config: InferenceConfig, options: DecodingOptions
) -> EmotionTranscriber:
    """The model, with its language model if there is one."""
    transcriber = EmotionTranscriber.from_pretrained(experiment, checkpoint, config, options.device, calibration=False)
    if options.lm is not None:
        from espnet_ent.plugin.language_model import load_lm_scorer

        lm = load_lm_scorer(*options.lm, transcriber.model.tokens, options.device)
        return EmotionTranscriber(transcriber.model, config, options.device, lm)
    return transcriber


def _check_reads_text(transcriber: EmotionTranscriber) -> None:
    if not transcriber.model.reads_text:
        raise ConfigError(
            "the utterance head reads no text: one that is given would change nothing",
            expected="a pooled head beside a transducer, or coattention with the stream text",
            got=type(transcriber.model.utterance_head).__name__,
        )


def _read_emotion_texts(
    path: str | Path, experiment: str | Path, utterances: Sequence[Utterance]
) -> dict[str, tuple[int, ...]]:
    """Labels by utterance of a file of texts, as the model's training made them.

    Raises:
        DataError: If the file is missing, or has no text for an utterance.
    """
    if not Path(path).is_file():
        raise DataError("file is missing", where=path, expected="one line an utterance: <utt> <words>")
    texts = read_table(path)
    missing = [utterance.utt_id for utterance in utterances if utterance.utt_id not in texts]
    if missing:
        raise DataError("utterances have no text", where=path, got=f"{len(missing)}: {' '.join(missing[:5])}")
    training = read_yaml(Path(experiment) / "config.yaml")
    tokens = TokenList.from_config(training["token_list"])
    bpemodel = training.get("bpemodel")
    if bpemodel and Path(experiment, bpemodel).is_file():  # that of a packed model
        bpemodel = str(Path(experiment, bpemodel))
    tokenizer = build_tokenizer(training["token_type"], bpemodel, tokens.symbols)
    return {
        utterance.utt_id: tuple(tokens.encode(tokenizer.text2tokens(texts[utterance.utt_id])).tolist())
        for utterance in utterances
    }


def _batches(utterances: list[Utterance], batch_size: int) -> list[list[Utterance]]:
    """Utterances by length, longest first: those of a batch are about equally long, and the last jobs are short."""
    by_length = sorted(utterances, key=lambda utterance: -(utterance.num_samples or 0))
    return [by_length[start : start + batch_size] for start in range(0, len(by_length), batch_size)]


_Batch = tuple[list[tuple[str, EmotionTranscript]], Counter]
"""Transcripts by utterance, and the seconds that each part of the work took."""


class _Results:
    """Transcripts as they come; adds up the seconds."""

    def __init__(self, batches: Iterator[_Batch]) -> None:
        self.batches = batches
        self.seconds: Counter[str] = Counter(dict.fromkeys(("reading", "encoding", "search", "emotions"), 0.0))

    def __iter__(self) -> Iterator[tuple[str, EmotionTranscript]]:
        for transcripts, seconds in self.batches:
            self.seconds.update(seconds)
            yield from transcripts


def _transcribe_all(
    transcriber: EmotionTranscriber,
    batches: Sequence[list[Utterance]],
    options: DecodingOptions,
    emotion_texts: Mapping[str, tuple[int, ...]] | None,
) -> Iterator[_Batch]:
    """Results as they come."""
    global _transcriber, _emotion_texts
    _transcriber, _emotion_texts = transcriber, emotion_texts
    # One thread: the same sums in the same order for any nj.
    torch.set_num_threads(1)
    if options.nj == 1 or options.device != "cpu":
        for batch, recordings, seconds in _read_ahead(batches, options.num_workers):
            yield _transcribe(batch, recordings, seconds)
        return
    # Forked workers share the loaded model.
    with worker_pool(options.nj) as pool:
        yield from pool.map(_transcribe_batch, batches)


def _read_ahead(
    batches: Sequence[list[Utterance]], num_workers: int
) -> Iterator[tuple[list[Utterance], list[Recording], float]]:
    """Batches with their audio and the seconds that reading took, read in threads while others are decoded."""
    if num_workers == 0:
        yield from ((batch, *_read(batch)) for batch in batches)
        return
    with ThreadPoolExecutor(num_workers) as pool:
        waiting: deque[tuple[list[Utterance], Future]] = deque()
        for batch in batches:
            waiting.append((batch, pool.submit(_read, batch)))
            if len(waiting) > num_workers:
                first, future = waiting.popleft()
                yield (first, *future.result())
        for first, future in waiting:
            yield (first, *future.result())


def _transcribe_batch(batch: list[Utterance]) -> _Batch:
    return _transcribe(batch, *_read(batch))


def _transcribe(batch: list[Utterance], recordings: list[Recording], seconds: float) -> _Batch:
    assert _transcriber is not None
    _transcriber.seconds.clear()
    texts = None if _emotion_texts is None else [_emotion_texts[utterance.utt_id] for utterance in batch]
    transcripts = _transcriber.transcribe_recordings(recordings, texts)
    spent = Counter(_transcriber.seconds)
    spent["reading"] += seconds
    emotion = None if _transcriber.model.utterance_head is None else _transcriber.emotions.neutral
    transcripts = [_of_nothing(one, emotion) if one.remark == "empty" else one for one in transcripts]
    named = [(utterance.utt_id, transcript) for utterance, transcript in zip(batch, transcripts, strict=True)]
    return named, spent


def _of_nothing(transcript: EmotionTranscript, emotion: str | None) -> EmotionTranscript:
    """What stands for an utterance without a sample in a decoded set: the given emotion, and all equally probable."""
    size = len(transcript.emotions)
    uniform = np.full(size, 1 / size, np.float32)
    return replace(
        transcript,
        emotion=emotion,
        posteriors=None if emotion is None else uniform,
        frame_posteriors=None if transcript.frame_posteriors is None else uniform[None],
    )


def _read(batch: list[Utterance]) -> tuple[list[Recording], float]:
    """Recordings, read already unless they are longer than a window, and how long that took."""
    assert _transcriber is not None
    begin = time.perf_counter()
    rate, recordings = _transcriber.grid.sample_rate, []
    for utterance in batch:
        recording = Recording.of_file(utterance.audio, rate, start=utterance.start, end=utterance.end)
        if recording.num_samples <= rate * _transcriber.config.window_seconds:
            recording = Recording.of_samples(recording.read(0, recording.num_samples))
        recordings.append(recording)
    return recordings, time.perf_counter() - begin
