"""Word and character error counts of utterances; a corpus rate adds the counts, then divides."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ErrorCounts:
    """Edit operations that turn references into hypotheses.

    Attributes:
        substitutions: Reference units that came out as another unit.
        deletions: Reference units that are absent from the hypothesis.
        insertions: Hypothesis units that no reference unit stands for.
        reference_length: Units (words or characters) of the reference.

    >>> (ErrorCounts(1, 0, 0, 2) + ErrorCounts(0, 0, 1, 8)).rate
    0.2
    """

    substitutions: int
    deletions: int
    insertions: int
    reference_length: int

    @classmethod
    def zero(cls) -> ErrorCounts:
        """The neutral element of addition."""
        return cls(0, 0, 0, 0)

    @classmethod
    def sum(cls, counts: Iterable[ErrorCounts]) -> ErrorCounts:
        """Add the counts of many utterances."""
        return sum(counts, start=cls.zero())

    def __add__(self, other: ErrorCounts) -> ErrorCounts:
        return ErrorCounts(
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
            self.reference_length + other.reference_length,
        )

    @property
    def errors(self) -> int:
        """Number of edit operations."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Errors per reference unit; without reference units 0 if there is no error, else infinity."""
        if self.reference_length == 0:
            return math.inf if self.errors else 0.0
        return self.errors / self.reference_length


def word_errors(references: Sequence[str], hypotheses: Sequence[str]) -> list[ErrorCounts]:
    """Word errors of each utterance; words are separated by any white space.

    Args:
        references: N transcripts; empty ones are allowed.
        hypotheses: N recognised texts; empty ones are allowed.

    Returns:
        N counts.

    Raises:
        ValueError: If the two differ in length.
    """
    import jiwer

    return _errors(jiwer.process_words, references, hypotheses)


def character_errors(references: Sequence[str], hypotheses: Sequence[str]) -> list[ErrorCounts]:
    """Character errors of each utterance, as :func:`word_errors`.

    The single space between two words is a character.
    """
    import jiwer

    return _errors(jiwer.process_characters, references, hypotheses)


def correct_words(references: Sequence[str], hypotheses: Sequence[str]) -> list[list[tuple[int, int]]]:
    """Which words are correct, by the alignment that :func:`word_errors` counts.

    Returns:
        For each of the N utterances, increasing pairs (place in the reference, place in the hypothesis), from 0.

    Raises:
        ValueError: If the two differ in length.

    >>> correct_words(["open the door"], ["open a big door"])
    [[(0, 0), (2, 3)]]
    """
    import jiwer

    return [
        [
            (run.ref_start_idx + place, run.hyp_start_idx + place)
            for run in alignment
            if run.type == "equal"
            for place in range(run.ref_end_idx - run.ref_start_idx)
        ]
        for alignment, _ in _align(jiwer.process_words, references, hypotheses)
    ]


def word_edits(references: Sequence[str], hypotheses: Sequence[str]) -> list[list[tuple[str, str, str]]]:
    """How hypotheses differ from references, by the alignment that :func:`word_errors` counts.

    Returns:
        For each of the N utterances, runs (``equal | substitute | delete | insert``, words of the reference, words of
        the hypothesis).

    Raises:
        ValueError: If the two differ in length.

    >>> word_edits(["the door"], ["a door now"])
    [[('substitute', 'the', 'a'), ('equal', 'door', 'door'), ('insert', '', 'now')]]
    """
    import jiwer

    edits = []
    for (alignment, reference), hypothesis in zip(
        _align(jiwer.process_words, references, hypotheses), hypotheses, strict=True
    ):
        guess = hypothesis.split()
        edits.append(
            [
                (
                    run.type,
                    " ".join(reference[run.ref_start_idx : run.ref_end_idx]),
                    " ".join(guess[run.hyp_start_idx : run.hyp_end_idx]),
                )
                for run in alignment
            ]
        )
    return edits


def _errors(align: Callable[..., Any], references: Sequence[str], hypotheses: Sequence[str]) -> list[ErrorCounts]:
    return [_count(alignment, len(units)) for alignment, units in _align(align, references, hypotheses)]


def _align(
    align: Callable[..., Any], references: Sequence[str], hypotheses: Sequence[str]
) -> list[tuple[Sequence[Any], Sequence[str]]]:
    """Runs of equal operations, and units of the reference, of each utterance."""
    if len(references) != len(hypotheses):
        raise ValueError(f"{len(references)} references for {len(hypotheses)} hypotheses")
    if not references:
        return []
    output = align([_single_spaced(text) for text in references], [_single_spaced(text) for text in hypotheses])
    return list(zip(output.alignments, output.references, strict=True))


def _single_spaced(text: str) -> str:
    return " ".join(text.split())


def _count(alignment: Sequence[Any], reference_length: int) -> ErrorCounts:
    """Add up jiwer's runs of equal operations."""
    units = {"substitute": 0, "delete": 0, "insert": 0, "equal": 0}
    for run in alignment:
        if run.type == "insert":
            units[run.type] += run.hyp_end_idx - run.hyp_start_idx
        else:
            units[run.type] += run.ref_end_idx - run.ref_start_idx
    return ErrorCounts(units["substitute"], units["delete"], units["insert"], reference_length)
