"""Dump audio in one format (stage 3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import kaldiio
import numpy as np

from espnet_ent.data.atomic import atomic_directory
from espnet_ent.data.audio import read_audio, to_pcm16, write_pcm16
from espnet_ent.data.datadir import read_data_dir, write_tables
from espnet_ent.data.provenance import digest_audio, digest_data_dir, is_made_from, write_provenance
from espnet_ent.data.utterance import Utterance
from espnet_ent.data.worker_pool import worker_pool
from espnet_ent.errors import ConfigError

AUDIO_FORMATS = ("flac", "wav", "flac.ark", "wav.ark")
_SHARD = 500  # utterances of one ark file; independent of the number of jobs

Progress = Callable[[Iterable], Iterable]


@dataclass(frozen=True)
class _Target:
    temporary: Path  # where files are written
    final: Path  # where they lie once the directory is whole
    audio_format: str
    sample_rate: int
    resample: bool


def format_data_dir(
    data: str | Path,
    out: str | Path,
    audio_format: str = "flac",
    sample_rate: int = 16000,
    nj: int = 1,
    progress: Progress = iter,
    *,
    resample: bool = False,
) -> bool:
    """Write a data directory with its audio as 16-bit files or arks below it; segments are cut out.

    The result does not depend on ``nj``. Audio lies in ``<out>/audio``, and ``wav.scp`` names it as ``out`` was given.

    Args:
        data: Data directory.
        out: Directory to make.
        audio_format: ``flac``, ``wav``, ``flac.ark`` or ``wav.ark``.
        sample_rate: Samples a second.
        nj: Parallel processes.
        progress: Wraps the iterable of finished utterances or shards.
        resample: Convert audio of another rate, which is an error otherwise.

    Returns:
        False if ``out`` was made from just this before and was left alone.

    Raises:
        ConfigError: If the format is unknown.
        DataError: If the data directory or its audio is faulty.
    """
    if audio_format not in AUDIO_FORMATS:
        raise ConfigError("unknown audio_format", expected=" | ".join(AUDIO_FORMATS), got=audio_format)
    data, out = Path(data), Path(out)
    utterances = read_data_dir(data)
    made_from = {
        "data": digest_data_dir(data),
        "audio": digest_audio(utterance.audio for utterance in utterances),
        "audio_format": audio_format,
        "fs": sample_rate,
        "resample": resample,
    }
    if is_made_from(out, made_from):
        return False
    with atomic_directory(out) as root:
        (root / "audio").mkdir()
        target = _Target(root / "audio", out / "audio", audio_format, sample_rate, resample)
        if audio_format.endswith(".ark"):
            shards = [utterances[i : i + _SHARD] for i in range(0, len(utterances), _SHARD)]
            jobs: Sequence = list(enumerate(shards, 1))
            work = partial(_write_shard, target=target)
        else:
            jobs, work = utterances, partial(_write_file, target=target)
        with worker_pool(nj) as pool:
            groups = list(progress(pool.map(work, jobs, chunksize=1 if len(jobs) < 16 else 8)))
        write_tables(root, [utterance for group in groups for utterance in group])
        (root / "feats_type").write_text("raw\n")
        (root / "audio_format").write_text(f"{audio_format}\n")
        write_provenance(root, made_from)
    return True


def _read(utterance: Utterance, target: _Target) -> np.ndarray:
    return read_audio(
        utterance.audio, target.sample_rate, resample=target.resample, start=utterance.start, end=utterance.end
    )


def _write_file(utterance: Utterance, target: _Target) -> list[Utterance]:
    samples = _read(utterance, target)
    name = f"{utterance.utt_id}.{target.audio_format}"
    write_pcm16(target.temporary / name, samples, target.sample_rate, target.audio_format)
    return [_dumped(utterance, str(target.final / name), len(samples))]


def _write_shard(job: tuple[int, Sequence[Utterance]], target: _Target) -> list[Utterance]:
    number, utterances = job
    name = f"data_{number}.{target.audio_format}"
    options = {"format": target.audio_format.removesuffix(".ark"), "subtype": "PCM_16"}
    dumped = []
    with (target.temporary / name).open("wb") as ark:
        for utterance in utterances:
            samples = _read(utterance, target)
            offset = ark.tell() + len(f"{utterance.utt_id} ".encode())
            entry = {utterance.utt_id: (target.sample_rate, to_pcm16(samples))}
            kaldiio.save_ark(ark, entry, write_function="soundfile", write_kwargs=options)
            dumped.append(_dumped(utterance, f"{target.final / name}:{offset}", len(samples)))
    return dumped


def _dumped(utterance: Utterance, audio: str, num_samples: int) -> Utterance:
    return replace(utterance, audio=audio, start=None, end=None, num_samples=num_samples)
