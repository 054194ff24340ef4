"""The emotion joint network: lattice, nodes and the frame-wise form."""

from __future__ import annotations

import pytest
import torch

from espnet_ent.emotion.joint import EmotionJoint
from espnet_ent.errors import ConfigError
from espnet_ent.losses.lattice_pooling import lattice_pooling_loss


def test_nodes_equal_the_lattice():
    torch.manual_seed(0)
    joint = EmotionJoint(4, 3, 5, 6)
    h, g = torch.randn(2, 3, 4), torch.randn(2, 2, 3)
    dense = joint.terms(h, g).logits()
    assert dense.shape == (2, 3, 2, 6)
    torch.testing.assert_close(joint.logits(h.unsqueeze(2), g.unsqueeze(1)), dense)


def test_frame_wise_form_has_one_column_and_no_prediction_weights():
    torch.manual_seed(0)
    joint = EmotionJoint(4, 0, 5, 6)
    assert not any("prediction" in name for name in joint.state_dict())
    h = torch.randn(2, 3, 4)
    terms = joint.terms(h)
    assert terms.lattice_shape == (2, 3, 1, 6)
    torch.testing.assert_close(terms.logits().squeeze(2), joint.logits(h))
    no_labels = torch.tensor([0, 0])
    loss = lattice_pooling_loss(terms, torch.tensor([0, 1]), torch.tensor([3, 2]), no_labels, 1)
    loss.backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in joint.parameters())


def test_missing_or_surplus_prediction_states_are_refused():
    h, g = torch.randn(2, 3, 4), torch.randn(2, 2, 3)
    for method in ("terms", "logits"):
        with pytest.raises(ConfigError, match="expected prediction states"):
            getattr(EmotionJoint(4, 3, 5, 6), method)(h)
        with pytest.raises(ConfigError, match="expected no prediction states"):
            getattr(EmotionJoint(4, 0, 5, 6), method)(h, g)
