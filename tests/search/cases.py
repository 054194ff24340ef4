"""Random transducers and encoder states for the tests of searches."""

from __future__ import annotations

import torch
from torch import Tensor

from espnet_ent.transducer.factorized import FactorizedTransducer
from espnet_ent.transducer.standard import Transducer
from espnet_ent.transducer.states import EncoderStates

FORMS = [Transducer, FactorizedTransducer]
VOCAB_SIZE = 6


def make_case(form: type, seed: int, lengths: Tensor) -> tuple[Transducer | FactorizedTransducer, EncoderStates]:
    """A random transducer that emits some labels, several at some frames, and random encoder states, in float64."""
    torch.manual_seed(seed)
    transducer = form(VOCAB_SIZE, 4, 5, 8, 6, 7).double().eval()
    with torch.no_grad():
        for parameter in transducer.parameters():
            parameter.mul_(3.0)
    shape = (len(lengths), int(lengths.max()), 4)
    h, h_emo = (2 * torch.randn(shape, dtype=torch.float64) for _ in range(2))
    return transducer, EncoderStates(h, h_emo, lengths)


@torch.no_grad()
def node_log_probs(
    transducer: Transducer | FactorizedTransducer, enc: EncoderStates, b: int, tokens: list[int]
) -> Tensor:
    """Log probabilities (T, U + 1, V) of the lattice of one utterance and ``tokens``."""
    num_frames = int(enc.lengths[b])
    one = slice(b, b + 1)
    alone = EncoderStates(enc.h[one, :num_frames], enc.h_emo[one, :num_frames], enc.lengths[one])
    labels = torch.tensor([tokens], dtype=torch.int64)
    states = transducer.predict(labels, torch.tensor([len(tokens)]))
    logits = torch.cat([term.logits() for term in transducer.joint_terms(alone, states)], dim=-1)
    return logits[0].log_softmax(-1)
