"""From what a data loader reads to what the model eats."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from espnet_ent.data.tokens import Tokenizer, TokenList
from espnet_ent.errors import DataError
from espnet_ent.labels import EmotionInventory


class Preprocessor:
    """Turns text into labels and emotion names into class indices.

    Args:
        token_list: The vocabulary.
        tokenizer: Splits text into tokens.
        emotions: The emotion inventory.
    """

    def __init__(self, token_list: TokenList, tokenizer: Tokenizer, emotions: EmotionInventory) -> None:
        self.token_list = token_list
        self.tokenizer = tokenizer
        self.emotions = emotions

    def __call__(self, utt_id: str, data: Mapping[str, np.ndarray | str]) -> dict[str, np.ndarray]:
        """Preprocess one utterance.

        Args:
            utt_id: Name for error messages.
            data: ``speech`` float (N,); optionally ``text`` and ``emotion`` as strings.

        Returns:
            ``speech`` float32 (N,), ``text`` int64 (U,), ``emotion`` int64 (1,), as far as given.

        Raises:
            LabelError: If the emotion is not in the inventory.
            DataError: If the speech is not mono.
        """
        speech = np.asarray(data["speech"])
        if speech.ndim != 1:
            raise DataError("speech is not mono", where=utt_id, got=f"shape {speech.shape}")
        result = {"speech": speech.astype(np.float32, copy=False)}
        if "text" in data:
            result["text"] = self.token_list.encode(self.tokenizer.text2tokens(str(data["text"])))
        if "emotion" in data:
            label = str(data["emotion"]).strip()
            result["emotion"] = np.array([self.emotions.index(label, where=utt_id)], dtype=np.int64)
        return result
