"""Work that is shared among the jobs of an array, each on a machine of its own, and put together afterwards."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from espnet_ent.errors import ConfigError

Item = TypeVar("Item")


@dataclass(frozen=True)
class Share:
    """One of several shares of some work.

    Attributes:
        number: Which, from 1.
        total: How many there are.
    """

    number: int
    total: int

    @classmethod
    def parse(cls, text: str) -> Share:
        """A share as it is written.

        >>> Share.parse("2/3").of("abcdefg")
        'be'

        Raises:
            ConfigError: If it is not one.
        """
        found = re.fullmatch(r"(\d+)/(\d+)", text)
        if found is None or not 1 <= int(found[1]) <= int(found[2]):
            raise ConfigError("not a share", where="--share", expected="1/n to n/n", got=text)
        return cls(int(found[1]), int(found[2]))

    def of(self, items: Sequence[Item]) -> Sequence[Item]:
        """Every ``total``-th item: equal shares of what is sorted by size."""
        return items[self.number - 1 :: self.total]

    def in_a_row(self, items: Sequence[Item]) -> Sequence[Item]:
        """Items that follow one another: shares in their order are all items in their order.

        >>> [Share(number, 3).in_a_row("abcdefg") for number in (1, 2, 3)]
        ['ab', 'cd', 'efg']
        """
        first, end = ((place * len(items)) // self.total for place in (self.number - 1, self.number))
        return items[first:end]

    def folder(self, out: str | Path) -> Path:
        """Where this share of the work for ``out`` lies until it is put together."""
        return _folder(out) / f"{self.number}of{self.total}"

    def __str__(self) -> str:
        return f"{self.number}/{self.total}"


def all_shares(total: int) -> list[Share]:
    """The shares of some work.

    Raises:
        ConfigError: If there is none.
    """
    if total < 1:
        raise ConfigError("no share", expected="1 or more", got=total)
    return [Share(number, total) for number in range(1, total + 1)]


def remove_shares(out: str | Path) -> None:
    """Remove the shares of the work for ``out``, once it is put together."""
    shutil.rmtree(_folder(out), ignore_errors=True)


def _folder(out: str | Path) -> Path:
    out = Path(out)
    return out.with_name(f".{out.name}.shares")
