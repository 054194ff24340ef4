"""Counts beside the published ones: the table, and differences by name."""

from __future__ import annotations

from espnet_ent.corpora.iemocap import PUBLISHED
from espnet_ent.corpora.msp_improv import PUBLISHED as PUBLISHED_MSP
from espnet_ent.corpora.published import count_report
from espnet_ent.corpora.reading import CorpusReading, CorpusUtterance
from espnet_ent.data.utterance import Utterance


def reading(counts: dict[int, dict[str, int]]) -> CorpusReading:
    used = [
        CorpusUtterance(Utterance(f"{session}-{label}-{i}", "s", "a.wav", "A", label), session, "d")
        for session, of_session in counts.items()
        for label, number in of_session.items()
        for i in range(number)
    ]
    return CorpusReading(tuple(used), ())


def test_published_tables_add_up() -> None:
    assert sum(sum(counts.values()) for counts in PUBLISHED.values()) == 5531
    assert [sum(PUBLISHED[session].values()) for session in range(1, 6)] == [1085, 1023, 1151, 1031, 1241]
    assert sum(PUBLISHED_MSP.values()) == 7798


def test_a_complete_copy_differs_nowhere() -> None:
    table, differences = count_report(reading(PUBLISHED), PUBLISHED)
    assert differences == []
    assert table[-1].split() == ["all", "1708", "(1708)", "1103", "(1103)", "1084", "(1084)", "1636", "(1636)", "5531",
                                 "(5531)"]  # fmt: skip
    assert table[1].split()[:4] == ["session", "1", "384", "(384)"]


def test_each_difference_is_named_by_session_and_class() -> None:
    counts = {session: dict(of_session) for session, of_session in PUBLISHED.items()}
    counts[3]["sad"] -= 1
    counts[5]["hap"] += 2
    assert count_report(reading(counts), PUBLISHED)[1] == [
        "session 3, sad: expected 305, got 304",
        "session 5, hap: expected 442, got 444",
        "all, sad: expected 1084, got 1083",
        "all, hap: expected 1636, got 1638",
    ]


def test_counts_by_class_alone() -> None:
    table, differences = count_report(reading({1: {"ang": 2}, 2: {"ang": 1, "neu": 1}}), {"ang": 3, "neu": 2})
    assert table[-1].split() == ["all", "3", "(3)", "1", "(2)", "4", "(5)"]
    assert differences == ["all, neu: expected 2, got 1"]
