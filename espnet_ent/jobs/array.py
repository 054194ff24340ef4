"""What is to be run: one command, or an array of them that differ in a number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from espnet_ent.errors import ConfigError

_ARRAY = re.compile(r"(?P<name>[A-Za-z_]\w*)=(?P<first>\d+)(?::(?P<last>\d+))?")
_USAGE = "[JOB=1:n] log command ..."


@dataclass(frozen=True)
class Job:
    """One command and its log.

    Attributes:
        log: File that takes its output.
        command: Program and arguments.
        index: Number in an array, or None.
    """

    log: Path
    command: tuple[str, ...]
    index: int | None = None


def expand_jobs(words: Sequence[str]) -> list[Job]:
    """The jobs that ``[JOB=1:n] log command ...`` stands for; JOB is replaced in the log's name and in the command.

    >>> [str(job.log) for job in expand_jobs(["JOB=1:2", "log/JOB.txt", "echo", "part.JOB"])]
    ['log/1.txt', 'log/2.txt']

    Raises:
        ConfigError: If the log or the command is missing, the range is empty, or jobs would share a log.
    """
    words = list(words)
    array = _ARRAY.fullmatch(words[0]) if words else None
    if array:
        words = words[1:]
    if len(words) < 2:
        raise ConfigError("no log file or no command", expected=_USAGE, got=" ".join(words) or "nothing")
    if array is None:
        return [Job(Path(words[0]), tuple(words[1:]))]
    name, first = array["name"], int(array["first"])
    last = int(array["last"] or first)
    if last < first:
        raise ConfigError("the array of jobs is empty", expected=f"{name}=1:n", got=array[0])
    if last > first and name not in words[0]:
        raise ConfigError("all jobs of an array would share a log", where=words[0], expected=f"{name} in its name")
    return [_numbered(words, name, index) for index in range(first, last + 1)]


def _numbered(words: Sequence[str], name: str, index: int) -> Job:
    log, *command = (word.replace(name, str(index)) for word in words)
    return Job(Path(log), tuple(command), index)
