"""How hard is a corpus? What simple classifiers reach on the same train and test sets.

Three yardsticks that every emotion result should stand beside: the majority class, a classifier that only
reads the words, and one that only hears utterance-level prosody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from espnet_ent.data.audio import read_audio
from espnet_ent.data.datadir import read_data_dir
from espnet_ent.data.pitch import track_f0
from espnet_ent.errors import DataError
from espnet_ent.labels import EmotionInventory

_FRAME_PERIOD_MS = 10.0
_F0_FLOOR, _F0_CEILING = 60.0, 500.0
_ENERGY_FLOOR = 1e-8
_NUCLEUS_SPACING_FRAMES = 8  # syllable nuclei lie at least 80 ms apart


@dataclass(frozen=True)
class EmotionSample:
    """An utterance as the yardsticks see it.

    Attributes:
        samples: float32 (num_samples,).
        text: Transcript.
        emotion: Class index.
    """

    samples: np.ndarray
    text: str
    emotion: int


def read_emotion_samples(data: str | Path, emotions: EmotionInventory, sample_rate: int) -> list[EmotionSample]:
    """Read a data directory with audio, ``text`` and ``utt2emo``.

    Raises:
        DataError: If text or emotions are missing, or the directory is faulty.
    """
    samples = []
    for utterance in read_data_dir(data):
        if utterance.text is None or utterance.emotion is None:
            raise DataError("text or utt2emo is missing", where=data)
        audio = read_audio(utterance.audio, sample_rate, start=utterance.start, end=utterance.end)
        label = emotions.index(utterance.emotion, where=utterance.utt_id)
        samples.append(EmotionSample(audio, utterance.text, label))
    return samples


def prosody_features(samples: np.ndarray, sample_rate: int, text: str) -> np.ndarray:
    """Means and standard deviations of F0, energy and rate over an utterance.

    Args:
        samples: float32 (num_samples,).
        sample_rate: Samples a second.
        text: Transcript, for the speaking rate.

    Returns:
        float64 (7,): mean and sd of log F0 over voiced frames, mean and sd of the frame energy in dB, letters a
        second, mean and sd of the seconds between syllable nuclei.
    """
    from scipy.signal import find_peaks

    signal = samples.astype(np.float64)
    f0 = track_f0(signal, sample_rate, _FRAME_PERIOD_MS / 1000, _F0_FLOOR, _F0_CEILING)
    log_f0 = np.log(f0[f0 > 0]) if np.any(f0 > 0) else np.array([np.log(_F0_FLOOR)])
    hop = int(sample_rate * _FRAME_PERIOD_MS / 1000)
    frames = signal[: len(signal) // hop * hop].reshape(-1, hop)
    energy = 10 * np.log10(np.mean(frames**2, axis=1) + _ENERGY_FLOOR)
    smooth = np.convolve(energy, np.ones(5) / 5, mode="same")
    nuclei, _ = find_peaks(smooth, distance=_NUCLEUS_SPACING_FRAMES, prominence=2.0)
    gaps = np.diff(nuclei) * _FRAME_PERIOD_MS / 1000 if len(nuclei) > 2 else np.zeros(1)
    letters_per_second = len(text.replace(" ", "")) / (len(signal) / sample_rate)
    features = [log_f0.mean(), log_f0.std(), energy.mean(), energy.std(), letters_per_second]
    return np.array([*features, gaps.mean(), gaps.std()])


def measure_difficulty(
    train: Sequence[EmotionSample],
    test: Sequence[EmotionSample],
    sample_rate: int,
    progress: Callable[[Iterable], Iterable] = iter,
) -> dict[str, dict[str, float]]:
    """Weighted and unweighted accuracy of the three yardsticks on ``test``.

    Args:
        train: Utterances to fit on.
        test: Utterances to score.
        sample_rate: Samples a second of all utterances.
        progress: Wraps an iterable, e.g. ``tqdm``.

    Returns:
        ``{"majority" | "text_only" | "prosody": {"wa": ..., "ua": ...}}``, as fractions.

    Raises:
        DataError: If ``train`` holds fewer than two classes or ``test`` is empty.
    """
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import accuracy_score, balanced_accuracy_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    train_labels = np.array([sample.emotion for sample in train])
    test_labels = np.array([sample.emotion for sample in test])
    if len(np.unique(train_labels)) < 2 or len(test_labels) == 0:
        raise DataError(
            "the yardsticks need two emotions in training and a test set",
            got=f"{len(np.unique(train_labels))} classes, {len(test_labels)} test utterances",
        )

    def hear(part: Sequence[EmotionSample]) -> np.ndarray:
        return np.stack([prosody_features(s.samples, sample_rate, s.text) for s in progress(part)])

    def score(predictions: np.ndarray) -> dict[str, float]:
        return {
            "wa": float(accuracy_score(test_labels, predictions)),
            "ua": float(balanced_accuracy_score(test_labels, predictions)),
        }

    classes, counts = np.unique(train_labels, return_counts=True)
    reader = make_pipeline(CountVectorizer(ngram_range=(1, 2)), LogisticRegression(max_iter=2000))
    reader.fit([sample.text for sample in train], train_labels)
    listener = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    listener.fit(hear(train), train_labels)
    return {
        "majority": score(np.full(len(test_labels), classes[counts.argmax()])),
        "text_only": score(reader.predict([sample.text for sample in test])),
        "prosody": score(listener.predict(hear(test))),
    }
