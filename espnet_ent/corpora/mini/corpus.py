"""Make the mini corpus: plan it, speak it, write it in the layouts of IEMOCAP and ZED."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

from espnet_ent.corpora.mini.acoustics import SAMPLE_RATE, Recording, render, to_phrase
from espnet_ent.corpora.mini.layouts import (
    IEMOCAP_ROOT,
    SpokenUtterance,
    audio_path,
    write_iemocap,
    write_zed,
)
from espnet_ent.corpora.mini.plan import MiniSize, PlannedUtterance, plan_corpus
from espnet_ent.corpora.mini.synthesis import Synthesizer
from espnet_ent.data.atomic import atomic_directory
from espnet_ent.data.provenance import is_made_from, write_provenance

CORPUS_VERSION = 1
"""Raised with every change of what a seed gives."""

Progress = Callable[[Iterable], Iterable]


def make_mini_corpus(
    out: str | Path,
    seed: int = 1,
    nj: int = 1,
    size: MiniSize | None = None,
    progress: Progress = iter,
) -> bool:
    """Write ``IEMOCAP_mini``, ``ZED_mini_dev`` and ``ZED_mini_test`` below ``out``.

    The same seed and size give byte-identical trees, whatever ``nj`` is.

    Args:
        out: Directory to make; it appears only when it is complete.
        seed: Seed of sentences, speakers, prosody and noise.
        nj: Number of parallel processes.
        size: How much to make.
        progress: Wraps the iterable of finished utterances, e.g. ``tqdm``.

    Returns:
        False if ``out`` already holds this very corpus and nothing was done.

    Raises:
        DataError: If eSpeak NG is not installed or fails.
    """
    out, size = Path(out), size or MiniSize()
    description = {"version": CORPUS_VERSION, "seed": seed, "size": asdict(size)}
    if is_made_from(out, description):
        return False
    planned = plan_corpus(seed, size)
    with atomic_directory(out) as root:
        for utterance in planned:
            (root / audio_path(utterance)).parent.mkdir(parents=True, exist_ok=True)
        spoken = _speak_all(planned, root, seed, nj, progress)
        write_iemocap(root, [u for u in spoken if u.planned.group[0].startswith("Session")])
        for part in ("ZED_mini_dev", "ZED_mini_test"):
            write_zed(root, part, [u for u in spoken if u.planned.group[0] == part])
        write_provenance(root, description)
    return True


def _speak_all(
    planned: list[PlannedUtterance], root: Path, seed: int, nj: int, progress: Progress
) -> list[SpokenUtterance]:
    job = partial(_speak_one, root=root, seed=seed)
    context = multiprocessing.get_context("fork")
    with context.Pool(max(1, nj), initializer=_start_worker) as pool:
        return list(progress(pool.imap(job, planned, chunksize=8)))


_synthesizer: Synthesizer | None = None


def _start_worker() -> None:
    global _synthesizer
    _synthesizer = Synthesizer()


def _speak_one(planned: PlannedUtterance, root: Path, seed: int) -> SpokenUtterance:
    assert _synthesizer is not None
    recording = speak_utterance(planned, _synthesizer, seed)
    path = root / audio_path(planned)
    soundfile.write(path, recording.samples, SAMPLE_RATE, subtype="PCM_16")
    return SpokenUtterance(planned, len(recording.samples), recording.boundaries)


def speak_utterance(planned: PlannedUtterance, synthesizer: Synthesizer, seed: int) -> Recording:
    """The recording of a planned utterance; depends on the utterance and the seed alone."""
    phrases = [to_phrase(planned.speaker, phrase) for phrase in planned.phrases]
    samples = synthesizer.speak(phrases)
    rng = np.random.default_rng([seed, *planned.utt_id.encode()])
    return render(planned.speaker, planned.phrases, samples, synthesizer.sample_rate, rng)


__all__ = ["CORPUS_VERSION", "IEMOCAP_ROOT", "MiniSize", "make_mini_corpus", "speak_utterance"]
