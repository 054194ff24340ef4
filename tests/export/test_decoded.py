import kaldiio
import numpy as np
import pytest

from espnet_ent.data.provenance import is_made_from
from espnet_ent.data.transcript import EmotionTranscript, Word
from espnet_ent.export.decoded import write_decoded
from espnet_ent.labels import FOUR_EMOTIONS
from espnet_ent.timeline import EmotionSegment, EmotionTimeline


def transcript(text, segments, duration=1.5):
    frames = np.full((3, 4), 0.25, dtype=np.float32)
    words = tuple(Word(0.1 * i, 0.1 * i + 0.05, word, 0.5, "ang", 0.75) for i, word in enumerate(text.split()))
    timeline = EmotionTimeline.from_segments(segments, duration, "neu")
    return EmotionTranscript(text, "ang", np.array([0.1, 0.7, 0.1, 0.1], np.float32), words, timeline, frames, duration)


PAIRS = [
    ("utt1", transcript("GO NOW", [EmotionSegment(0.25, 1.0, "ang")])),
    ("utt2", transcript("", [])),
]

GOLDEN = {
    "text": "utt1 GO NOW\nutt2\n",
    "utt2emo": "utt1 ang\nutt2 ang\n",
    "utt2emo_posteriors": "utt1 0.100000 0.700000 0.100000 0.100000\nutt2 0.100000 0.700000 0.100000 0.100000\n",
    "emo_segments": "utt1 0.2500 1.0000 ang\n",
    "word_times": "utt1 0.0000 0.0500 GO\nutt1 0.1000 0.1500 NOW\n",
    "word_emotions": "utt1 0.0000 0.0500 GO 0.5000 ang 0.7500\nutt1 0.1000 0.1500 NOW 0.5000 ang 0.7500\n",
    "utt2duration": "utt1 1.500000\nutt2 1.500000\n",
}


def test_files_are_as_documented(tmp_path):
    assert write_decoded(tmp_path / "out", PAIRS, FOUR_EMOTIONS, {"checkpoint": "x"}) == 2
    for name, content in GOLDEN.items():
        assert (tmp_path / "out" / name).read_text() == content
    assert (tmp_path / "out" / "emotion_list").read_text().splitlines() == FOUR_EMOTIONS.to_lines()
    assert is_made_from(tmp_path / "out", {"checkpoint": "x"})


def test_frame_posteriors_are_read_back_wherever_the_directory_goes(tmp_path, monkeypatch):
    write_decoded(tmp_path / "a, b c" / "out", PAIRS, FOUR_EMOTIONS, {})
    (tmp_path / "a, b c" / "out").rename(tmp_path / "moved")
    monkeypatch.chdir(tmp_path / "moved")
    matrices = kaldiio.load_scp("frame_posteriors.scp")
    np.testing.assert_array_equal(matrices["utt2"], PAIRS[1][1].frame_posteriors)


def test_the_same_transcripts_give_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_decoded(tmp_path / name, PAIRS, FOUR_EMOTIONS, {})
    files = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    assert files == {path.name: path.read_bytes() for path in (tmp_path / "b").iterdir()}


def test_a_failure_half_way_leaves_nothing(tmp_path):
    def failing():
        yield PAIRS[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_decoded(tmp_path / "out", failing(), FOUR_EMOTIONS, {})
    assert list(tmp_path.iterdir()) == []
