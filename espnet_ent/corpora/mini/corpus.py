"""Make a mini corpus: plan it, speak it, write it in the layouts of IEMOCAP and ZED, or in that of MSP-IMPROV."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
import soxr

from espnet_ent.corpora.mini import layouts, msp_improv
from espnet_ent.corpora.mini.acoustics import SAMPLE_RATE, Recording, render, to_phrase
from espnet_ent.corpora.mini.emotion_words import EmotionCues, with_emotion_words
from espnet_ent.corpora.mini.layouts import IEMOCAP_ROOT, Layout, SpokenUtterance
from espnet_ent.corpora.mini.plan import MiniSize, PlannedUtterance
from espnet_ent.corpora.mini.synthesis import Synthesizer
from espnet_ent.data.atomic import atomic_directory
from espnet_ent.data.provenance import is_made_from, write_provenance
from espnet_ent.data.worker_pool import worker_pool
from espnet_ent.errors import ConfigError

CORPUS_VERSION = 2
"""Raised with every change of what a seed gives."""

LAYOUTS: dict[str, Layout] = {"iemocap_zed": layouts.IEMOCAP_ZED, "msp_improv": msp_improv.MSP_IMPROV}

Progress = Callable[[Iterable], Iterable]


def make_mini_corpus(
    out: str | Path,
    seed: int = 1,
    nj: int = 1,
    size: MiniSize | None = None,
    progress: Progress = iter,
    layout: str = "iemocap_zed",
    cues: EmotionCues | None = None,
) -> bool:
    """Write ``IEMOCAP_mini``, ``ZED_mini_dev`` and ``ZED_mini_test``, or ``MSP-IMPROV_mini``, below ``out``.

    The same seed and size give byte-identical trees, whatever ``nj`` is.

    Args:
        out: Directory to make; it appears only when it is complete.
        seed: Seed of sentences, speakers, prosody and noise.
        nj: Number of parallel processes.
        size: How much to make.
        progress: Wraps the iterable of finished utterances, e.g. ``tqdm``.
        layout: ``iemocap_zed`` or ``msp_improv``; they share no speaker and no sentence.
        cues: Put a part of the emotion into the words; None: words tell nothing about it.

    Returns:
        False if ``out`` already holds this very corpus and nothing was done.

    Raises:
        ConfigError: If there is no such layout, or it has no room for the size.
        DataError: If eSpeak NG is not installed or fails.
    """
    out, size = Path(out), size or MiniSize()
    if layout not in LAYOUTS:
        raise ConfigError("unknown layout", expected=" | ".join(LAYOUTS), got=repr(layout))
    description = {"version": CORPUS_VERSION, "seed": seed, "size": asdict(size)}
    if layout != "iemocap_zed":
        description["layout"] = layout
    if cues is not None:
        description["cues"] = asdict(cues)
    if is_made_from(out, description):
        return False
    planned = LAYOUTS[layout].plan(seed, size)
    if cues is not None:
        planned = with_emotion_words(planned, cues, seed)
    with atomic_directory(out) as root:
        for utterance in planned:
            (root / LAYOUTS[layout].audio_path(utterance)).parent.mkdir(parents=True, exist_ok=True)
        spoken = _speak_all(planned, root, seed, nj, progress, layout)
        LAYOUTS[layout].write(root, spoken)
        write_provenance(root, description)
    return True


def _speak_all(
    planned: list[PlannedUtterance], root: Path, seed: int, nj: int, progress: Progress, layout: str
) -> list[SpokenUtterance]:
    job = partial(_speak_one, root=root, seed=seed, layout=layout)
    with worker_pool(nj, _start_worker) as pool:
        return list(progress(pool.map(job, planned, chunksize=8)))


_synthesizer: Synthesizer | None = None


def _start_worker() -> None:
    global _synthesizer
    _synthesizer = Synthesizer()


def _speak_one(planned: PlannedUtterance, root: Path, seed: int, layout: str) -> SpokenUtterance:
    assert _synthesizer is not None
    recording = speak_utterance(planned, _synthesizer, seed)
    samples, sample_rate = recording.samples, LAYOUTS[layout].sample_rate
    if sample_rate != SAMPLE_RATE:
        samples = np.clip(soxr.resample(samples, SAMPLE_RATE, sample_rate), -1.0, 1.0)
    soundfile.write(root / LAYOUTS[layout].audio_path(planned), samples, sample_rate, subtype="PCM_16")
    return SpokenUtterance(planned, len(recording.samples), recording.boundaries, recording.words)


def speak_utterance(planned: PlannedUtterance, synthesizer: Synthesizer, seed: int) -> Recording:
    """The recording of a planned utterance; depends on the utterance and the seed alone."""
    phrases = [to_phrase(planned.speaker, phrase) for phrase in planned.phrases]
    sounds = synthesizer.speak(phrases)
    rng = np.random.default_rng([seed, *planned.utt_id.encode()])
    return render(planned.speaker, planned.phrases, sounds, synthesizer.sample_rate, rng)


__all__ = ["CORPUS_VERSION", "IEMOCAP_ROOT", "LAYOUTS", "MiniSize", "make_mini_corpus", "speak_utterance"]
