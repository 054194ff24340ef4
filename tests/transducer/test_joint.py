"""The joint network's lattice form and its node form are one function."""

from __future__ import annotations

import torch

from espnet_ent.transducer.joint import JointNetwork


def test_nodes_equal_the_lattice():
    torch.manual_seed(0)
    joint = JointNetwork(4, 3, 5, 6)
    h, g = torch.randn(2, 3, 4), torch.randn(2, 2, 3)
    dense = joint.terms(h, g).logits()
    torch.testing.assert_close(joint.logits(h.unsqueeze(2), g.unsqueeze(1)), dense)
    for t in range(3):
        for u in range(2):
            torch.testing.assert_close(joint.logits(h[:, t], g[:, u]), dense[:, t, u])


def test_one_bias_of_the_two_projections_is_enough():
    joint = JointNetwork(4, 3, 5, 6)
    assert joint.encoder_projection.bias is not None
    assert joint.prediction_projection.bias is None
