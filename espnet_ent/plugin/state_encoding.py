"""The states of a frozen encoder for the utterances of a data directory, written into a feature cache (stage 9)."""

from __future__ import annotations

import contextlib
import math
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from espnet_ent.data.audio import read_audio
from espnet_ent.data.cached_set import describe_data, is_cached, write_cached_set
from espnet_ent.data.datadir import read_data_dir
from espnet_ent.data.shares import Share
from espnet_ent.data.state_store import StateStore, UtteranceStates, audio_digest, encoder_digest
from espnet_ent.data.utterance import Utterance
from espnet_ent.data.worker_pool import worker_pool
from espnet_ent.encoders.layer_states import LayerStates
from espnet_ent.encoders.ssl import SSLEncoder
from espnet_ent.errors import ConfigError, DataError, LossInputError
from espnet_ent.frames import samples_to_seconds
from espnet_ent.plugin.asr_encoder import ASREncoder
from espnet_ent.plugin.encoders import FeatureEncoder
from espnet_ent.plugin.feature_cache import states_depend_on
from espnet_ent.plugin.locking import exclusive, shared
from espnet_ent.plugin.progress import progress_bar

_ARK_BYTES = 64 << 20  # about; an ark holds one utterance at least, and is lost as a whole by a kill


@dataclass(frozen=True)
class CachingOptions:
    """How to write a feature cache.

    Attributes:
        dtype: ``float16`` or ``float32``.
        nj: Parallel processes; with a device other than ``cpu`` one is used.
        device: Where to encode.
        share: The share of the utterances that is encoded, beside other processes that encode theirs; None: all.
    """

    dtype: str = "float16"
    nj: int = 1
    device: str = "cpu"
    share: Share | None = None


@dataclass(frozen=True)
class CachingReport:
    """What was done.

    Attributes:
        num_utterances: Utterances of the set.
        num_encoded: Recordings that were not in the store yet.
        store: Folder of the encoder's states.
    """

    num_utterances: int
    num_encoded: int
    store: Path

    def __str__(self) -> str:
        return f"{self.num_utterances} utterances, {self.num_encoded} recordings encoded into {self.store}"


@dataclass(frozen=True)
class _Recording:
    """Audio that an utterance, or several, are made of."""

    utterance: Utterance
    audio: str  # digest
    num_samples: int


_encoder: ASREncoder | SSLEncoder | None = None
_store: StateStore | None = None
_device = "cpu"


def cache_data_dir(
    data: str | Path,
    out: str | Path,
    root: str | Path,
    encoder: FeatureEncoder | ASREncoder | SSLEncoder,
    options: CachingOptions | None = None,
    tell: Callable[[str], None] | None = None,
) -> CachingReport | None:
    """Encode the utterances of a data directory that are not encoded yet, one by one.

    Sets, folds and copies of a recording share states, which are found by samples. What is read does not depend on
    ``nj``, nor on how often the work was interrupted.

    Args:
        data: Data directory, audio at the encoder's rate.
        out: Folder to write: ``states.scp`` and what it was made from.
        root: Folder of all stores.
        encoder: A frozen encoder.
        options: How.
        tell: Takes lines for the user; None: they are printed.

    Returns:
        What was done; None if ``out`` was made from just this before and was left alone. A share fills the store alone.

    Raises:
        ConfigError: If the encoder's states can't be cached, or the disk has not enough room.
        DataError: If audio is faulty or too short for the encoder.
    """
    options, tell = options or CachingOptions(), tell or partial(print, flush=True)
    store = StateStore(root, states_depend_on(encoder), options.dtype)
    made_from = {
        **describe_data(data),
        "data_dir": str(data),
        "dtype": options.dtype,
        "encoder": encoder_digest(store.depends_on),
    }
    if is_cached(out, made_from):
        return None
    utterances = read_data_dir(data)
    if not utterances:
        raise DataError("no utterance to encode", where=data)
    is_whole = options.share is None
    utterances = utterances if options.share is None else list(options.share.of(utterances))
    _set_up(encoder, store, options.device)
    with exclusive(store.path, wait=True) if is_whole else shared(store.path), _mapper(options) as run:
        store.describe()
        for path in store.remove_useless() if is_whole else ():
            tell(f"{path}: damaged or without its states, which are computed again")
        recordings = list(run(_look_at, utterances))
        known, _ = store.entries()
        missing = [*{recording.audio: recording for recording in recordings if recording.audio not in known}.values()]
        jobs = _share_out(missing, encoder, options.dtype)
        _check_room(store.path, sum(size for _, size in jobs), missing, encoder.grid.sample_rate, tell)
        for _ in progress_bar(run(_encode_ark, [job for job, _ in jobs]), jobs, "encoding"):
            pass
        if is_whole:
            found, _ = store.entries()
            entries = [(recording.utterance.utt_id, found[recording.audio]) for recording in recordings]
            write_cached_set(out, entries, made_from)
    return CachingReport(len(utterances), len(missing), store.path)


