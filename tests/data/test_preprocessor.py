"""From what the data loader reads to what the model eats."""

from __future__ import annotations

import numpy as np
import pytest

from espnet_ent.data.preprocessor import Preprocessor
from espnet_ent.data.tokens import CharTokenizer, TokenList
from espnet_ent.errors import DataError, LabelError
from espnet_ent.labels import FOUR_EMOTIONS

TOKENS = TokenList(("<blank>", "<unk>", "<space>", "A", "B", "<sos/eos>"))


@pytest.fixture
def preprocessor() -> Preprocessor:
    return Preprocessor(TOKENS, CharTokenizer(), FOUR_EMOTIONS)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_types_and_shapes(preprocessor: Preprocessor, dtype: type) -> None:
    speech = np.linspace(-1, 1, 7).astype(dtype)
    result = preprocessor("u1", {"speech": speech, "text": "AB A?", "emotion": "exc"})
    assert {name: (value.dtype.name, value.shape) for name, value in result.items()} == {
        "speech": ("float32", (7,)),
        "text": ("int64", (5,)),
        "emotion": ("int64", (1,)),
    }
    np.testing.assert_allclose(result["speech"], speech, atol=1e-7)
    assert list(result["text"]) == [3, 4, 2, 3, 1]
    assert result["emotion"][0] == FOUR_EMOTIONS.index("hap")


def test_empty_text_is_no_token(preprocessor: Preprocessor) -> None:
    assert preprocessor("u1", {"speech": np.zeros(3), "text": ""})["text"].shape == (0,)


def test_speech_alone_is_enough_for_decoding(preprocessor: Preprocessor) -> None:
    assert list(preprocessor("u1", {"speech": np.zeros(3)})) == ["speech"]


def test_faults_name_the_utterance(preprocessor: Preprocessor) -> None:
    with pytest.raises(LabelError, match=r"^u7: unknown emotion label; .* got 'hpy'"):
        preprocessor("u7", {"speech": np.zeros(3), "emotion": "hpy"})
    with pytest.raises(DataError, match=r"^u7: speech is not mono; got shape \(3, 2\)"):
        preprocessor("u7", {"speech": np.zeros((3, 2))})


def test_emotion_intervals_in_samples_and_tokens(preprocessor: Preprocessor) -> None:
    data = {"speech": np.zeros(16000), "text": "AB A", "emo_segments": "0.2500 0.5000 exc", "emo_words": "1 1 exc"}
    intervals = preprocessor("u1", data)["emo_intervals"]
    assert intervals.dtype == np.int64
    assert intervals.tolist() == [[0, 0, 3], [4000, 3, 0], [8000, 4, 3]]
    del data["emo_words"]
    assert preprocessor("u1", data)["emo_intervals"].tolist() == [[0, 0, 3], [4000, 4, 0], [8000, 4, 3]]


def test_times_follow_the_sample_rate() -> None:
    slow = Preprocessor(TOKENS, CharTokenizer(), FOUR_EMOTIONS, sample_rate=8000)
    data = {"speech": np.zeros(8000), "text": "A", "emo_segments": "0.5 1.0 sad", "emo_words": "none"}
    assert slow("u1", data)["emo_intervals"].tolist() == [[0, 0, 3], [4000, 1, 2]]
