"""Batches: padding, lengths and what does not fit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from espnet_ent.collate import collate
from espnet_ent.errors import DataError


def _item(utt_id: str, num_samples: int, num_labels: int, emotion: int) -> tuple[str, dict[str, np.ndarray]]:
    rng = np.random.default_rng(num_samples)
    return utt_id, {
        "speech": rng.standard_normal(num_samples).astype(np.float32),
        "text": rng.integers(1, 30, num_labels),
        "emotion": np.array([emotion]),
    }


ITEMS = [_item("b", 5, 2, 3), _item("a", 9, 0, 0), _item("c", 1, 4, 1)]


def test_pads_speech_with_zeros_and_integers_with_minus_one():
    utt_ids, batch = collate(ITEMS)
    assert utt_ids == ["b", "a", "c"]
    assert set(batch) == {"speech", "speech_lengths", "text", "text_lengths", "emotion"}
    for name, padding in (("speech", 0.0), ("text", -1)):
        arrays = [torch.from_numpy(arrays[name]) for _, arrays in ITEMS]
        expected = pad_sequence(arrays, batch_first=True, padding_value=padding)
        assert batch[name].dtype == expected.dtype
        assert torch.equal(batch[name], expected)
    assert batch["speech"].dtype == torch.float32
    assert batch["speech_lengths"].tolist() == [5, 9, 1]
    assert batch["text_lengths"].tolist() == [2, 0, 4]
    assert batch["text_lengths"].dtype == torch.int64
    assert batch["emotion"].tolist() == [[3], [0], [1]]


def test_integers_become_int64_and_further_axes_are_kept():
    items = [
        (name, {"feats": np.ones((n, 3), np.float32), "span": np.ones((n, 2), np.int32)})
        for name, n in (("a", 2), ("b", 4))
    ]
    _, batch = collate(items)
    assert batch["feats"].shape == (2, 4, 3)
    assert batch["feats"][0].sum() == 6
    assert batch["span"].dtype == torch.int64
    assert batch["span"][0].tolist() == [[1, 1], [1, 1], [-1, -1], [-1, -1]]


def test_texts_without_labels():
    _, batch = collate([_item("a", 3, 0, 0), _item("b", 3, 0, 0)])
    assert batch["text"].shape == (2, 0)
    assert batch["text_lengths"].tolist() == [0, 0]


def test_the_batch_does_not_share_memory_with_the_items():
    items = [_item("a", 3, 1, 0)]
    _, batch = collate(items)
    batch["speech"].fill_(7.0)
    assert 7.0 not in items[0][1]["speech"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"speech": np.zeros((3, 2), np.float32)}, "b: speech does not fit the batch"),
        ({"speech": np.zeros(3, np.int64)}, "b: speech does not fit the batch"),
        ({"speech": np.float32(3)}, "b: speech does not fit the batch"),
        ({"text": np.array(["x"])}, "b: text does not fit the batch"),
        ({"emotion": np.array([1, 2])}, "b: emotion is not one value"),
        ({"more": np.zeros(3)}, r"b: the utterances of a batch hold different data; .*as a; got .*more"),
    ],
)
def test_what_does_not_fit_names_its_utterance(changes, message):
    utt_id, arrays = _item("b", 4, 2, 1)
    with pytest.raises(DataError, match=message):
        collate([_item("a", 3, 1, 0), (utt_id, {**arrays, **changes})])


def test_an_empty_batch_is_refused():
    with pytest.raises(DataError, match="an empty batch"):
        collate([])
