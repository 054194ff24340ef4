"""Expected emotions against sums over all alignments, spelled out."""

from __future__ import annotations

import itertools

import torch

from espnet_ent.losses.transducer import transducer_alignments
from espnet_ent.search.expectation import expected_emotions
from espnet_ent.transducer.states import JointTerms


def _terms(num_outputs: int, batch_size: int, num_frames: int, num_columns: int) -> JointTerms:
    shapes = ((batch_size, num_frames, 3), (batch_size, num_columns, 3), (num_outputs, 3), (num_outputs,))
    return JointTerms(*(torch.randn(shape, dtype=torch.float64) for shape in shapes))


def test_the_expectation_is_the_mean_over_all_alignments() -> None:
    torch.manual_seed(0)
    frames, labels = torch.tensor([4, 2]), torch.tensor([[1, 3, 2], [2, 0, 0]])
    label_lengths = torch.tensor([3, 1])
    speech, emotion = _terms(4, 2, 4, 4), _terms(5, 2, 4, 4)
    posteriors = transducer_alignments((speech,), labels, frames, label_lengths)
    found = expected_emotions(emotion, posteriors.blank, frames.tolist(), (label_lengths + 1).tolist())
    log_probs, emotions = speech.logits().log_softmax(-1), emotion.logits().softmax(-1)
    for b, (t, u) in enumerate(zip(frames.tolist(), label_lengths.tolist(), strict=True)):
        total, expected = 0.0, torch.zeros(t, 5, dtype=torch.float64)
        # An alignment: the frame of each label, in order; blank leaves each frame after its labels.
        for of_labels in itertools.combinations_with_replacement(range(t), u):
            nodes = [sum(frame <= s for frame in of_labels) for s in range(t)]
            score = sum(log_probs[b, frame, k, labels[b, k]] for k, frame in enumerate(of_labels))
            score = score + sum(log_probs[b, s, node, 0] for s, node in enumerate(nodes))
            total += score.exp()
            expected += score.exp() * torch.stack([emotions[b, s, node] for s, node in enumerate(nodes)])
        torch.testing.assert_close(found[b, :t], expected / total)
        torch.testing.assert_close(found[b, :t].sum(1), torch.ones(t, dtype=torch.float64))
        assert found[b, t:].abs().sum() == 0


def test_one_sure_alignment_gives_the_path() -> None:
    emotion = _terms(4, 1, 3, 2)
    blank = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]])
    found = expected_emotions(emotion, blank, [3], [2])
    on_path = emotion.node_logits(torch.zeros(3, dtype=torch.long), torch.arange(3), torch.tensor([0, 1, 1]))
    torch.testing.assert_close(found[0], on_path.softmax(-1))
