"""The three ways of computing a joint network's outputs agree."""

from __future__ import annotations

import torch

from espnet_ent.transducer.states import JointTerms


def _terms() -> JointTerms:
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_()

    return JointTerms(normal(2, 4, 5), normal(2, 3, 5), normal(6, 5), normal(6))


def test_dense_logits_are_tanh_of_the_sum():
    terms = _terms()
    assert terms.lattice_shape == (2, 4, 3, 6)
    logits = terms.logits()
    assert tuple(logits.shape) == terms.lattice_shape
    for b in range(2):
        for t in range(4):
            for u in range(3):
                hidden = torch.tanh(terms.encoder[b, t] + terms.prediction[b, u])
                torch.testing.assert_close(logits[b, t, u], terms.weight @ hidden + terms.bias)


def test_nodes_and_blocks_are_parts_of_the_dense_logits():
    terms = _terms()
    logits = terms.logits()
    b, t, u = torch.tensor([0, 1, 1]), torch.tensor([3, 0, 0]), torch.tensor([2, 1, 1])
    torch.testing.assert_close(terms.node_logits(b, t, u), logits[b, t, u])
    torch.testing.assert_close(terms.block_logits(1, slice(1, 3), 2), logits[1, 1:3, :2])
    torch.testing.assert_close(terms.trimmed(3, 2).logits(), logits[:, :3, :2])


def test_gradients_pass_through_the_tanh_in_place():
    terms = _terms()
    leaves = (terms.encoder, terms.prediction, terms.weight, terms.bias)
    assert torch.autograd.gradcheck(lambda *tensors: JointTerms(*tensors).logits(), leaves)
    nodes = (torch.tensor([0, 1, 1]), torch.tensor([3, 0, 0]), torch.tensor([2, 1, 1]))
    assert torch.autograd.gradcheck(lambda *tensors: JointTerms(*tensors).node_logits(*nodes), leaves)
