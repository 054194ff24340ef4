"""Greedy search against a search that re-reads the whole prefix at each node, and against the lattice."""

from __future__ import annotations

import pytest
import torch

from espnet_ent.errors import ConfigError
from espnet_ent.search import greedy
from espnet_ent.search.greedy import greedy_search
from espnet_ent.search.hypothesis import Hypothesis
from espnet_ent.search.steps import SearchSteps
from espnet_ent.transducer.factorized import FactorizedTransducer
from espnet_ent.transducer.standard import Transducer
from espnet_ent.transducer.states import EncoderStates
from tests.amounts import amount
from tests.search.cases import FORMS, VOCAB_SIZE, make_case, node_log_probs

LENGTHS = torch.tensor([6, 1, 9, 4])


def _naive(transducer: torch.nn.Module, enc: EncoderStates, b: int, most: int) -> Hypothesis:
    tokens: list[int] = []
    token_frames: list[int] = []
    nodes: list[int] = []
    score = 0.0
    for t in range(int(enc.lengths[b])):
        for _ in range(most):
            node = node_log_probs(transducer, enc, b, tokens)[t, -1]
            best = max(range(VOCAB_SIZE), key=lambda token, node=node: node[token].item())
            if best == 0:
                break
            score += node[best].item()
            tokens.append(best)
            token_frames.append(t)
        score += node_log_probs(transducer, enc, b, tokens)[t, -1, 0].item()
        nodes.append(len(tokens))
    return Hypothesis(tuple(tokens), tuple(token_frames), tuple(nodes), score)


@pytest.mark.parametrize("most", [1, 2, 4])
@pytest.mark.parametrize("form", FORMS)
@torch.no_grad()
def test_equals_the_naive_search(form, most, figures):
    several = 0
    for seed in range(amount(25, 8)):
        transducer, enc = make_case(form, seed, LENGTHS)
        for b, hypothesis in enumerate(greedy_search(transducer, enc, most)):
            expected = _naive(transducer, enc, b, most)
            assert hypothesis.tokens == expected.tokens
            assert hypothesis.token_frames == expected.token_frames
            assert hypothesis.nodes == expected.nodes
            assert hypothesis.score == pytest.approx(expected.score, abs=1e-9)
            several += len(set(hypothesis.tokens)) > 1
    assert several > 8  # the cases are not trivial
    figures("Numerics", "greedy search finds what a search by hand finds", lattices=amount(25, 8) * len(LENGTHS))


@pytest.mark.parametrize("most", [1, 3, 32])
@pytest.mark.parametrize("form", FORMS)
@torch.no_grad()
def test_alignment_is_a_path_of_the_lattice_that_covers_every_frame(form, most):
    for seed in range(8):
        transducer, enc = make_case(form, seed, LENGTHS)
        for b, hypothesis in enumerate(greedy_search(transducer, enc, most)):
            num_frames = int(enc.lengths[b])
            assert hypothesis.num_frames == len(hypothesis.nodes) == num_frames
            assert len(hypothesis.token_frames) == len(hypothesis.tokens)
            assert 0 not in hypothesis.tokens
            assert list(hypothesis.token_frames) == sorted(hypothesis.token_frames)
            for t in range(num_frames):
                assert hypothesis.nodes[t] == sum(frame <= t for frame in hypothesis.token_frames)
                assert hypothesis.token_frames.count(t) <= most
            log_probs = node_log_probs(transducer, enc, b, list(hypothesis.tokens))
            path = sum(log_probs[t, hypothesis.nodes[t], 0].item() for t in range(num_frames))
            for u, (t, token) in enumerate(zip(hypothesis.token_frames, hypothesis.tokens, strict=True)):
                path += log_probs[t, u, token].item()
            assert hypothesis.score == pytest.approx(path, abs=1e-8)


def _constant(form: type, label: int) -> tuple[Transducer | FactorizedTransducer, EncoderStates]:
    """A transducer that always prefers ``label``."""
    transducer, enc = make_case(form, 0, LENGTHS)
    with torch.no_grad():
        for parameter in transducer.parameters():
            parameter.zero_()
        if form is Transducer:
            transducer.joint.output.bias[label] = 5.0
        elif label == 0:
            transducer.blank_joint.output.bias[0] = 5.0
        else:
            transducer.vocabulary_joint.output.bias[label - 1] = 5.0
    return transducer, enc


@pytest.mark.parametrize("form", FORMS)
def test_symbol_limit_moves_on_to_the_next_frame(form):
    transducer, enc = _constant(form, 2)
    for hypothesis, num_frames in zip(greedy_search(transducer, enc, 3), LENGTHS.tolist(), strict=True):
        assert hypothesis.tokens == (2,) * 3 * num_frames
        assert hypothesis.token_frames == tuple(t for t in range(num_frames) for _ in range(3))
        # The node after the last label, not before it.
        assert hypothesis.nodes == tuple(range(3, 3 * num_frames + 1, 3))


