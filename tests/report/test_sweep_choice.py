"""What a sweep chooses: a setting and a checkpoint, by the EDER of development, at a bounded cost."""

from __future__ import annotations

import itertools
import math
import random

import pytest

from espnet_ent.report.sweep_choice import best_checkpoints, chosen
from espnet_ent.report.sweep_plan import Setting
from espnet_ent.report.sweep_scores import Row, Scores


def row(name: str, *figures: tuple[float, float, float], baseline: str = "plain", **options) -> Row:
    """EDER, WER and UA of each seed."""
    checkpoint = options.pop("checkpoint", "ave.pth")
    scores = tuple(Scores(eder, (0.0, 0.0, 0.0), 46.0, 55.0, wer, ua) for eder, wer, ua in figures)
    return Row(Setting(name, "base.yaml", {}, baseline, **options), checkpoint, {"dev": scores})


PLAIN = row("plain", (45, 10, 80), (47, 12, 78))


def names(rows: list[Row], num_seeds: int = 2) -> str | None:
    best = chosen(rows, num_seeds, "dev")
    return None if best is None else best.setting.name


@pytest.mark.parametrize(
    ("other", "is_chosen"),
    [
        (row("other", (30, 12, 78), (30, 14, 76)), True),  # 2 points of each: allowed
        (row("other", (30, 12.1, 80), (30, 14, 80)), False),
        (row("other", (30, 10, 77.9), (30, 10, 76)), False),
        (row("other", (46.1, 10, 80), (46.1, 10, 80)), False),  # worse
        (row("other", (30, 10, 80), (30, 10, 80), is_supervised=True), False),
        (row("other", (30, 10, 80)), False),  # one seed
        (row("other", (30, 10, 80), (math.nan, 10, 80)), False),
        (row("other", (30, 10, math.nan), (30, 10, 80)), False),
        (row("other", (30, 10, 80), (30, 10, 80), baseline="gone"), False),
    ],
)
def test_the_smallest_eder_that_costs_little_enough(other, is_chosen) -> None:
    assert names([PLAIN, other]) == ("other" if is_chosen else "plain")
    assert names([other, PLAIN]) == ("other" if is_chosen else "plain")


def test_each_setting_is_held_against_its_own_baseline() -> None:
    """`two` has 22 points of UA less than `plain`, and none less than its own kind."""
    of_its_kind = row("own", (46, 9, 56), (46, 9, 56), baseline="own")
    two = row("two", (30, 10, 57), (30, 10, 57), baseline="own")
    assert names([PLAIN, row("one", (33, 11, 79), (33, 11, 79)), of_its_kind, two]) == "two"
    assert names([PLAIN, row("one", (33, 11, 79), (33, 11, 79)), of_its_kind, row("two", *[(30, 10, 57)] * 2)]) == "one"
    better = row("own", (46, 7, 56), (46, 7, 56), baseline="own")
    assert names([PLAIN, row("one", (33, 11, 79), (33, 11, 79)), better, two]) == "one"


def test_a_baseline_without_all_seeds_holds_nothing() -> None:
    of_its_kind = row("own", (46, 9, 56), baseline="own")
    two = row("two", (30, 10, 57), (30, 10, 57), baseline="own")
    assert names([PLAIN, of_its_kind, two]) == "plain"
    assert names([row("plain", (45, 10, 80)), row("good", (30, 10, 80), (30, 10, 80))]) is None
    assert names([]) is None


def test_the_choice_is_that_of_a_search_over_all_rows() -> None:
    """Against a naive form of the rule, on random figures with many ties."""
    draw = random.Random(0)
    for _ in range(200):
        kinds = {"plain": "plain", "a": "plain", "b": "plain", "own": "own", "c": "own"}
        rows = [
            row(name, *[(draw.randint(28, 34), draw.randint(9, 13), draw.randint(76, 80)) for _ in "12"], baseline=of)
            for name, of in kinds.items()
        ]
        mean = {r.setting.name: [r.mean("dev", what) for what in ("eder", "wer", "ua")] for r in rows}
        best = None
        for name, of in kinds.items():
            cheap = mean[name][1] - mean[of][1] <= 2 and mean[of][2] - mean[name][2] <= 2
            if cheap and (best is None or mean[name][0] < mean[best][0]):
                best = name
        assert names(rows) == best


def test_the_checkpoint_is_chosen_with_the_setting() -> None:
    """Among several: averages and single epochs, each scored with all seeds."""
    offered = [
        row("good", (31, 10, 80), (31, 10, 80), checkpoint="ave.pth"),
        row("good", (29, 11, 79), (29, 11, 79), checkpoint="3epoch.pth"),
        row("good", (20, 15, 79), (20, 15, 79), checkpoint="4epoch.pth"),  # too many word errors
        row("good", (10, 10, 80), checkpoint="5epoch.pth"),  # one seed
    ]
    for order in itertools.permutations(offered):
        plain, good = best_checkpoints([PLAIN, *order], 2, "dev")
        assert plain is PLAIN
        assert good.checkpoint == "3epoch.pth"
        assert chosen([plain, good], 2, "dev") is good


def test_a_checkpoint_of_a_setting_that_is_not_allowed_is_the_one_with_the_smallest_eder() -> None:
    offered = [row("deaf", *[(eder, 19, 80)] * 2, checkpoint=f"{eder}epoch.pth") for eder in (3, 1, 2)]
    offered.append(row("deaf", (0, 19, 80), checkpoint="0epoch.pth"))  # one seed
    ceiling = [row("top", *[figures] * 2, checkpoint="c", is_supervised=True) for figures in ((9, 1, 80), (8, 99, 80))]
    _, deaf, top = best_checkpoints([PLAIN, *offered, *ceiling], 2, "dev")
    assert deaf.checkpoint == "1epoch.pth"
    assert top.mean("dev", "eder") == 8
    without = row("deaf", (math.nan, 10, 80), (math.nan, 10, 80), checkpoint="first")
    assert best_checkpoints([PLAIN, without, *offered], 2, "dev")[1].checkpoint == "1epoch.pth"
    assert best_checkpoints(offered, 2, "dev")[0].checkpoint == "1epoch.pth"  # no baseline at all


def test_the_first_of_equal_checkpoints() -> None:
    """Of an all-neutral timeline, for one."""
    offered = [row("plain", (46, wer, 80), (46, wer, 80), checkpoint=f"{wer}") for wer in (12, 9)]
    assert best_checkpoints(offered, 2, "dev")[0].checkpoint == "12"
