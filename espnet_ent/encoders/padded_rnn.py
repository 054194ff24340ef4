"""Recurrent layers over a padded batch, as if every utterance were alone.

Dimensions: B batch, T frames, D input size, H hidden size, O output size: H, or 2 H in both directions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


def run_padded(rnn: nn.LSTM | nn.GRU, states: Tensor, lengths: Tensor) -> Tensor:
    """What ``rnn`` gives of packed sequences.

    On a CPU, where torch takes packed frames one by one, the same is reached five times as fast: forwards padding comes
    last, and backwards each utterance is turned round without its padding, so that no state that counts has seen any.

    Args:
        rnn: With ``batch_first``, zero states at the start and no projection.
        states: (B, T, D).
        lengths: (B,) valid frames.

    Returns:
        (B, T, O), zero beyond the valid frames.
    """
    if states.device.type == "cpu":
        return _without_packing(rnn, states, lengths.to(states.device))
    packed = pack_padded_sequence(states, lengths.cpu(), batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(rnn(packed)[0], batch_first=True, total_length=states.size(1))[0]


def _without_packing(rnn: nn.LSTM | nn.GRU, states: Tensor, lengths: Tensor) -> Tensor:
    frames = torch.arange(states.size(1), device=states.device)
    valid = frames < lengths.unsqueeze(1)
    turned = torch.where(valid, lengths.unsqueeze(1) - 1 - frames, frames).unsqueeze(2)
    for layer in range(rnn.num_layers):
        if layer > 0:
            states = F.dropout(states, rnn.dropout, rnn.training)
        ways = [_one_way(rnn, states, f"l{layer}")]
        if rnn.bidirectional:
            backwards = _one_way(rnn, states.gather(1, turned.expand_as(states)), f"l{layer}_reverse")
            ways.append(backwards.gather(1, turned.expand_as(backwards)))
        states = torch.cat(ways, dim=2)
    return states.masked_fill(~valid.unsqueeze(2), 0.0)


def _one_way(rnn: nn.LSTM | nn.GRU, states: Tensor, suffix: str) -> Tensor:
    """One direction of one layer: (B, T, H) of (B, T, its input size)."""
    weights = [getattr(rnn, f"{name}_{suffix}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    start = states.new_zeros(1, len(states), rnn.hidden_size)
    options = (weights, True, 1, 0.0, rnn.training, False, True)
    if isinstance(rnn, nn.LSTM):
        return torch.lstm(states, (start, start), *options)[0]
    return torch.gru(states, start, *options)[0]
