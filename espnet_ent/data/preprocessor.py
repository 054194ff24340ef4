"""From what a data loader reads to what the model eats."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from espnet_ent.data.emo_intervals import emotion_intervals, parse_segments, parse_words
from espnet_ent.data.tokens import Tokenizer, TokenList
from espnet_ent.errors import DataError
from espnet_ent.labels import EmotionInventory


class Preprocessor:
    """Turns text into labels and emotion names into class indices.

    Args:
        token_list: The vocabulary.
        tokenizer: Splits text into tokens.
        emotions: The emotion inventory.
        sample_rate: Samples a second, for the times of emotion intervals.
    """

    def __init__(
        self, token_list: TokenList, tokenizer: Tokenizer, emotions: EmotionInventory, sample_rate: int = 16000
    ) -> None:
        self.token_list = token_list
        self.tokenizer = tokenizer
        self.emotions = emotions
        self.sample_rate = sample_rate

    def __call__(self, utt_id: str, data: Mapping[str, np.ndarray | str | tuple]) -> dict[str, np.ndarray]:
        """Preprocess one utterance.

        Args:
            utt_id: Name for error messages.
            data: ``speech`` float (N,), or ``states``, a tuple of states (T, L, D) and local features (N', F) from a
                feature cache and the number of samples; optionally ``text``, ``emotion``, ``emo_segments`` and
                ``emo_words`` as strings, the last two in their one-line forms.

        Returns:
            ``speech`` float32 (N,) or ``states`` and ``local``, ``text`` int64 (U,), ``emotion`` int64 (1,),
            ``emo_intervals`` int64 (K, 3) as :func:`espnet_ent.data.emo_intervals.emotion_intervals` makes them,
            as far as given.

        Raises:
            LabelError: If an emotion is not in the inventory.
            DataError: If the speech is not mono, or the emotion intervals are malformed or do not fit.
        """
        result, num_samples = _speech_or_states(utt_id, data)
        tokens = self.tokenizer.text2tokens(str(data.get("text", "")))
        if "text" in data:
            result["text"] = self.token_list.encode(tokens)
        if "emotion" in data:
            label = str(data["emotion"]).strip()
            result["emotion"] = np.array([self.emotions.index(label, where=utt_id)], dtype=np.int64)
        if "emo_segments" in data:
            result["emo_intervals"] = emotion_intervals(
                parse_segments(str(data["emo_segments"]), where=utt_id),
                parse_words(str(data["emo_words"]), where=utt_id) if "emo_words" in data else None,
                tokens,
                self.emotions,
                num_samples=num_samples,
                sample_rate=self.sample_rate,
                where=utt_id,
            )
        return result


def _speech_or_states(utt_id: str, data: Mapping[str, np.ndarray | str | tuple]) -> tuple[dict[str, np.ndarray], int]:
    """What the encoder gets, and the number of samples."""
    if "states" in data:
        states, local, num_samples = data["states"]
        return {"states": states, "local": local}, num_samples
    speech = np.asarray(data["speech"])
    if speech.ndim != 1:
        raise DataError("speech is not mono", where=utt_id, got=f"shape {speech.shape}")
    return {"speech": speech.astype(np.float32, copy=False)}, len(speech)
