import numpy as np

from espnet_ent.corpora.mini.acoustics import SAMPLE_RATE, SpokenPhrase, render, to_phrase
from espnet_ent.corpora.mini.prosody import EMOTIONS, Prosody, sample_prosody
from espnet_ent.corpora.mini.speakers import NOISE_FREE_VOICES, make_speaker
from espnet_ent.corpora.mini.synthesis import SpokenSound

FLAT = Prosody(rate=1.0, pitch=0, pitch_range=1.0, level_db=0.0, tilt=0.0, breath_db=-60, roughness=0.0)
SOURCE_RATE = 22050


def recording(prosody, seconds=1.0):
    """Two phrases of a low and a high tone."""
    speaker = make_speaker("spk", True, 0, seed=1)
    time = np.arange(int(SOURCE_RATE * seconds)) / SOURCE_RATE
    tones = np.sin(2 * np.pi * 300 * time) + np.sin(2 * np.pi * 5000 * time)
    samples = (8000 * tones).astype(np.int16)
    phrases = [SpokenPhrase("a", "neu", prosody)] * 2
    return render(speaker, phrases, [SpokenSound(samples, (0,))] * 2, SOURCE_RATE, np.random.default_rng(0))


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


def test_words_are_where_the_sound_changes():
    """Silence, a low tone (first word) and a high one (second word); the vocal tract changes their lengths."""
    rng = np.random.default_rng(1)
    for number in range(4):
        speaker = make_speaker("spk", number % 2 == 0, number, seed=1)
        silence, low, high = (int(SOURCE_RATE * seconds) for seconds in rng.uniform(0.1, 0.5, 3))
        hertz = np.concatenate([np.full(low, 300), np.full(high, 2000)])
        tones = 8000 * np.sin(2 * np.pi * np.cumsum(hertz) / SOURCE_RATE)
        samples = np.concatenate([np.zeros(silence), tones, np.zeros(2000)]).astype(np.int16)
        sound = SpokenSound(samples, (silence // 2, silence + low))
        phrases = [SpokenPhrase("la li", "neu", FLAT)] * 2
        made = render(speaker, phrases, [sound, sound], SOURCE_RATE, rng)
        assert [word.word for word in made.words] == ["la", "li", "la", "li"]
        scale = SOURCE_RATE * speaker.vocal_tract
        for la, li in (made.words[:2], made.words[2:]):
            np.testing.assert_allclose([la.end - la.start, li.end - li.start], [low / scale, high / scale], atol=2e-4)
            assert la.end == li.start
            at = round(la.end * SAMPLE_RATE)
            before, after = (np.abs(np.fft.rfft(made.samples[i : i + 400])).argmax() for i in (at - 420, at + 20))
            assert before * 40 < 500 * speaker.vocal_tract < 1500 * speaker.vocal_tract < after * 40
            for edge, side in ((la.start, 1), (li.end, -1)):  # sound inside, none outside
                at = round(edge * SAMPLE_RATE)
                inside, outside = made.samples[at : at + side * 160 : side], made.samples[at : at - side * 160 : -side]
                assert rms(inside) > 5 * rms(outside[8:])
        assert made.words[1].end < made.boundaries[0] < made.words[2].start


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
