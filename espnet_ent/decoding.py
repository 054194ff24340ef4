"""Decode a data directory with a trained model (stage 12)."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

import torch

from espnet_ent.data.audio import read_audio
from espnet_ent.data.datadir import read_data_dir
from espnet_ent.data.provenance import digest_data_dir, digest_files, is_made_from
from espnet_ent.data.transcript import EmotionTranscript
from espnet_ent.data.utterance import Utterance
from espnet_ent.export.decoded import write_decoded
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
    progress: Progress = iter,
) -> int | None:
    """Decode all utterances of a data directory; the result does not depend on ``nj``.

    Args:
        data: Kaldi-style data directory, audio at the model's rate.
        experiment: Training output: ``config.yaml`` and checkpoints.
        checkpoint: File name of the checkpoint.
        out: Directory to write (see :mod:`espnet_ent.export.decoded`).
        config: Options of decoding.
        nj: Parallel processes, on the CPU only.
        device: Where to compute.
        progress: Wraps the iterable of finished utterances.

    Returns:
        The number of utterances; None if ``out`` already holds the decoding of this data with this
        checkpoint and these options.
    """
    utterances = read_data_dir(data)
    made_from = {
        "checkpoint": digest_files([Path(experiment) / checkpoint]),
        "config": asdict(config),
        "data": digest_data_dir(data),
    }
    if is_made_from(out, made_from):
        return None
    transcriber = EmotionTranscriber.from_pretrained(experiment, checkpoint, config, device)
    transcripts = _transcribe_all(transcriber, utterances, nj if device == "cpu" else 1)
    return write_decoded(out, progress(transcripts), transcriber.emotions, made_from)


def _transcribe_all(
    transcriber: EmotionTranscriber, utterances: list[Utterance], nj: int
) -> Iterator[tuple[str, EmotionTranscript]]:
    global _transcriber
    _transcriber = transcriber
    # One thread: the same sums in the same order for any nj.
    torch.set_num_threads(1)
    if nj <= 1:
        yield from map(_transcribe_one, utterances)
        return
    # Forked workers share the loaded model.
    with ProcessPoolExecutor(nj, mp_context=multiprocessing.get_context("fork")) as pool:
        yield from pool.map(_transcribe_one, utterances, chunksize=4)


def _transcribe_one(utterance: Utterance) -> tuple[str, EmotionTranscript]:
    assert _transcriber is not None
    rate = _transcriber.grid.sample_rate
    samples = read_audio(utterance.audio, rate, start=utterance.start, end=utterance.end)
    return utterance.utt_id, _transcriber.transcribe(samples)
