"""Beam search against the enumeration of all label sequences, and against the lattice of what it finds."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from espnet_ent.errors import ConfigError
from espnet_ent.search.beam import BeamConfig, beam_search
from espnet_ent.search.greedy import greedy_search
from espnet_ent.search.steps import SearchSteps
from espnet_ent.transducer.states import EncoderStates
from tests.amounts import amount
from tests.losses.oracles import transducer_by_recursion
from tests.search.cases import FORMS, VOCAB_SIZE, make_case, node_log_probs

LENGTHS = torch.tensor([3, 1, 2])
WIDE = 400  # more than there are sequences of up to 3 labels
MOST_LABELS = {3: 3, 1: 1, 2: 2}


class Bigrams:
    """A language model: a table of log probabilities; its state counts the labels that it has seen."""

    def __init__(self) -> None:
        torch.manual_seed(5)
        self.table = (2 * torch.randn(VOCAB_SIZE, VOCAB_SIZE, dtype=torch.float64)).log_softmax(-1)

    def score(self, prefixes, states):
        for prefix, state in zip(prefixes, states, strict=True):
            assert state == (len(prefix) - 1 if prefix else None)
        return self.table[[prefix[-1] if prefix else 0 for prefix in prefixes]], [len(prefix) for prefix in prefixes]

    def of(self, labels: tuple[int, ...]) -> float:
        return sum(self.table[pair].item() for pair in itertools.pairwise((0, *labels)))


def _all_sequences(transducer, enc, b: int, lm_weight: float) -> dict[tuple[int, ...], float]:
    """Score of every label sequence, by enumeration."""
    scores = {}
    lm = Bigrams()
    for num_labels in range(MOST_LABELS[int(enc.lengths[b])] + 1):
        for labels in itertools.product(range(1, VOCAB_SIZE), repeat=num_labels):
            lattice = node_log_probs(transducer, enc, b, list(labels))
            scores[labels] = -transducer_by_recursion(lattice, list(labels)).item() + lm_weight * lm.of(labels)
    return scores


@pytest.mark.parametrize("lm_weight", [0.0, 0.7])
@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("seed", range(1, 1 + amount(13, 1)))
def test_wide_beam_finds_the_best_of_all_sequences(form, normalised, lm_weight, seed, figures):
    transducer, enc = make_case(form, seed, LENGTHS)
    config = BeamConfig(WIDE, 10, normalised, lm_weight)
    for b, found in enumerate(beam_search(transducer, enc, config, lm=Bigrams())):
        scores = _all_sequences(transducer, enc, b, lm_weight)
        order = sorted(scores, key=lambda y: -scores[y] / (len(y) + 1 if normalised else 1))
        assert [hypothesis.tokens for hypothesis in found] == order[:10]
        for hypothesis in found:
            assert hypothesis.total_score == pytest.approx(scores[hypothesis.tokens], abs=1e-9)
    figures("Numerics", "a wide beam finds the best of all sequences, enumerated", lattices=len(LENGTHS))


@pytest.mark.parametrize("form", FORMS)
def test_alignment_is_the_best_of_all(form):
    transducer, enc = make_case(form, 3, LENGTHS)
    for b, found in enumerate(beam_search(transducer, enc, BeamConfig(WIDE, 20))):
        num_frames = int(enc.lengths[b])
        for hypothesis in found:
            lattice = node_log_probs(transducer, enc, b, list(hypothesis.tokens))
            best = max(_paths(lattice, hypothesis.tokens, num_frames))
            assert hypothesis.score == pytest.approx(best[0], abs=1e-9)
            assert (hypothesis.token_frames, hypothesis.nodes) == best[1:]
            expected = [
                lattice[t, u, y].item() for u, (t, y) in enumerate(zip(best[1], hypothesis.tokens, strict=True))
            ]
            assert hypothesis.token_scores == pytest.approx(expected)


def _paths(lattice, labels, num_frames):
    """(log probability, frame of each label, column of each frame) of every alignment."""
    for frames in itertools.combinations_with_replacement(range(num_frames), len(labels)):
        nodes = tuple(sum(frame <= t for frame in frames) for t in range(num_frames))
        score = sum(lattice[t, u, labels[u]].item() for u, t in enumerate(frames))
        yield score + sum(lattice[t, u, 0].item() for t, u in enumerate(nodes)), frames, nodes


@pytest.mark.parametrize("lm", [None, Bigrams()])
@pytest.mark.parametrize("form", FORMS)
def test_batch_and_single_utterances_agree(form, lm):
    transducer, enc = make_case(form, 2, torch.tensor([9, 1, 6, 4]))
    config = BeamConfig(beam_size=4, nbest=3)
    steps = SearchSteps(transducer)
    together = beam_search(transducer, enc, config, steps, lm)
    for b, found in enumerate(together):
        n = int(enc.lengths[b])
        alone = EncoderStates(enc.h[b : b + 1, :n], enc.h_emo[b : b + 1, :n], enc.lengths[b : b + 1])
        (single,) = beam_search(transducer, alone, config, lm=lm)
        assert [h.tokens for h in single] == [h.tokens for h in found]
        assert [h.total_score for h in single] == pytest.approx([h.total_score for h in found], abs=1e-9)


def test_wider_beams_find_no_less_probable_sequences():
    better = 0
    for seed in range(12):
        transducer, enc = make_case(FORMS[0], seed, torch.tensor([9]))
        totals = [
            beam_search(transducer, enc, BeamConfig(size, 1, length_normalisation=False))[0][0].total_score
            for size in (1, 300)
        ]
        assert totals[1] >= totals[0] - 1e-9
        better += totals[1] > totals[0] + 1e-6
    assert better  # a beam of 1 is not enough everywhere


def test_probable_model_gives_what_greedy_search_gives():
    transducer, enc = make_case(FORMS[0], 0, torch.tensor([9, 5]))
    with torch.no_grad():
        transducer.joint.output.weight.mul_(100.0)
        transducer.joint.output.bias.mul_(100.0)
    greedy = greedy_search(transducer, enc, 4)
    for hypothesis, (found,) in zip(
        greedy, beam_search(transducer, enc, BeamConfig(3, max_labels_ratio=4.0)), strict=True
    ):
        if hypothesis.score > math.log(0.99):
            assert found.tokens == hypothesis.tokens
            assert found.nodes == hypothesis.nodes


def test_no_more_labels_than_allowed():
    transducer, enc = make_case(FORMS[0], 0, torch.tensor([4]))
    with torch.no_grad():
        transducer.joint.output.bias[0] = -50.0
    (found,) = beam_search(transducer, enc, BeamConfig(2, max_labels_ratio=1.5))
    assert len(found[0].tokens) == 6
    assert found[0].num_frames == 4


def test_utterance_without_frames_gives_an_empty_hypothesis():
    transducer, enc = make_case(FORMS[0], 0, torch.tensor([0, 3, 0, 2]))
    first, second, third, fourth = beam_search(transducer, enc, BeamConfig(3, 3))
    for found in (first, third):
        assert [(h.tokens, h.nodes) for h in found] == [((), ())]
    for b, found in ((1, second), (3, fourth)):
        n = int(enc.lengths[b])
        alone = EncoderStates(enc.h[b : b + 1, :n], enc.h_emo[b : b + 1, :n], enc.lengths[b : b + 1])
        assert [h.tokens for h in beam_search(transducer, alone, BeamConfig(3, 3))[0]] == [h.tokens for h in found]


@pytest.mark.parametrize(
    "options", [{"beam_size": 0}, {"nbest": 6}, {"nbest": 0}, {"lm_weight": -1.0}, {"max_labels_ratio": 0.0}]
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ConfigError, match="out of range"):
        BeamConfig(**options)
