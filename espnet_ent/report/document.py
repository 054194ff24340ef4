"""A report as blocks, written once and rendered twice: as Markdown, and for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

TERMINAL_COLUMNS = 100
_NARROWEST_FIRST_COLUMN = 12


@dataclass(frozen=True)
class Heading:
    """A heading; level 1 is the title."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    """Running text."""

    text: str


@dataclass(frozen=True)
class Command:
    """Shell commands, verbatim."""

    text: str


@dataclass(frozen=True)
class Table:
    """A table; the first column names the row, the others hold figures and are right-aligned.

    Attributes:
        header: Column titles.
        rows: Cells, as many a row as there are titles.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.header):
                raise ValueError(f"row of {len(row)} cells in a table of {len(self.header)} columns: {row}")


Block = Heading | Paragraph | Command | Table


def render_markdown(blocks: Iterable[Block]) -> str:
    """Markdown with a newline at the end; cells are escaped, columns are padded to be readable as text."""
    return "\n\n".join(_markdown(block) for block in blocks) + "\n"


def render_terminal(blocks: Iterable[Block], columns: int = TERMINAL_COLUMNS) -> str:
    """Plain text of at most ``columns`` columns, as far as the figures of a table's row allow.

    The first column of a wide table is wrapped, never cut.
    """
    return "\n\n".join(_terminal(block, columns) for block in blocks) + "\n"


def _markdown(block: Block) -> str:
    match block:
        case Heading():
            return "#" * block.level + " " + block.text
        case Paragraph():
            return block.text
        case Command():
            # A fence must be longer than any run of backticks inside.
            fence = "`" * max(3, _longest_run(block.text, "`") + 1)
            return f"{fence}sh\n{block.text}\n{fence}"
        case Table():
            rows = [[_escaped(cell) for cell in row] for row in (block.header, *block.rows)]
            widths = _widths(rows, at_least=3)
            rule = ["-" * width if column == 0 else "-" * (width - 1) + ":" for column, width in enumerate(widths)]
            lines = [_aligned(row, widths) for row in rows]
            return "\n".join("| " + " | ".join(line) + " |" for line in [lines[0], rule, *lines[1:]])


def _terminal(block: Block, columns: int) -> str:
    match block:
        case Heading():
            return f"{block.text}\n{('=' if block.level == 1 else '-') * min(len(block.text), columns)}"
        case Paragraph():
            return textwrap.fill(block.text.replace("`", ""), columns)
        case Command():
            return textwrap.indent(block.text, "    ")
        case Table():
            return "\n".join(line.rstrip() for line in _terminal_table(block, columns))


def _terminal_table(table: Table, columns: int) -> list[str]:
    widths = _widths([table.header, *table.rows], at_least=1)
    figures = sum(widths[1:]) + 2 * (len(widths) - 1)
    widths[0] = min(widths[0], max(columns - figures, _NARROWEST_FIRST_COLUMN))
    lines = []
    for number, row in enumerate((table.header, *table.rows)):
        names = textwrap.wrap(row[0], widths[0], break_on_hyphens=False) or [""]
        lines += [name.ljust(widths[0]) for name in names[:-1]]
        lines.append("  ".join(_aligned([names[-1], *row[1:]], widths)))
        if number == 0:
            lines.append("  ".join("-" * width for width in widths))
    return lines


def _widths(rows: Sequence[Sequence[str]], at_least: int) -> list[int]:
    return [max(at_least, *(len(cell) for cell in column)) for column in zip(*rows, strict=True)]


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [
        cell.ljust(width) if column == 0 else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]


def _escaped(cell: str) -> str:
    return " ".join(cell.replace("|", "\\|").split())


def _longest_run(text: str, character: str) -> int:
    longest = run = 0
    for current in text:
        run = run + 1 if current == character else 0
        longest = max(longest, run)
    return longest
