"""Masks of padded batches."""

from __future__ import annotations

import torch

from espnet_ent.transducer.masks import mask_labels, padding_mask


def test_padding_is_what_lies_beyond_the_length():
    mask = padding_mask(torch.tensor([0, 2, 3]), torch.zeros(3, 3, 7))
    assert mask.tolist() == [[True] * 3, [False, False, True], [False] * 3]


def test_labels_beyond_the_length_become_blank():
    labels = torch.tensor([[4, 5, -1], [6, 99, -1]])
    assert mask_labels(labels, torch.tensor([3, 1])).tolist() == [[4, 5, -1], [6, 0, 0]]
    assert mask_labels(torch.zeros(2, 0, dtype=torch.int64), torch.tensor([0, 0])).shape == (2, 0)
