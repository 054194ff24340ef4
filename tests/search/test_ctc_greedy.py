import itertools

import torch

from espnet_ent.search.ctc_greedy import ctc_greedy_search


def _logits(labels: list[int], vocabulary: int = 4) -> torch.Tensor:
    return torch.nn.functional.one_hot(torch.tensor(labels), vocabulary).float() * 5


def test_repetitions_and_blanks_go_and_what_a_blank_parts_stays():
    labels = [0, 1, 1, 0, 1, 2, 2, 3, 0]
    (found,) = ctc_greedy_search(_logits(labels).unsqueeze(0), torch.tensor([len(labels)]))
    assert found.tokens == (1, 1, 2, 3)
    assert found.token_frames == (1, 4, 5, 7)
    assert found.nodes == (0, 1, 1, 1, 2, 3, 3, 4, 4)


def test_all_short_paths_against_a_naive_collapse():
    for labels in itertools.product(range(3), repeat=5):
        (found,) = ctc_greedy_search(_logits(list(labels), 3).unsqueeze(0), torch.tensor([5]))
        collapsed = tuple(label for label, _ in itertools.groupby(labels) if label)
        assert found.tokens == collapsed
        assert found.num_frames == 5
        assert found.nodes[-1] == len(collapsed)


def test_scores_are_those_of_the_path_and_padding_is_left_alone():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 6, 4, generator=generator)
    found = ctc_greedy_search(logits, torch.tensor([6, 0]))
    best = logits[0].log_softmax(dim=-1).max(dim=-1).values
    assert abs(found[0].score - float(best.sum())) < 1e-5
    assert found[0].token_scores == tuple(best[list(found[0].token_frames)].tolist())
    assert (found[1].tokens, found[1].nodes, found[1].score) == ((), (), 0.0)
