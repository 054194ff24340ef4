import numpy as np
import pytest

from espnet_ent.errors import DataError
from espnet_ent.metrics.difficulty import EmotionSample, measure_difficulty, prosody_features

RATE = 16000


def voice(pitch, level, seconds=0.8, seed=0):
    """Harmonics of a pitch with syllable-like bursts."""
    time = np.arange(int(RATE * seconds)) / RATE
    tone = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 6))
    bursts = 0.55 + 0.45 * np.sin(2 * np.pi * 4 * time)
    hiss = 1e-4 * np.random.default_rng(seed).standard_normal(len(time))
    return (level * tone * bursts + hiss).astype(np.float32)


def test_features_follow_pitch_and_energy():
    low, high = (prosody_features(voice(pitch, 0.1), RATE, "A WORD") for pitch in (110, 220))
    assert high[0] - low[0] == pytest.approx(np.log(2), abs=0.03)
    quiet, loud = (prosody_features(voice(150, level), RATE, "A WORD") for level in (0.05, 0.1))
    assert loud[2] - quiet[2] == pytest.approx(20 * np.log10(2), abs=0.1)


def test_features_of_silence_are_finite():
    assert np.all(np.isfinite(prosody_features(np.zeros(4000, np.float32), RATE, "A")))


def corpus(num, told_by, seed=0):
    rng = np.random.default_rng(seed)
    samples = []
    for index in range(num):
        emotion = index % 2
        heard = emotion if told_by == "prosody" else int(rng.integers(2))
        read = emotion if told_by == "text" else int(rng.integers(2))
        sound = voice(120 + 80 * heard + rng.normal(0, 3), 0.1, seed=index)
        samples.append(EmotionSample(sound, ("BAD NEWS", "GOOD DAY")[read], emotion))
    return samples


@pytest.mark.parametrize(("told_by", "silent"), [("text", "prosody"), ("prosody", "text_only")])
def test_the_yardstick_that_is_told_the_emotion_finds_it_and_the_other_does_not(told_by, silent):
    name = "text_only" if told_by == "text" else "prosody"
    measured = measure_difficulty(corpus(30, told_by), corpus(30, told_by, seed=1), RATE)
    assert measured[name]["ua"] == 1.0
    assert measured[silent]["ua"] < 0.8
    assert measured["majority"]["ua"] == 0.5


def test_one_class_in_training_is_refused():
    one = [sample for sample in corpus(6, "text") if sample.emotion == 0]
    with pytest.raises(DataError, match="two emotions"):
        measure_difficulty(one, one, RATE)