def encode_utterance(encoder: ASREncoder | SSLEncoder, samples: torch.Tensor) -> LayerStates:
    """States of samples (N,), which no padding has touched, as a batch of one."""
    with torch.no_grad():
        return encoder.layer_states(samples.unsqueeze(0), torch.tensor([len(samples)], device=samples.device))


def _set_up(encoder: ASREncoder | SSLEncoder, store: StateStore, device: str) -> None:
    """What forked processes share."""
    global _encoder, _store, _device
    _encoder, _store, _device = encoder.to(device).eval(), store, device
    torch.set_num_threads(1)  # the same sums in the same order for any nj


@contextlib.contextmanager
def _mapper(options: CachingOptions) -> Iterator[Callable[[Callable, Sequence], Iterable]]:
    """A function like ``map``, in order, over processes that share the encoder."""
    if options.nj == 1 or options.device != "cpu":
        yield map
        return
    with worker_pool(options.nj) as pool:
        yield pool.map


def _look_at(utterance: Utterance) -> _Recording:
    samples = _read(utterance)
    return _Recording(utterance, audio_digest(samples), len(samples))


def _read(utterance: Utterance) -> np.ndarray:
    assert _encoder is not None
    rate = _encoder.grid.sample_rate
    return read_audio(utterance.audio, rate, start=utterance.start, end=utterance.end)


def _encode_ark(recordings: Sequence[_Recording]) -> None:
    assert _encoder is not None
    assert _store is not None
    found = []
    for recording in recordings:
        samples = _read(recording.utterance)
        try:
            states = encode_utterance(_encoder, torch.from_numpy(samples).to(_device))
        except LossInputError as error:
            raise DataError(
                error.what,
                where=recording.utterance.utt_id,
                expected=error.expected,
                got=error.got,
                next_step=error.next_step,
            ) from error
        layers = torch.stack([layer[0, : int(states.lengths)] for layer in states.layers], dim=1)
        local = states.local[0, : int(states.local_lengths)]
        arrays = UtteranceStates(layers.cpu().numpy(), local.cpu().numpy(), len(samples))
        found.append((recording.utterance.utt_id, recording.audio, arrays))
    _store.write(found)


def _share_out(
    missing: Sequence[_Recording], encoder: ASREncoder | SSLEncoder, dtype: str
) -> list[tuple[list[_Recording], int]]:
    """Recordings in order, as many as make an ark, and how many bytes that is at most, but for names."""
    jobs: list[tuple[list[_Recording], int]] = []
    per_frame = _bytes_per_frame(encoder, dtype) if missing else 0
    for recording in missing:
        size = per_frame * math.ceil(recording.num_samples / encoder.grid.samples_per_frame)
        if not jobs or jobs[-1][1] + size > _ARK_BYTES:
            jobs.append(([], 0))
        members, total = jobs.pop()
        jobs.append(([*members, recording], total + size))
    return jobs


def _bytes_per_frame(encoder: ASREncoder | SSLEncoder, dtype: str) -> int:
    """Of states and local features, as a second of silence has them."""
    silence = torch.zeros(encoder.grid.sample_rate, device=_device)
    found = encode_utterance(encoder, silence)
    rows = math.ceil(int(found.local_lengths) / int(found.lengths))
    values = sum(layer.size(-1) for layer in found.layers) + rows * found.local.size(-1)
    return values * np.dtype(dtype).itemsize


def _check_room(store: Path, needed: int, missing: Sequence[_Recording], rate: int, tell: Callable) -> None:
    if not missing:
        return
    free = shutil.disk_usage(store).free
    seconds = samples_to_seconds(sum(recording.num_samples for recording in missing), rate)
    told = f"{len(missing)} recordings of {seconds:.0f} s take about {_megabytes(needed)}"
    tell(f"{store}: {told}, {_megabytes(free)} are free")
    if needed > free:
        raise ConfigError(
            "the disk has not enough room for the feature cache",
            where=store,
            expected=_megabytes(needed),
            got=_megabytes(free),
            next_step="free space, or give another --feature_cache_dir",
        )


def _megabytes(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:.1f} MB"