@pytest.mark.parametrize("form", FORMS)
def test_nothing_but_blank(form):
    transducer, enc = _constant(form, 0)
    for hypothesis, num_frames in zip(greedy_search(transducer, enc), LENGTHS.tolist(), strict=True):
        assert hypothesis.tokens == hypothesis.token_frames == ()
        assert hypothesis.nodes == (0,) * num_frames


@pytest.mark.parametrize("form", FORMS)
def test_padding_and_company_change_nothing(form):
    transducer, enc = make_case(form, 1, LENGTHS)
    together = greedy_search(transducer, enc, 3)
    for b, num_frames in enumerate(LENGTHS.tolist()):
        one = slice(b, b + 1)
        alone = EncoderStates(enc.h[one, :num_frames], enc.h_emo[one, :num_frames], LENGTHS[one])
        (hypothesis,) = greedy_search(transducer, alone, 3)
        assert hypothesis.tokens == together[b].tokens
        assert hypothesis.nodes == together[b].nodes
        assert hypothesis.score == pytest.approx(together[b].score, abs=1e-9)


def test_prediction_network_runs_once_a_label(monkeypatch):
    transducer, enc = make_case(Transducer, 2, LENGTHS)
    calls = 0
    step = SearchSteps.__call__

    def counted(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        return step(*arguments)

    monkeypatch.setattr(SearchSteps, "__call__", counted)
    hypotheses = greedy_search(transducer, enc, 3)
    most = max(len(hypothesis.tokens) for hypothesis in hypotheses)
    assert calls == 1 + most  # all utterances together
    assert most > 1


@pytest.mark.parametrize("at_once", [1, 2, 5, 64])
@pytest.mark.parametrize("form", FORMS)
def test_how_many_frames_are_looked_at_together_changes_nothing(form, at_once, monkeypatch):
    for seed in range(4):
        transducer, enc = make_case(form, seed, LENGTHS)
        expected = greedy_search(transducer, enc, 2)
        monkeypatch.setattr(greedy, "_FRAMES_AT_ONCE", at_once)
        for found, wanted in zip(greedy_search(transducer, enc, 2), expected, strict=True):
            assert (found.tokens, found.token_frames, found.nodes) == (wanted.tokens, wanted.token_frames, wanted.nodes)
            assert found.score == pytest.approx(wanted.score, abs=1e-9)
        monkeypatch.undo()


def test_scores_of_the_labels_are_those_of_their_nodes():
    transducer, enc = make_case(Transducer, 3, LENGTHS)
    for b, hypothesis in enumerate(greedy_search(transducer, enc, 3)):
        log_probs = node_log_probs(transducer, enc, b, list(hypothesis.tokens))
        emitted = enumerate(zip(hypothesis.token_frames, hypothesis.tokens, strict=True))
        expected = [log_probs[t, u, token].item() for u, (t, token) in emitted]
        assert hypothesis.token_scores == pytest.approx(expected, abs=1e-9)


def test_of_equal_outputs_the_first_is_taken():
    transducer, enc = _constant(Transducer, 0)
    with torch.no_grad():
        transducer.joint.output.bias.zero_()  # all outputs are equal: blank, the first, wins
    assert all(hypothesis.tokens == () for hypothesis in greedy_search(transducer, enc))


def test_a_limit_below_one_is_refused():
    with pytest.raises(ConfigError, match="max_symbols_per_frame out of range; expected >= 1; got 0"):
        greedy_search(*make_case(Transducer, 0, LENGTHS), 0)


@pytest.mark.parametrize("form", FORMS)
@torch.no_grad()
def test_states_of_the_search_are_those_of_the_labels(form):
    transducer, enc = make_case(form, 1, LENGTHS)
    for hypothesis in greedy_search(transducer, enc, 3):
        labels = torch.tensor([hypothesis.tokens], dtype=torch.long)
        expected = transducer.predict(labels, torch.tensor([len(hypothesis.tokens)])).g_blank[0]
        torch.testing.assert_close(hypothesis.states, expected)


@pytest.mark.parametrize("form", FORMS)
@torch.no_grad()
def test_in_float32_only_near_ties_are_decided_otherwise(form):
    """Where the naive search and ours differ, two outputs of a node are nearer than the rounding of float32."""
    compared = 0
    for seed in range(10):
        transducer, enc = make_case(form, seed, LENGTHS)
        transducer, enc = transducer.float(), EncoderStates(enc.h.float(), enc.h_emo.float(), enc.lengths)
        for b, hypothesis in enumerate(greedy_search(transducer, enc, 4)):
            expected = _naive(transducer, enc, b, 4)
            if (hypothesis.tokens, hypothesis.nodes) == (expected.tokens, expected.nodes):
                compared += 1
                continue
            lattice = node_log_probs(transducer, enc, b, list(expected.tokens))
            best_two = lattice.topk(2, dim=-1).values
            assert (best_two[..., 0] - best_two[..., 1]).min() < 1e-4
    assert compared > 30
