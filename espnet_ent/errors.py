"""Errors that a user can mend: one class tree, one line each, exit status 2.

Anything that is not an :class:`EntError` is a defect of this package and keeps its traceback.
"""

from __future__ import annotations

from typing import Self

EXIT_USER_ERROR = 2


class EntError(Exception):
    """Base of all errors that are explained to the user in one line.

    Args:
        what: What is wrong, as a short statement.
        where: File (with line), utterance or option that is at fault.
        expected: What would have been right.
        got: What was found instead.
        next_step: The command or edit that mends it.
    """

    def __init__(
        self,
        what: str,
        *,
        where: object = None,
        expected: object = None,
        got: object = None,
        next_step: str | None = None,
    ) -> None:
        self.what = what
        self.where = where
        self.expected = expected
        self.got = got
        self.next_step = next_step
        super().__init__(self._line())

    def at(self, where: object) -> Self:
        """The same error under another place; None: without one."""
        return type(self)(self.what, where=where, expected=self.expected, got=self.got, next_step=self.next_step)

    def _line(self) -> str:
        parts = [f"{self.where}: {self.what}" if self.where is not None else self.what]
        if self.expected is not None:
            parts.append(f"expected {self.expected}")
        if self.got is not None:
            parts.append(f"got {self.got}")
        if self.next_step is not None:
            parts.append(f"next: {self.next_step}")
        return "; ".join(" ".join(part.split()) for part in parts)


class ConfigError(EntError):
    """A configuration key or a command-line option is unknown, missing or of the wrong type."""


class DataError(EntError):
    """A corpus or a data directory is not as its format says."""


class AudioError(DataError):
    """An audio file is missing, truncated, empty or of an unexpected rate."""


class EmptyAudioError(AudioError):
    """An audio file holds no sample."""


class LabelError(DataError):
    """An emotion label is not in the inventory."""


class DiskError(EntError):
    """There is no space left where something is written."""


class LossInputError(EntError):
    """The input of a loss is out of its domain; the utterances at fault are named."""


class NonFiniteError(EntError):
    """Too many training batches gave a loss or gradient that is not finite."""


class CheckpointError(EntError):
    """A checkpoint is missing, damaged or does not fit the model."""


class WorkerError(EntError):
    """A parallel process ended before its work was done."""


class ScoringError(EntError):
    """Hypotheses and references do not cover the same utterances."""
