import numpy as np

from espnet_ent.corpora.mini.acoustics import SAMPLE_RATE, SpokenPhrase, render, to_phrase
from espnet_ent.corpora.mini.prosody import EMOTIONS, Prosody, sample_prosody
from espnet_ent.corpora.mini.speakers import NOISE_FREE_VOICES, make_speaker

FLAT = Prosody(rate=1.0, pitch=0, pitch_range=1.0, level_db=0.0, tilt=0.0, breath_db=-60, roughness=0.0)
SOURCE_RATE = 22050


def recording(prosody, seconds=1.0):
    """Two phrases of a low and a high tone."""
    speaker = make_speaker("spk", True, 0, seed=1)
    time = np.arange(int(SOURCE_RATE * seconds)) / SOURCE_RATE
    tones = np.sin(2 * np.pi * 300 * time) + np.sin(2 * np.pi * 5000 * time)
    samples = (8000 * tones).astype(np.int16)
    phrases = [SpokenPhrase("a", "neu", prosody)] * 2
    return render(speaker, phrases, [samples, samples], SOURCE_RATE, np.random.default_rng(0))


def rms(samples):
    return np.sqrt(np.mean(samples**2))


def test_level_changes_by_the_asked_decibels():
    louder = Prosody(**{**vars(FLAT), "level_db": 6.0})
    gain = 20 * np.log10(rms(recording(louder).samples) / rms(recording(FLAT).samples))
    assert abs(gain - 6.0) < 0.3


def test_negative_tilt_is_brighter():
    def centroid(samples):
        spectrum = np.abs(np.fft.rfft(samples)) ** 2
        return (spectrum * np.arange(len(spectrum))).sum() / spectrum.sum()

    bright, dark = (recording(Prosody(**{**vars(FLAT), "tilt": tilt})) for tilt in (-0.4, 0.4))
    flat = recording(FLAT)
    assert centroid(bright.samples) > 1.1 * centroid(flat.samples) > 1.1 * 1.1 * centroid(dark.samples)


def test_one_boundary_between_two_phrases_inside_the_pause():
    made = recording(FLAT)
    assert len(made.boundaries) == 1
    at = int(made.boundaries[0] * SAMPLE_RATE)
    assert rms(made.samples[at - 80 : at + 80]) < 0.1 * rms(made.samples)


def test_vocal_tract_scaling_is_undone_in_the_rate():
    speaker = make_speaker("spk", True, 0, seed=1)
    phrase = to_phrase(speaker, SpokenPhrase("a", "neu", FLAT))
    assert phrase.words_per_minute * speaker.vocal_tract == speaker.words_per_minute


def test_every_emotion_has_a_prosody_that_varies_with_the_draw():
    import random

    rng = random.Random(0)
    for emotion in EMOTIONS:
        assert sample_prosody(emotion, rng) != sample_prosody(emotion, rng)


def test_speakers_are_repeatable_and_use_noise_free_voices():
    for number in range(12):
        speaker = make_speaker(f"s{number}", number % 2 == 0, number, seed=5)
        assert speaker == make_speaker(f"s{number}", number % 2 == 0, number, seed=5)
        assert speaker.voice in NOISE_FREE_VOICES
