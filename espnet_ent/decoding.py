"""Decode a data directory with a trained model (stage 12)."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from itertools import chain
from pathlib import Path

import torch

from espnet_ent.data.audio import read_audio
from espnet_ent.data.datadir import read_data_dir
from espnet_ent.data.provenance import digest_data_dir, digest_files, is_made_from
from espnet_ent.data.transcript import EmotionTranscript
from espnet_ent.data.utterance import Utterance
from espnet_ent.errors import ConfigError
from espnet_ent.export.decoded import write_decoded
from espnet_ent.export.posteriors import FRAME_GRID
from espnet_ent.inference import EmotionTranscriber, InferenceConfig

Progress = Callable[[Iterable], Iterable]

_transcriber: EmotionTranscriber | None = None


def decode_data_dir(
    data: str | Path,
    experiment: str | Path,
    checkpoint: str,
    out: str | Path,
    config: InferenceConfig,
    nj: int = 1,
    device: str = "cpu",
    batch_size: int = 1,
    progress: Progress = iter,
) -> int | None:
    """Decode all utterances of a data directory; the result does not depend on ``nj``.

    Batches are formed before they are shared among the processes. A batch is searched together: where two outputs of a
    node differ by less than the rounding of float32, which one is taken may depend on ``batch_size``.

    Args:
        data: Kaldi-style data directory, audio at the model's rate.
        experiment: Training output: ``config.yaml`` and checkpoints.
        checkpoint: File name of the checkpoint.
        out: Directory to write (see :mod:`espnet_ent.export.decoded`).
        config: Options of decoding.
        nj: Parallel processes, on the CPU only.
        device: Where to compute.
        batch_size: Utterances that are searched together, of about the same length.
        progress: Wraps the iterable of finished utterances.

    Returns:
        The number of utterances; None if ``out`` already holds the decoding of this data with this
        checkpoint and these options.
    """
    if batch_size < 1:
        raise ConfigError("batch_size out of range", expected="1 or more", got=batch_size)
    utterances = read_data_dir(data)
    made_from = {
        "batch_size": batch_size,
        "checkpoint": digest_files([Path(experiment) / checkpoint]),
        "config": asdict(config),
        "data": digest_data_dir(data),
    }
    if is_made_from(out, made_from) and Path(out, FRAME_GRID).is_file():  # earlier versions did not tell it
        return None
    transcriber = EmotionTranscriber.from_pretrained(experiment, checkpoint, config, device, calibration=False)
    batches = _batches(utterances, batch_size)
    found = dict(progress(_transcribe_all(transcriber, batches, nj if device == "cpu" else 1)))
    in_order = ((utterance.utt_id, found[utterance.utt_id]) for utterance in utterances)
    return write_decoded(out, in_order, transcriber.emotions, made_from, transcriber.grid)


def _batches(utterances: list[Utterance], batch_size: int) -> list[list[Utterance]]:
    """Utterances by length, longest first: those of a batch are about equally long, and the last jobs are short."""
    by_length = sorted(utterances, key=lambda utterance: -(utterance.num_samples or 0))
    return [by_length[start : start + batch_size] for start in range(0, len(by_length), batch_size)]


def _transcribe_all(
    transcriber: EmotionTranscriber, batches: list[list[Utterance]], nj: int
) -> Iterator[tuple[str, EmotionTranscript]]:
    """Results as they come."""
    global _transcriber
    _transcriber = transcriber
    # One thread: the same sums in the same order for any nj.
    torch.set_num_threads(1)
    if nj <= 1:
        yield from chain.from_iterable(map(_transcribe_batch, batches))
        return
    # Forked workers share the loaded model.
    with ProcessPoolExecutor(nj, mp_context=multiprocessing.get_context("fork")) as pool:
        yield from chain.from_iterable(pool.map(_transcribe_batch, batches))


def _transcribe_batch(batch: list[Utterance]) -> list[tuple[str, EmotionTranscript]]:
    assert _transcriber is not None
    rate = _transcriber.grid.sample_rate
    samples = [read_audio(utterance.audio, rate, start=utterance.start, end=utterance.end) for utterance in batch]
    transcripts = _transcriber.transcribe_batch(samples)
    return [(utterance.utt_id, transcript) for utterance, transcript in zip(batch, transcripts, strict=True)]
