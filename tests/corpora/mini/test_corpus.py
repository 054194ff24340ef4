import hashlib
import json

import numpy as np
import pytest
import soundfile

pytest.importorskip("espeakng_loader", reason="eSpeak NG comes with the extra 'mini'")

from espnet_ent.corpora.mini.corpus import make_mini_corpus, speak_utterance
from espnet_ent.corpora.mini.emotion_words import EMOTION_WORDS, EmotionCues
from espnet_ent.corpora.mini.plan import MiniSize, plan_corpus
from espnet_ent.corpora.mini.synthesis import Phrase, Synthesizer
from espnet_ent.corpora.zed import read_zed
from espnet_ent.errors import DataError
from espnet_ent.labels import FOUR_EMOTIONS

SIZE = MiniSize(per_class=2, unused_per_session=1, zed_per_speaker=3)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    out = tmp_path_factory.mktemp("mini") / "corpus"
    assert make_mini_corpus(out, seed=3, nj=2, size=SIZE)
    return out


def digests(root):
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_the_same_seed_gives_the_same_bytes_with_another_number_of_jobs(corpus, tmp_path):
    make_mini_corpus(tmp_path / "again", seed=3, nj=1, size=SIZE)
    assert digests(tmp_path / "again") == digests(corpus)


def test_another_seed_gives_other_audio(corpus, tmp_path):
    make_mini_corpus(tmp_path / "other", seed=4, nj=2, size=SIZE)
    ours, theirs = digests(corpus), digests(tmp_path / "other")
    wavs = [name for name in ours if name.endswith(".wav") and name in theirs]
    assert wavs
    assert all(ours[name] != theirs[name] for name in wavs)


def test_an_utterance_does_not_depend_on_those_before_it():
    planned = plan_corpus(3, SIZE)[:6]
    forwards, backwards = Synthesizer(), Synthesizer()
    first = [speak_utterance(u, forwards, 3).samples for u in planned]
    second = [speak_utterance(u, backwards, 3).samples for u in reversed(planned)][::-1]
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_finished_corpus_is_left_alone(corpus):
    before = {path: path.stat().st_mtime_ns for path in corpus.rglob("*")}
    assert not make_mini_corpus(corpus, seed=3, nj=2, size=SIZE)
    assert {path: path.stat().st_mtime_ns for path in corpus.rglob("*")} == before


def test_a_corpus_that_lost_a_file_is_made_again(tmp_path):
    small = MiniSize(per_class=2, unused_per_session=0, zed_per_speaker=1)
    make_mini_corpus(tmp_path / "c", seed=3, nj=2, size=small)
    before = digests(tmp_path / "c")
    next((tmp_path / "c").rglob("*.wav")).unlink()
    assert make_mini_corpus(tmp_path / "c", seed=3, nj=2, size=small)
    assert digests(tmp_path / "c") == before


def test_audio_is_16_khz_mono_and_neither_silent_nor_clipped(corpus):
    for path in corpus.rglob("*.wav"):
        samples, rate = soundfile.read(path)
        assert rate == 16000
        assert samples.ndim == 1
        assert 0.5 < len(samples) / rate < 15
        assert 0.005 < np.sqrt(np.mean(samples**2)) < 0.5
        assert np.mean(np.abs(samples) > 0.999) < 0.001


def test_zed_boundaries_lie_inside_the_audio_and_in_quiet_places(corpus):
    entries = json.loads((corpus / "ZED_mini_test" / "ZED.json").read_text())
    assert len(entries) == 12
    for entry in entries.values():
        samples, rate = soundfile.read(corpus / "ZED_mini_test" / entry["wav"])
        assert entry["duration"] == pytest.approx(len(samples) / rate, abs=1e-3)
        loudness = np.sqrt(np.mean(samples**2))
        for segment in entry["emotion"]:
            assert 0 <= segment["start"] < segment["end"] <= entry["duration"]
            for time in (segment["start"], segment["end"]):
                if 0 < time < entry["duration"] - 1e-3:
                    at = round(time * rate)
                    assert np.sqrt(np.mean(samples[at - 100 : at + 100] ** 2)) < 0.5 * loudness


@pytest.mark.parametrize("part", ["dev", "test"])
def test_words_of_the_zed_like_parts_lie_in_order_where_there_is_sound(corpus, part):
    root = corpus / f"ZED_mini_{part}"
    utterances = [entry.utterance for entry in read_zed(root, FOUR_EMOTIONS).used]
    assert len(utterances) == 12
    for utterance in utterances:
        words = utterance.word_times
        assert [word.word for word in words] == utterance.text.split()
        samples, rate = soundfile.read(utterance.audio)
        edges = [time for word in words for time in (word.start, word.end)]
        assert edges == sorted(edges)
        assert 0.03 < edges[0] < edges[-1] < len(samples) / rate - 0.03  # a pause at either end
        assert all(0.03 < word.end - word.start < 1 for word in words)
        outside = np.ones(len(samples), dtype=bool)
        loudness = np.sqrt(np.mean(samples**2))
        for word in words:
            said = slice(round(word.start * rate), round(word.end * rate))
            outside[said] = False
            assert np.sqrt(np.mean(samples[said] ** 2)) > 0.2 * loudness, (utterance.utt_id, word)
        assert np.sqrt(np.mean(samples[outside] ** 2)) < 0.15 * loudness


def test_words_are_in_the_ctm_format_beside_zed_json(corpus):
    entries = json.loads((corpus / "ZED_mini_dev" / "ZED.json").read_text())
    lines = [line.split(" ") for line in (corpus / "ZED_mini_dev" / "words.ctm").read_text().splitlines()]
    assert {len(line) for line in lines} == {5}
    assert {line[1] for line in lines} == {"1"}
    said = {utt_id: " ".join(line[4] for line in lines if line[0] == utt_id) for utt_id in entries}
    assert said == {utt_id: entry["transcription"].lower().rstrip(".") for utt_id, entry in entries.items()}
    assert not list((corpus / "IEMOCAP_mini").rglob("*.ctm"))


def test_emotion_words_are_said_and_written(tmp_path):
    small, cues = MiniSize(per_class=2, unused_per_session=0, zed_per_speaker=1), EmotionCues(0.65, 0.7)
    out = tmp_path / "c"
    assert make_mini_corpus(out, seed=3, nj=2, size=small, cues=cues)
    assert not make_mini_corpus(out, seed=3, nj=2, size=small, cues=cues)
    assert json.loads((out / "made_from.json").read_text())["cues"] == {"words": 0.65, "voice": 0.7}
    lines = [line for path in out.rglob("transcriptions/*.txt") for line in path.read_text().splitlines()]
    words = {word for of_emotion in EMOTION_WORDS.values() for word in of_emotion}
    assert len(lines) == 40
    assert all(len(words & set(line.rstrip(".").lower().split())) == 1 for line in lines)
    for part in ("dev", "test"):
        for entry in read_zed(out / f"ZED_mini_{part}", FOUR_EMOTIONS).used:
            said = [word.word for word in entry.utterance.word_times if word.word.lower() in words]
            assert len(said) == 1


def test_unknown_voice_is_an_error():
    phrase = Phrase("hello", "no-such-voice", 180, 50, 50)
    with pytest.raises(DataError, match="no-such-voice"):
        Synthesizer().speak([phrase])
